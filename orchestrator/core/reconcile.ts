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
import { blame, finalAttempt } from "./retry.ts";

/** An execution without an accepted result. */
export interface OpenExecution {
  readonly id: ExecutionId;
  readonly nodeId: NodeId;
  readonly partition: number;
  readonly attempt: number;
  readonly phase: ExecutionPhase;
  readonly desired: "run" | "stop";
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
  /** All executions of the version that are not `completed`, in any order. */
  readonly open: readonly OpenExecution[];
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
}

/** One branch for each type of job. */
export function reconcile(input: ReconcileInput): Plan {
  switch (input.type) {
    case "batch":
      return reconcileBatch(input);
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
      const attemptCount = attempts.filter((one) => blame(one) !== "busy").length;
      return { ...stopAll(input.open, STOP_MESSAGES.failed!), outcome: failure(final, attemptCount) };
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

function failure(final: OpenExecution, attemptCount: number): JobOutcome {
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
