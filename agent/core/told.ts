/** What the history of an execution is told of its life on its node. */
import type { HealthStatus } from "../../shared/model/execution.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { Effect } from "./execution_state.ts";
import { formatSeconds } from "./outcome.ts";
import type { Past } from "./restart.ts";

/** So many starts in place are each told of in the history, with all that becomes of them; later ones only once in so many. */
const TOLD_MAX = 100;
const isTold = (run: number): boolean => run <= TOLD_MAX || run % TOLD_MAX === 0;

/** A run crashed, and another comes: with how it ended. */
export function tellRestart({ run, lastExit }: Past, inMs: number): Effect[] {
  if (!isTold(run)) return [];
  const when = inMs === 0 ? "now" : `in ${formatSeconds(Math.ceil(inMs / 100) * 100)}`;
  return [tell({
    topic: "Restart",
    message: `${lastExit.message}. Started again ${when} (restart ${run})`,
    details: {
      ErrorCode: lastExit.code,
      ...(lastExit.exitCode !== undefined && { ExitCode: String(lastExit.exitCode) }),
      ...(run >= TOLD_MAX && { Hint: `From here on only each ${TOLD_MAX}th restart is listed` }),
    },
  })];
}

/** A run begins. */
export function tellRunning(past: Past | undefined): Effect[] {
  if (past === undefined) return [tell(RUNNING)];
  return isTold(past.run) ? [tell({ ...RUNNING, message: `Running execution (restart ${past.run})` })] : [];
}

/** Whether its task does its work has changed: of a run that is told of at all. */
export function tellHealth(
  { status, message }: { status: HealthStatus; message?: string },
  past: Past | undefined,
): Effect[] {
  if (past !== undefined && !isTold(past.run)) return [];
  return [tell({
    topic: "Execution",
    message: status === "healthy" ? "Healthy" : `Not healthy: ${message ?? "it has not run long enough"}`,
  })];
}

const RUNNING: HistoryEvent = { topic: "Running Execution", message: "Running execution" };
/** It outlived its agent. */
export const STILL_RUNNING: HistoryEvent = {
  topic: "Restart",
  message: "The agent restarted; the execution runs on",
};
/** It outlived its agent, against its job's wish. */
export const ENDED_BY_POLICY: Readonly<Record<"restart" | "fail", HistoryEvent>> = {
  restart: {
    topic: "Restart",
    message: "The agent restarted; the execution is stopped and started again, as its job asks",
  },
  fail: { topic: "Restart", message: "The agent restarted; the execution is ended, as its job asks" },
};
/** It took longer than it may. */
export const TIMED_OUT: HistoryEvent = {
  topic: "Exec Timeout",
  message: "Stopping the execution at its time-out",
};
/** An event for the history. */
export const tell = (event: HistoryEvent): Effect => ({ type: "tell", event });
