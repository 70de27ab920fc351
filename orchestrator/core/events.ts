/** The texts of lifecycle events, in the words that Bacalhau's clients and their tests know. */
import type { HistoryEvent } from "../../shared/model/history.ts";
import { shortId } from "../../shared/model/ids.ts";
import type { Execution, Explanation } from "../../shared/model/execution.ts";
import type { JobPhase } from "../../shared/model/job.ts";

/** The job was accepted. */
export const jobSubmitted = (): HistoryEvent => ({ topic: "Submission", message: "Job submitted" });

/** The job was submitted again, with changes. */
export const jobUpdated = (): HistoryEvent => ({ topic: "Submission", message: "Job updated" });

/** A user wants the job run again. */
export const jobRerun = (reason: string): HistoryEvent => ({
  topic: "Submission",
  message: "Job rerun requested",
  ...(reason !== "" && { details: { Reason: reason } }),
});

/** A user wants the job stopped. */
export const jobStopRequested = (reason: string): HistoryEvent => ({
  topic: "Scheduling",
  message: "Job requested to stop before completion",
  details: { Reason: reason },
});

/** The job waits, and why. */
export const jobQueued = (why: string): HistoryEvent => ({
  topic: "Queueing",
  message: `Job queued. ${why}`,
});

/** `Failed. <why>` */
export function jobState(
  phase: JobPhase,
  options: { message?: string; hint?: string; code?: string } = {},
): HistoryEvent {
  const name = phase[0]!.toUpperCase() + phase.slice(1);
  return {
    topic: "State Update",
    message: options.message ? `${name}. ${options.message}` : name,
    details: {
      NewState: name,
      ...(options.code && { ErrorCode: options.code, IsError: "true" }),
      ...(options.hint && { Hint: options.hint }),
    },
  };
}

/** All of a version without an end is up. */
export const versionUp = (version: number, upCount: number): HistoryEvent => ({
  topic: "Update",
  message: `Version ${version} is up: ${upCount} of ${upCount}`,
});

/** A version will not do, and nothing takes its place. */
export const versionFailed = (message: string): HistoryEvent => ({ topic: "Update", message });

/** A version will not do: an earlier one comes back. */
export const versionRolledBack = (message: string, goodVersion: number): HistoryEvent => ({
  topic: "Update",
  message: `Rolled back to version ${goodVersion}, because ${message}`,
});

/** The job took longer than its total time-out. */
export const jobTimedOut = (limitMs: number): HistoryEvent => ({
  topic: "Job Timeout",
  message: `Job timed out. Job took longer than ${formatSeconds(limitMs)}`,
  details: { Hint: TIMEOUT_HINT, IsError: "true", FailsExecution: "true" },
});

/** An execution was placed on a node, and why there. */
export const executionRequested = (nodeId: string, explanation: Explanation): HistoryEvent => ({
  topic: "Scheduling",
  message: `Requested execution on ${shortId(nodeId)}`,
  details: { NodeID: nodeId, Why: explain(explanation) },
});

/** How an execution ended, once its home has taken note. */
export function executionEnded({ phase, message, hint, code }: Execution): HistoryEvent {
  if (phase === "completed") {
    return {
      topic: "Execution",
      message: "Completed successfully",
      ...(hint && { details: { Hint: hint } }),
    };
  }
  const name = phase[0]!.toUpperCase() + phase.slice(1);
  return {
    topic: "Execution",
    message: message === undefined ? name : `${name}. ${message}`,
    details: { ...(code && { ErrorCode: code, IsError: "true" }), ...(hint && { Hint: hint }) },
  };
}

/** An execution should stop, and why. */
export const executionStopped = (message: string): HistoryEvent => ({ topic: "Scheduling", message });

/** What to do about the time-out of a whole job, waiting included. */
export const TIMEOUT_HINT =
  "Give the whole job longer (TotalTimeout, or --timeout), or split it into more partitions";

/** `best of 3 nodes that fit, of 5 known (room now 1.00, packing 0.42)` */
export function explain({ nodesKnown, nodesFit, scores }: Explanation): string {
  const parts = Object.entries(scores).map(([ranker, score]) =>
    `${ranker.replaceAll("_", " ")} ${score.toFixed(2)}`
  );
  const fit = nodesFit === 1 ? "the only node that fits" : `best of ${nodesFit} nodes that fit`;
  return `${fit}, of ${nodesKnown} known (${parts.join(", ")})`;
}

/** `90s`, `1.5s`: durations as Go prints seconds. */
export function formatSeconds(ms: number): string {
  return `${ms / 1000}s`;
}
