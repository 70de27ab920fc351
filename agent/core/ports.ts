/** Which execution has which ports of the node: each port has one, from the moment it is accepted until it ends. */
import { isAnyAddress, isLoopback } from "../../shared/addresses.ts";
import type { Task } from "../../shared/model/job.ts";
import { hostPortsOf, type Port } from "../../shared/model/port.ts";
import type { Failure } from "./outcome.ts";

/** What the node's owner gives. */
export interface PortPolicy {
  /** Where ports that no job names are taken from; both are part of it. */
  readonly first: number;
  readonly last: number;
  /** Where ports listen whose job does not say. What is neither this nor loopback is refused, unless this is every address. */
  readonly address: string;
}

/** As shipped: Bacalhau's range, for this machine only. */
export const PORTS_DEFAULT: PortPolicy = { first: 20_000, last: 32_000, address: "127.0.0.1" };

/** Whether nobody on the machine listens there. */
export type IsFree = (at: { readonly address: string; readonly port: number }) => boolean;

/** Ports by execution. */
export class Ports {
  readonly #policy: PortPolicy;
  readonly #isFree: IsFree;
  readonly #owners = new Map<number, string>();
  /** Taken up after the last one, so that a port rests before it is given again. */
  #next: number;

  constructor(policy: PortPolicy, isFree: IsFree) {
    this.#policy = policy;
    this.#isFree = isFree;
    this.#next = policy.first;
  }

  /** Gives an execution all that its task asks for, or nothing, with the reason. */
  allocate(id: string, { ports = [], type }: Task["network"]): readonly Port[] | Failure {
    const given: Port[] = [];
    // What is named further down is not chosen for one that names none.
    const taken = new Set(hostPortsOf(ports));
    for (const { hostAddress = this.#policy.address, ...wish } of ports) {
      const hostPort = this.#mayListen(hostAddress)
        ? this.#choose(wish.hostPort, { address: hostAddress, taken })
        : notThere(hostAddress);
      if (typeof hostPort !== "number") return hostPort;
      taken.add(hostPort);
      const targetPort = type === "bridge" ? wish.targetPort ?? hostPort : undefined;
      given.push({ name: wish.name, hostAddress, hostPort, ...(targetPort !== undefined && { targetPort }) });
    }
    this.hold(id, given);
    return given;
  }

  /** What was given before the agent was restarted. */
  hold(id: string, ports: readonly Port[]): void {
    for (const { hostPort } of ports) this.#owners.set(hostPort, id);
  }

  /** Its execution has ended. Nothing happens the second time. */
  release(id: string): void {
    for (const [port, owner] of this.#owners) if (owner === id) this.#owners.delete(port);
  }

  #mayListen(address: string): boolean {
    const own = this.#policy.address;
    return address === own || isLoopback(address) || isAnyAddress(own);
  }

  #choose(
    wanted: number | undefined,
    { address, taken }: { address: string; taken: ReadonlySet<number> },
  ): number | Failure {
    if (wanted !== undefined) {
      const owner = this.#owners.get(wanted);
      if (owner !== undefined) return inUse(wanted, `the execution ${owner} has it`);
      return this.#isFree({ address, port: wanted })
        ? wanted
        : inUse(wanted, "another program listens there");
    }
    const { first, last } = this.#policy;
    const count = last - first + 1;
    for (let tried = 0; tried < count; tried++) {
      const port = first + (this.#next - first + tried) % count;
      if (this.#owners.has(port) || taken.has(port) || !this.#isFree({ address, port })) continue;
      this.#next = port + 1;
      return port;
    }
    return {
      code: "refused",
      message: `this node has no port left between ${first} and ${last}`,
      hint: "Let the node's owner give more with docker_port_range",
    };
  }
}

function inUse(port: number, why: string): Failure {
  return {
    code: "refused",
    message: `the port ${port} is in use on this node: ${why}`,
    hint: "Leave Static out, so that each node chooses a port, or add a node where the port is free",
  };
}

function notThere(address: string): Failure {
  return {
    code: "refused",
    message: `this node does not open ports on the address ${address}`,
    hint: "Leave HostNetwork out, or let the node's owner allow it with docker_port_address",
  };
}
