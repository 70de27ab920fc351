/**
 * Compares what a job should be with what its executions are, and says what is missing, what is too much, and whether
 * the job is over. Pure; a plan applied and reconciled again is empty.
 */
import { unreachable } from "../../shared/invariant.ts";
import { isLive } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { JOB_TERMINAL, type RetryPolicy } from "../../shared/model/job.ts";
import { retryInMs } from "./backoff.ts";
import { keepUp } from "./keep_up.ts";
import type { Slot } from "./place.ts";
import {
  byPartition,
  exclusionsOf,
  firstSlot,
  type JobOutcome,
  nextSlot,
  type OpenExecution,
  type Plan,
  type ReconcileInput,
  STOP_MESSAGES,
  stopAll,
} from "./plan.ts";
import { blame, finalAttempt, wasTaken } from "./retry.ts";

/** One branch for each type of job. */
export function reconcile(input: ReconcileInput): Plan {
  switch (input.type) {
    case "batch":
      return reconcileBatch(input);
    case "ops":
      return reconcileOps(input);
    case "service":
    case "daemon":
      return keepUp(input);
    default:
      return unreachable(input.type);
  }
}

function reconcileBatch(input: ReconcileInput): Plan {
  if (JOB_TERMINAL.has(input.phase)) return stopAll(input.open, STOP_MESSAGES[input.phase]!);
  const surplus = input.open.filter((one) => one.isSuperseded);
  const stops = stopAll(surplus, STOP_MESSAGES.completed!).stops;
  if (input.completedCount >= input.count) {
    return { ...stopAll(input.open, STOP_MESSAGES.completed!), outcome: { phase: "completed" } };
  }
  const slots: Slot[] = [];
  let againInMs: number | undefined;
  for (const [, attempts] of byPartition(input.open)) {
    const last = attempts.at(-1)!;
    if (last.isSuperseded || attempts.some(({ phase }) => isLive(phase))) continue;
    const final = finalAttempt(attempts, input.retry);
    if (final !== undefined) {
      return { ...stopAll(input.open, STOP_MESSAGES.failed!), outcome: failure(final, attempts) };
    }
    const inMs = retryInMs(attempts, input.retry, input.nowMs);
    if (inMs > 0) againInMs = Math.min(againInMs ?? Infinity, inMs);
    else slots.push(retrySlot(attempts, input.retry));
  }
  for (let partition = input.nextPartition; partition < input.count; partition++) {
    slots.push(firstSlot({ partition }));
  }
  return { slots, stops, ...(againInMs !== undefined && { againInMs }) };
}

/** The next attempt of a partition, all of whose attempts have ended. */
function retrySlot(attempts: readonly OpenExecution[], { node = "any" }: RetryPolicy): Slot {
  const last = attempts.at(-1)!;
  const refusals = attempts.filter((one) => one.phase === "refused" && blame(one) !== "busy");
  const ran = attempts.filter((one) => one.phase !== "refused");
  const failed = ran.filter((one) => one.phase === "failed");
  return {
    partition: last.partition,
    attempt: last.attempt + 1,
    previousId: last.id,
    excluded: exclusionsOf(node === "other" ? [...refusals, ...failed] : refusals),
    avoided: node === "same" ? [] : nodesOf(ran),
    ...(node === "same" && last.phase === "failed" && { preferred: last.nodeId }),
  };
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
  let againInMs: number | undefined;
  for (const [partition, attempts] of byPartition(input.open)) {
    const last = attempts.at(-1)!;
    if (last.isSuperseded) continue;
    const final = finalAttempt(attempts, input.retry) ?? leftAlone(last, input.nodes);
    if (attempts.some(({ phase }) => isLive(phase))) isAtWork = true;
    else if (final !== undefined) failed.push(failure(final, attempts));
    else {
      const inMs = retryInMs(attempts, input.retry, input.nowMs);
      if (inMs > 0) againInMs = Math.min(againInMs ?? Infinity, inMs);
      else slots.push(nextSlot(last, { partition, nodeId: last.nodeId }));
    }
  }
  if (isAtWork || slots.length > 0 || againInMs !== undefined) {
    return { slots, stops: [], ...(againInMs !== undefined && { againInMs }) };
  }
  if (failed.length > 0) return { ...stopAll(input.open, STOP_MESSAGES.failed!), outcome: failed[0] };
  const isDone = input.completedCount >= input.nextPartition;
  return { slots, stops: [], ...(isDone && { outcome: { phase: "completed" } }) };
}

/** A node that is given up, or is not for the job any more, is not waited for; one that refused it for good is not asked again. */
function leftAlone(last: OpenExecution, nodes: readonly NodeId[]): OpenExecution | undefined {
  if (last.phase === "refused" && blame(last) !== "busy") return last;
  if (nodes.includes(last.nodeId)) return undefined;
  const message = `its node has gone${last.message === undefined ? "" : `, after: ${last.message}`}`;
  return { ...last, code: "node_lost", message, moving: undefined };
}

function failure(final: OpenExecution, attempts: readonly OpenExecution[]): JobOutcome {
  const attemptCount = attempts.filter((one) => blame(one) !== "busy").length;
  const times = attemptCount > 1 ? ` after ${attemptCount} attempts` : "";
  return {
    phase: "failed",
    // It was stopped, but not for its job's sake.
    code: wasTaken(final) ? "interrupted" : final.code ?? "internal",
    message: `Job failed because one or more executions failed: partition ${final.partition}${times}: ${
      final.message ?? "no reason was given"
    }`,
    hint: !wasTaken(final)
      ? final.hint
      : "Its retry policy forbids to run anything twice (lost attempts: 0): submit it again, or allow another attempt",
  };
}

const nodesOf = (executions: readonly OpenExecution[]): readonly NodeId[] => [
  ...new Set(executions.map(({ nodeId }) => nodeId)),
];
