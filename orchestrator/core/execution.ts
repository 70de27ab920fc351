/**
 * An execution at its home, as events change it: an order is written, reports arrive (late, doubled, in any order), its
 * node is given up. Total: an event that no longer matters returns the same record.
 */
import {
  type Execution,
  EXECUTION_TERMINAL,
  type ExecutionPhase,
  isLive,
  type Moving,
} from "../../shared/model/execution.ts";
import type { Report } from "../../shared/model/report.ts";
import { isPassing } from "./retry.ts";

/** What can happen to an execution at its home. */
export type ExecutionEvent =
  | {
    readonly kind: "reported";
    readonly report: Report;
    readonly isPartitionTaken: boolean;
    /** How long ago it was written; 0 unless given. */
    readonly ageMs?: number;
  }
  | { readonly kind: "stop_wanted"; readonly message: string; readonly moving?: Moving }
  | { readonly kind: "lost"; readonly message: string; readonly hint: string };

/** The record after the event; the same object when nothing changes. */
export function step(execution: Execution, event: ExecutionEvent, nowMs: number): Execution {
  switch (event.kind) {
    case "reported":
      return onReport(execution, event, nowMs);
    case "stop_wanted":
      if (execution.desired === "stop" || !mayRun(execution.phase)) return execution;
      return changed(execution, {
        desired: "stop",
        desiredMessage: event.message,
        ...(event.moving !== undefined && { moving: event.moving }),
      }, nowMs);
    case "lost":
      if (!isLive(execution.phase)) return execution;
      return changed(execution, {
        phase: "lost",
        code: "node_lost",
        message: event.message,
        hint: event.hint,
      }, nowMs);
  }
}

/** What is lost may be running all the same. */
export const mayRun = (phase: ExecutionPhase): boolean => isLive(phase) || phase === "lost";

/** The highest revision wins. Only `lost` may still be corrected once an execution has ended. */
function onReport(
  execution: Execution,
  { report, isPartitionTaken, ageMs = 0 }: Extract<ExecutionEvent, { kind: "reported" }>,
  nowMs: number,
): Execution {
  if (report.revision <= execution.reportRevision) return execution;
  if (EXECUTION_TERMINAL.has(execution.phase) && execution.phase !== "lost") {
    return execution;
  }
  const { revision, executionId: _, health, ...told } = report;
  // A report is the whole observed state: what it does not tell of is no longer so.
  const observed: { -readonly [Key in keyof Execution]?: Execution[Key] } = {
    ...NOT_TOLD,
    ...told,
    ...(health && { health: { ...timeless(health), sinceAtMs: nowMs - ageMs - health.forMs } }),
  };
  const isUp = report.phase === "running" && (health === undefined || health.status === "healthy");
  const startCount = (report.restarts ?? 0) - (execution.restarts ?? 0);
  if (isUp) observed.restartsBefore = report.restarts;
  else if (startCount > 0 && isPassing(report.lastExit?.code)) {
    observed.restartsBefore = (execution.restartsBefore ?? 0) + startCount;
  }
  if (report.phase === "completed" && isPartitionTaken) {
    return changed(execution, {
      ...observed,
      result: undefined,
      phase: "stopped",
      code: "stopped",
      message: `Result not accepted: another execution of partition ${execution.partition} finished first`,
      reportRevision: revision,
    }, nowMs);
  }
  return changed(execution, { ...observed, reportRevision: revision }, nowMs);
}

const NOT_TOLD: Partial<Execution> = {
  code: undefined,
  message: undefined,
  hint: undefined,
  health: undefined,
  restarts: undefined,
  lastExit: undefined,
};

const timeless = ({ status, message }: NonNullable<Report["health"]>) => ({
  status,
  ...(message !== undefined && { message }),
});

function changed(execution: Execution, change: Partial<Execution>, nowMs: number): Execution {
  return { ...execution, ...change, revision: execution.revision + 1, modifiedAtMs: nowMs };
}
