/** What reconcile looks at and answers, and what its branches share. */
import { type ExecutionPhase, type HealthStatus, type Moving } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import type { JobPhase, JobType, RetryPolicy, UpdatePolicy } from "../../shared/model/job.ts";
import { mayRun } from "./execution.ts";
import type { Exclusion, Slot } from "./place.ts";
import { blame } from "./retry.ts";

/** An execution without an accepted result. */
export interface OpenExecution {
  readonly id: ExecutionId;
  readonly nodeId: NodeId;
  readonly partition: number;
  readonly attempt: number;
  readonly phase: ExecutionPhase;
  readonly desired: "run" | "stop";
  /** Unix ms; `modifiedAtMs` of an ended one is its end. 0 while it is live. */
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  /** How its program ended. */
  readonly exitCode?: number;
  /** Its home took it from its node. */
  readonly moving?: Moving;
  /** Another execution of the partition has the accepted result. */
  readonly isSuperseded: boolean;
  /**
   * Of one that is live, in jobs without an end: what its agent says of its health, and how often it has started it again since
   * it was last up, or became one of its version.
   */
  readonly health?: HealthStatus;
  readonly restarts?: number;
  /** Of jobs without an end: ends in a row in its place before it, none after a stable run. */
  readonly streak?: number;
}

/** A job and its executions, as reconcile sees them. */
export interface ReconcileInput {
  readonly type: JobType;
  readonly phase: JobPhase;
  readonly count: number;
  readonly retry: RetryPolicy;
  /** Every partition below this one has had an execution. */
  readonly nextPartition: number;
  /** Partitions with an accepted result. */
  readonly completedCount: number;
  /**
   * Executions of the version that are not `completed`, in any order: all of them, or for types without an end those that may
   * run and the latest of each partition.
   */
  readonly open: readonly OpenExecution[];
  /** Nodes that the job is for, sorted by id: of types that have one execution for each node. */
  readonly nodes: readonly NodeId[];
  /** Nodes that have had an execution of the version: of `ops`. */
  readonly beenOn: ReadonlySet<NodeId>;
  /** Of jobs without an end: executions of earlier versions that may run. */
  readonly older: readonly OpenExecution[];
  /** Of those: places that executions of earlier versions have left because they were asked to. */
  readonly vacated: readonly { readonly partition: number; readonly nodeId: NodeId }[];
  /** Of those: nodes that are not connected. */
  readonly away: ReadonlySet<NodeId>;
  /** Of those: nodes that take nothing new. */
  readonly closed: ReadonlySet<NodeId>;
  readonly update: UpdatePolicy;
  /** The version is on its way: not yet was all of it up at once. */
  readonly isRolling: boolean;
  /** The version will not do, and no other has come in its place: it goes no further. */
  readonly isHalted: boolean;
  /** Unix ms. */
  readonly nowMs: number;
}

/** How a job ends. */
export interface JobOutcome {
  readonly phase: "completed" | "failed";
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

/** What to do about the difference; all empty when there is none. */
export interface Plan {
  /** Executions to make, by partition. */
  readonly slots: readonly Slot[];
  readonly stops: readonly { readonly id: ExecutionId; readonly message: string }[];
  readonly outcome?: JobOutcome;
  /** When to look again: a pause before a restart ends. */
  readonly againInMs?: number;
  /** How far a version has come that is on its way. */
  readonly rollout?: RolloutProgress;
}

/** How far a version has come. */
export interface RolloutProgress {
  /** Places where it runs and does its work. */
  readonly upCount: number;
  readonly isGood: boolean;
  /** Why it will not do. */
  readonly failure?: string;
}

/** Why executions are stopped, by what has become of their job. */
export const STOP_MESSAGES: Record<string, string> = {
  stopped: "Execution stop requested because job has been stopped",
  failed: "Execution stopped due to job failure",
  completed: "Execution stop requested because there are more executions than needed",
};

/** Where something of a job should run. */
export interface Place {
  readonly partition: number;
  readonly nodeId?: NodeId;
}

/** The first execution of a place. */
export const firstSlot = (place: Place): Slot => ({ ...place, attempt: 0, excluded: [], avoided: [] });

/** A successor on the same node, or else on any but those that did not do. */
export function nextSlot(last: OpenExecution, place: Place): Slot {
  const hasRefused = last.phase === "refused";
  const isFree = place.nodeId === undefined;
  return {
    ...place,
    attempt: last.attempt + 1,
    previousId: last.id,
    excluded: isFree && hasRefused && blame(last) !== "busy" ? exclusionsOf([last]) : [],
    avoided: isFree && !hasRefused ? [last.nodeId] : [],
  };
}

/** Stops what may run, each once. */
export function stopAll(executions: readonly OpenExecution[], message: string): Plan {
  const running = executions.filter(({ phase, desired }) => mayRun(phase) && desired === "run");
  return { slots: [], stops: running.map(({ id }) => ({ id, message })) };
}

/** Attempts of each partition, the first first. */
export function byPartition(executions: readonly OpenExecution[]): Map<number, OpenExecution[]> {
  const partitions = new Map<number, OpenExecution[]>();
  const sorted = [...executions].sort((a, b) => a.partition - b.partition || a.attempt - b.attempt);
  for (const execution of sorted) {
    const attempts = partitions.get(execution.partition);
    if (attempts === undefined) partitions.set(execution.partition, [execution]);
    else attempts.push(execution);
  }
  return partitions;
}

/** The latest refusal of each node. */
export function exclusionsOf(refusals: readonly OpenExecution[]): readonly Exclusion[] {
  const byNode = new Map(refusals.map(({ nodeId, message, hint }) => [
    nodeId,
    { nodeId, reason: message ?? "job rejected", ...(hint !== undefined && { hint }) },
  ]));
  return [...byNode.values()];
}
