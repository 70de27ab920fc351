/**
 * Compares what a job should be with what its executions are, and says what is missing, what is too much, and whether
 * the job is over. Pure; a plan applied and reconciled again is empty.
 */
import { unreachable } from "../../shared/invariant.ts";
import { type ExecutionPhase, isLive } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { JOB_TERMINAL, type JobPhase, type JobType, type RetryPolicy } from "../../shared/model/job.ts";
import { mayRun } from "./execution.ts";
import type { Exclusion, Slot } from "./place.ts";
import { restartInMs } from "./restart.ts";
import { blame, finalAttempt } from "./retry.ts";

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
  /** Another execution of the partition has the accepted result. */
  readonly isSuperseded: boolean;
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
}

/** One branch for each type of job. */
export function reconcile(input: ReconcileInput): Plan {
  switch (input.type) {
    case "batch":
      return reconcileBatch(input);
    case "ops":
      return reconcileOps(input);
    case "service":
      return keepUp(input, Array.from({ length: input.count }, (_, partition) => ({ partition })));
    case "daemon":
      return keepUp(input, perNode(input));
    default:
      return unreachable(input.type);
  }
}

const STOP_MESSAGES: Record<string, string> = {
  stopped: "Execution stop requested because job has been stopped",
  failed: "Execution stopped due to job failure",
  completed: "Execution stop requested because there are more executions than needed",
};

function reconcileBatch(input: ReconcileInput): Plan {
  if (JOB_TERMINAL.has(input.phase)) return stopAll(input.open, STOP_MESSAGES[input.phase]!);
  const surplus = input.open.filter((one) => one.isSuperseded);
  const stops = stopAll(surplus, STOP_MESSAGES.completed!).stops;
  if (input.completedCount >= input.count) {
    return { ...stopAll(input.open, STOP_MESSAGES.completed!), outcome: { phase: "completed" } };
  }
  const slots: Slot[] = [];
  for (const [partition, attempts] of byPartition(input.open)) {
    const last = attempts.at(-1)!;
    if (last.isSuperseded || attempts.some(({ phase }) => isLive(phase))) continue;
    const final = finalAttempt(attempts, input.retry);
    if (final !== undefined) {
      return { ...stopAll(input.open, STOP_MESSAGES.failed!), outcome: failure(final, attempts) };
    }
    slots.push({
      partition,
      attempt: last.attempt + 1,
      previousId: last.id,
      excluded: exclusionsOf(attempts.filter((one) => one.phase === "refused" && blame(one) !== "busy")),
      avoided: nodesOf(attempts.filter((one) => one.phase !== "refused")),
    });
  }
  for (let partition = input.nextPartition; partition < input.count; partition++) {
    slots.push({ partition, attempt: 0, excluded: [], avoided: [] });
  }
  return { slots, stops };
}

/** Once on every node that matches until the job is over; over when each has ended, and good when none has failed. */
function reconcileOps(input: ReconcileInput): Plan {
  if (JOB_TERMINAL.has(input.phase)) return stopAll(input.open, STOP_MESSAGES[input.phase]!);
  const slots = input.nodes.filter((id) => !input.beenOn.has(id))
    .map((nodeId, at) => firstSlot({ partition: input.nextPartition + at, nodeId }));
  // Without a node a slot that finds no place tells why, and the job fails or waits as others do.
  if (slots.length === 0 && input.nextPartition === 0) {
    return { slots: [firstSlot({ partition: 0 })], stops: [] };
  }
  const failed: JobOutcome[] = [];
  let isAtWork = false;
  for (const [partition, attempts] of byPartition(input.open)) {
    const last = attempts.at(-1)!;
    if (last.isSuperseded) continue;
    // A node that is given up, or is not for the job any more, is not waited for.
    const final = finalAttempt(attempts, input.retry) ??
      (input.nodes.includes(last.nodeId) ? undefined : last);
    if (attempts.some(({ phase }) => isLive(phase))) isAtWork = true;
    else if (final !== undefined) failed.push(failure(final, attempts));
    else slots.push(nextSlot(last, { partition, nodeId: last.nodeId }));
  }
  if (isAtWork || slots.length > 0) return { slots, stops: [] };
  if (failed.length > 0) return { slots, stops: [], outcome: failed[0] };
  const isDone = input.completedCount >= input.nextPartition;
  return { slots, stops: [], ...(isDone && { outcome: { phase: "completed" } }) };
}

/** Where something of a job should run. */
interface Place {
  readonly partition: number;
  readonly nodeId?: NodeId;
}

/** The nodes, each with the partition that it has or gets. */
function perNode({ nodes, open, nextPartition }: ReconcileInput): readonly Place[] {
  const partitions = new Map(open.map(({ nodeId, partition }) => [nodeId, partition]));
  let next = nextPartition;
  return nodes.map((nodeId) => ({ nodeId, partition: partitions.get(nodeId) ?? next++ }));
}

/** One live execution in every place, and none elsewhere. */
function keepUp(input: ReconcileInput, places: readonly Place[]): Plan {
  if (JOB_TERMINAL.has(input.phase)) return stopAll(input.open, STOP_MESSAGES[input.phase]!);
  const attempts = byPartition(input.open);
  const slots: Slot[] = [];
  const surplus: OpenExecution[] = [];
  let againInMs: number | undefined;
  for (const place of places) {
    const own = attempts.get(place.partition) ?? [];
    attempts.delete(place.partition);
    const live = own.filter(({ phase }) => isLive(phase));
    const last = own.at(-1);
    if (live.length > 0) {
      // One that was given up has come back: the one that runs stays.
      const kept = live.find(({ phase }) => phase === "running") ?? live[0]!;
      surplus.push(...own.filter((one) => one !== kept));
      continue;
    }
    const inMs = last === undefined ? 0 : restartInMs(last, input.nowMs);
    if (inMs > 0) againInMs = Math.min(againInMs ?? Infinity, inMs);
    else slots.push(last === undefined ? firstSlot(place) : nextSlot(last, place));
  }
  const { stops } = stopAll([...surplus, ...[...attempts.values()].flat()], STOP_MESSAGES.completed!);
  return { slots, stops, ...(againInMs !== undefined && { againInMs }) };
}

const firstSlot = (place: Place): Slot => ({ ...place, attempt: 0, excluded: [], avoided: [] });

/** A successor on the same node, or else on any but those that did not do. */
function nextSlot(last: OpenExecution, place: Place): Slot {
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

function stopAll(executions: readonly OpenExecution[], message: string): Plan {
  const running = executions.filter(({ phase, desired }) => mayRun(phase) && desired === "run");
  return { slots: [], stops: running.map(({ id }) => ({ id, message })) };
}

function byPartition(executions: readonly OpenExecution[]): Map<number, OpenExecution[]> {
  const partitions = new Map<number, OpenExecution[]>();
  const sorted = [...executions].sort((a, b) => a.partition - b.partition || a.attempt - b.attempt);
  for (const execution of sorted) {
    const attempts = partitions.get(execution.partition);
    if (attempts === undefined) partitions.set(execution.partition, [execution]);
    else attempts.push(execution);
  }
  return partitions;
}

function failure(final: OpenExecution, attempts: readonly OpenExecution[]): JobOutcome {
  const attemptCount = attempts.filter((one) => blame(one) !== "busy").length;
  const times = attemptCount > 1 ? ` after ${attemptCount} attempts` : "";
  return {
    phase: "failed",
    code: final.code ?? "internal",
    message: `Job failed because one or more executions failed: partition ${final.partition}${times}: ${
      final.message ?? "no reason was given"
    }`,
    hint: final.hint,
  };
}

/** The latest refusal of each node. */
function exclusionsOf(refusals: readonly OpenExecution[]): readonly Exclusion[] {
  const byNode = new Map(refusals.map(({ nodeId, message, hint }) => [
    nodeId,
    { nodeId, reason: message ?? "job rejected", ...(hint !== undefined && { hint }) },
  ]));
  return [...byNode.values()];
}

const nodesOf = (executions: readonly OpenExecution[]): readonly NodeId[] => [
  ...new Set(executions.map(({ nodeId }) => nodeId)),
];
