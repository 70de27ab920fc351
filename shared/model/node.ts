/** The machine that runs executions, as it describes itself and as its hub sees it. */
import { z } from "zod";
import { Gpu } from "./gpu.ts";
import { NodeId } from "./ids.ts";
import { Resources } from "./resources.ts";

/** What an agent says of its machine. */
export const NodeFacts = z.object({
  id: NodeId,
  labels: z.record(z.string(), z.string()),
  engines: z.array(z.string()),
  inputs: z.array(z.string()),
  publishers: z.array(z.string()),
  /** Networks that containers may have here. Absent: not known, or there are no containers. */
  networks: z.array(z.string()).optional(),
  /** What executions may use altogether. */
  capacity: Resources,
  /** The most that one task gets, where that is less than all of it. */
  taskMax: Resources.partial().optional(),
  /** What may wait in the agent's queue beyond that. */
  queueCapacity: Resources,
  version: z.string(),
  os: z.string(),
  arch: z.string(),
  /** Devices that its containers may have; absent: none. */
  gpus: z.array(Gpu).optional(),
  /** `os/arch` of the containers that it runs; absent: not known, or it runs none. */
  platforms: z.array(z.string()).optional(),
  /**
   * Why an adapter is not offered: adapter → reason. Networks are called `network NAME`. One that is offered as well does not
   * answer at the moment.
   */
  absent: z.record(z.string(), z.string()),
});
export type NodeFacts = Readonly<z.infer<typeof NodeFacts>>;

/** How full the node is, by its own account. */
export const NodeLoad = z.object({
  allocated: Resources,
  queued: Resources,
  runningCount: z.number().int(),
  queuedCount: z.number().int(),
  /** Of `allocated` and `queued`: what the node holds for other homes than the one it tells. Absent: nothing. */
  heldForOthers: Resources.optional(),
  /** Set when the node takes no new work at the moment: disk full, draining. */
  refuses: z.string().optional(),
});
export type NodeLoad = Readonly<z.infer<typeof NodeLoad>>;

/** The most that one task may ask for on a node, in every dimension. */
export function taskMaxOf({ capacity, taskMax = {} }: Pick<NodeFacts, "capacity" | "taskMax">): Resources {
  return {
    cpuMillis: Math.min(capacity.cpuMillis, taskMax.cpuMillis ?? Infinity),
    memoryBytes: Math.min(capacity.memoryBytes, taskMax.memoryBytes ?? Infinity),
    diskBytes: Math.min(capacity.diskBytes, taskMax.diskBytes ?? Infinity),
    gpuCount: Math.min(capacity.gpuCount, taskMax.gpuCount ?? Infinity),
  };
}

/** Why a node gets nothing new, and how long what is there may go on. */
export const Drain = z.object({
  /** `cordon`: what is there stays. `drain`: it leaves, or ends, until the deadline. */
  kind: z.enum(["cordon", "drain"]),
  /** Unix time. */
  sinceAtMs: z.number(),
  /** Unix time, for showing: the deadline itself is by the time that the hub ran. Absent: there is none. */
  deadlineAtMs: z.number().optional(),
  reason: z.string().optional(),
  /** The deadline has passed. */
  isOver: z.boolean().optional(),
  /** Unix time at which nothing was left there. Absent: something is, as far as is known. */
  emptyAtMs: z.number().optional(),
});
export type Drain = Readonly<z.infer<typeof Drain>>;

/** A node as its hub knows it. */
export const Node = z.object({
  facts: NodeFacts,
  load: NodeLoad.optional(),
  membership: z.enum(["pending", "approved", "rejected"]),
  connection: z.enum(["connected", "disconnected"]),
  connectedAtMs: z.number(),
  disconnectedAtMs: z.number().optional(),
  /** Silent for so long that what it held was given up; until it is back. */
  isGivenUp: z.boolean().optional(),
  /** It gets nothing new. */
  drain: Drain.optional(),
  /** Unix time of the last sign of life; its age is shown with everything about the node. */
  seenAtMs: z.number(),
});
export type Node = Readonly<z.infer<typeof Node>>;
