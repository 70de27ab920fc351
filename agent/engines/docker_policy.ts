/** What the node's owner lets containers have, and whether a task may have what it asks for. */
import type { Failure } from "../core/outcome.ts";
import type { AddressRange } from "../../shared/addresses.ts";
import type { EngineTask } from "./engine.ts";
import type { DockerParams, Profile, PullPolicy } from "./docker_params.ts";

/** Networks that a container can be in. */
export type ContainerNetwork = "none" | "bridge" | "host" | "http";

/** The owner's settings. */
export interface DockerPolicy {
  /** No task runs with less protection than this. */
  readonly profile: Profile;
  /** What tasks may ask for beyond those of their profile. */
  readonly capabilities: readonly string[];
  /** What tasks may ask for. */
  readonly networks: readonly ContainerNetwork[];
  /** For tasks that ask for none. */
  readonly defaultNetwork: Exclude<ContainerNetwork, "http">;
  /** Addresses that are not public, and that containers with the network `http` may reach all the same. */
  readonly httpRanges: readonly AddressRange[];
  /** For tasks that do not say. */
  readonly pull: PullPolicy;
}

/** As shipped. */
export const POLICY_DEFAULT: DockerPolicy = {
  profile: "default",
  capabilities: [],
  networks: ["none", "bridge", "http"],
  defaultNetwork: "none",
  httpRanges: [],
  pull: "missing",
};

/** What ordinary images need to start: to change owners and users, to signal, to listen on low ports. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL", "NET_BIND_SERVICE"],
];

/** What a task gets. */
export interface Granted {
  readonly profile: Profile;
  readonly capabilities: readonly string[];
  readonly network: ContainerNetwork;
  readonly pull: PullPolicy;
}

/** What the task gets by this policy, or why it gets nothing. `absent`: networks that cannot be had here, and why. */
export function grantBy(
  policy: DockerPolicy,
  task: { readonly params: DockerParams; readonly network: EngineTask["network"] },
  absent: Readonly<Partial<Record<ContainerNetwork, string>>> = {},
): Granted | Failure {
  const { params } = task;
  const profile = params.profile ?? policy.profile;
  if (policy.profile === "strict" && profile !== "strict") {
    return refused('this node does not run containers with less than the profile "strict"', {
      hint: "Leave Profile out, or let the node's owner set docker_profile to default",
    });
  }
  const base = profile === "strict" ? [] : DEFAULT_CAPABILITIES;
  const extra = params.capabilities.filter((name) => !base.includes(name));
  const denied = extra.find((name) => !policy.capabilities.includes(name));
  if (denied !== undefined) {
    return refused(`this node does not give containers the capability ${denied}`, {
      hint: `Do without it, or let the node's owner add it to docker_capabilities`,
    });
  }
  const network = networkOf(task.network, { policy, absent });
  if (typeof network !== "string") return network;
  return { profile, capabilities: [...base, ...extra], network, pull: params.pull ?? policy.pull };
}

function networkOf(
  { type }: EngineTask["network"],
  { policy, absent }: { policy: DockerPolicy; absent: Readonly<Partial<Record<ContainerNetwork, string>>> },
): ContainerNetwork | Failure {
  const wanted = type === "default" ? policy.defaultNetwork : type === "full" ? "host" : type;
  const why = absent[wanted];
  if (why !== undefined) {
    return refused(`this node does not have the network "${wanted}": ${why}`, {
      hint: "Ask for another network, or add a node that has it",
    });
  }
  if (type === "default" || policy.networks.includes(wanted)) return wanted;
  return refused(`this node does not give containers the network "${wanted}"`, {
    hint: `It gives ${policy.networks.join(", ")}; its owner can add others to docker_networks`,
  });
}

function refused(message: string, { hint }: { hint: string }): Failure {
  return { code: "refused", message, hint };
}
