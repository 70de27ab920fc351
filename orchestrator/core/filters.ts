/**
 * Which nodes may run a task: ordered rules, the first that rejects gives the reason. A lasting rejection can only
 * end by a change of the node or the job; a passing one ends by itself, so the job may wait for it.
 */
import { hostPortsOf } from "../../shared/model/port.ts";
import { type Constraint, formatConstraint, matches } from "../../shared/model/constraint.ts";
import { type Dimension, DIMENSIONS, fits, type Resources } from "../../shared/model/resources.ts";
import { type JobImage, platformOf } from "../../shared/model/image.ts";
import { type JobSpec, PUBLISHES_NOTHING } from "../../shared/model/job.ts";
import { type Drain, taskMaxOf } from "../../shared/model/node.ts";
import type { NodeView } from "./node.ts";

/** What a job needs of a node, worked out once for each plan. */
export interface Need {
  readonly engine: string;
  /** `os/arch` of which a node must run one; undefined: any will do, as far as is known. */
  readonly platforms: readonly string[] | undefined;
  /** That its container must have; undefined where the node chooses, and where there is no container. */
  readonly network: string | undefined;
  readonly publisher: string | undefined;
  readonly inputs: readonly string[];
  readonly constraints: readonly Constraint[];
  readonly resources: Resources;
  /** Ports of the node that the task names. */
  readonly hostPorts: readonly number[];
}

/** One rule. */
export interface Filter {
  readonly name: string;
  /** A lasting rejection means that the node could never run the task as both are now. */
  readonly isLasting: boolean;
  /** What would change the answer, for `job explain`; a general sentence stands in for it. */
  readonly remedy?: string;
  /** The reason, in words for users; undefined when the node passes. */
  readonly rejects: (need: Need, view: NodeView) => string | undefined;
}

/** `favour_…` constraints are wishes: they rank, they never reject. */
export const isWish = (constraint: Constraint): boolean => constraint.key.startsWith("favour_");

/** In order: what lasts first, so that the reason shown is the one to act on. */
export const FILTERS: readonly Filter[] = [
  {
    name: "membership",
    isLasting: false,
    remedy: "Approve the node",
    rejects: (_, { node }) =>
      node.membership === "approved" ? undefined : `is not approved (${node.membership})`,
  },
  {
    name: "engine",
    isLasting: true,
    remedy: "Set the engine up on the node, or use another in the job",
    rejects: ({ engine }, { node }) => lacks(engine, node.facts.engines, node.facts.absent),
  },
  {
    name: "platform",
    isLasting: true,
    remedy: "Use an image for the node's platform, or add a node of the image's",
    rejects({ platforms }, { node }) {
      const own = node.facts.platforms;
      if (platforms === undefined || own === undefined) return undefined;
      if (platforms.some((platform) => own.includes(platform))) return undefined;
      return `runs containers of ${own.join(", ")}, the job's image is for ${platforms.join(", ")}`;
    },
  },
  {
    name: "network",
    isLasting: true,
    remedy: "Ask for another network in the job, or let the node's owner give this one (docker_networks)",
    rejects: ({ network }, { node: { facts } }) =>
      network === undefined || facts.networks === undefined
        ? undefined
        : lacks(network, facts.networks.map(networkFact), facts.absent),
  },
  {
    name: "publisher",
    isLasting: true,
    remedy: "Use another publisher in the job, or set this one up on the node",
    rejects: ({ publisher }, { node }) =>
      publisher === undefined ? undefined : lacks(publisher, node.facts.publishers, node.facts.absent),
  },
  {
    name: "inputs",
    isLasting: true,
    remedy: "Use another kind of input in the job, or set this one up on the node",
    rejects({ inputs }, { node }) {
      for (const input of inputs) {
        const reason = lacks(input, node.facts.inputs, node.facts.absent);
        if (reason !== undefined) return reason;
      }
    },
  },
  {
    name: "constraints",
    isLasting: true,
    remedy: "Change the constraints of the job, or the labels of the node",
    rejects({ constraints }, { node }) {
      const failed = constraints.find((constraint) =>
        !isWish(constraint) && !matches(constraint, node.facts.labels)
      );
      if (failed === undefined) return undefined;
      const has = node.facts.labels[failed.key];
      const found = has === undefined ? "no such label" : `${failed.key}=${has}`;
      return `labels don't match required selectors ${formatConstraint(failed)} (${found})`;
    },
  },
  {
    name: "size",
    isLasting: true,
    remedy: "Ask for less, or give the node more (--cpu, --memory, --disk, --gpu; --max-task-… for one task)",
    rejects({ resources }, { node }) {
      const most = taskMaxOf(node.facts);
      if (fits(resources, most)) return undefined;
      return DIMENSIONS.filter((dimension) => resources[dimension] > most[dimension])
        .map((dimension) => {
          const isBound = most[dimension] < node.facts.capacity[dimension];
          return `job requires more ${FIELDS[dimension]} (${amount(dimension, resources)}) than ${
            isBound ? "one task may have there" : "the maximum available"
          } (${amount(dimension, most)})${dimension === "gpuCount" ? because(node.facts.absent.GPU) : ""}`;
        }).join(", ");
    },
  },
  {
    name: "drain",
    isLasting: false,
    remedy: "The node takes work again after `skerry node drain NODE --cancel`",
    rejects: (_, { node }) => node.drain && takesNothingNew(node.drain),
  },
  {
    name: "connection",
    isLasting: false,
    remedy: "The node comes back: see whether it runs and reaches its server",
    rejects: (_, { node }) => node.connection === "connected" ? undefined : "is not connected",
  },
  {
    name: "engine_away",
    isLasting: false,
    remedy: "The engine is used again as soon as it answers: see on the node whether it runs",
    rejects: ({ engine }, { node: { facts } }) =>
      facts.absent[engine] && `cannot use its engine ${engine} at the moment: ${facts.absent[engine]}`,
  },
  {
    name: "ports",
    isLasting: false,
    remedy: "Leave Static out, so that each node chooses a port, or add a node where the port is free",
    rejects({ hostPorts }, view) {
      const taken = hostPorts.filter((port) => view.hostPorts?.includes(port));
      return taken.length === 0 ? undefined : `has its port ${taken.join(", ")} in use by another execution`;
    },
  },
  {
    name: "admission",
    isLasting: false,
    remedy: "It takes work again by itself as soon as the reason is gone",
    rejects: (_, { node }) => node.load?.refuses,
  },
];

/** `is being drained (kernel update)` */
export function takesNothingNew({ kind, reason }: Drain): string {
  return `${kind === "drain" ? "is being drained" : "takes nothing new"}${reason ? ` (${reason})` : ""}`;
}

/** Fields of a job spec's `Resources`. */
export const FIELDS: Record<Dimension, string> = {
  cpuMillis: "CPU",
  memoryBytes: "Memory",
  diskBytes: "Disk",
  gpuCount: "GPU",
};

/** What is counted in each dimension, after its amount. */
export const NOUNS: Record<Dimension, (count: number) => string> = {
  cpuMillis: (count) => count === 1000 ? "core" : "cores",
  memoryBytes: () => "memory",
  diskBytes: () => "disk",
  gpuCount: (count) => count === 1 ? "GPU" : "GPUs",
};

/** One amount for people: cores, or bytes in binary units. */
export function amount(dimension: Dimension, resources: Resources): string {
  const value = resources[dimension];
  if (dimension === "cpuMillis") return `${value / 1000}`;
  if (dimension === "gpuCount") return `${value}`;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let [size, unit] = [value, 0];
  while (size >= 1024 && unit < units.length - 1) [size, unit] = [size / 1024, unit + 1];
  return `${Number(size.toFixed(1))} ${units[unit]}`;
}

const because = (why: string | undefined): string => why === undefined ? "" : `: ${why}`;

function lacks(
  name: string,
  offered: readonly string[],
  absent: Readonly<Record<string, string>>,
): string | undefined {
  if (offered.includes(name)) return undefined;
  const why = absent[name];
  return `does not support ${name}${because(why)}`;
}

/** The platform that the task names, else those of its image. */
function platformsOf({ task: { engine } }: JobSpec, image: JobImage | undefined): Need["platforms"] {
  if (engine.type !== "docker") return undefined;
  const asked = Object.entries(engine.params).find(([key]) => key.toLowerCase() === "platform")?.[1];
  if (typeof asked === "string" && /^\w+\/\w+/.test(asked)) return [platformOf(asked)];
  return image?.platforms;
}

/** A network's name among the reasons for absence. */
const networkFact = (name: string): string => `network ${name}`;

function networkOf(type: JobSpec["task"]["network"]["type"]): string | undefined {
  return type === "default" ? undefined : networkFact(type === "full" ? "host" : type);
}

/** What a spec asks of a node; `image` is what is known of its image by now. */
export function needOf(spec: JobSpec, image?: JobImage): Need {
  const publisher = spec.task.publisher?.type ?? "";
  return {
    engine: spec.task.engine.type,
    platforms: platformsOf(spec, image),
    network: spec.task.engine.type === "docker" ? networkOf(spec.task.network.type) : undefined,
    publisher: PUBLISHES_NOTHING.has(publisher) ? undefined : publisher,
    inputs: [...new Set(spec.task.inputs.map(({ source }) => source.type))],
    constraints: spec.constraints,
    resources: spec.task.resources,
    hostPorts: hostPortsOf(spec.task.network.ports),
  };
}

/** The first filter that rejects the node, with its reason. */
export function rejection(need: Need, view: NodeView): { filter: Filter; reason: string } | undefined {
  for (const filter of FILTERS) {
    const reason = filter.rejects(need, view);
    if (reason !== undefined) return { filter, reason };
  }
}
