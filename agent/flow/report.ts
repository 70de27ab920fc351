/** REPORT: what an execution's state says to its home. */
import type { ErrorCode } from "../../shared/errors.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { Port } from "../../shared/model/port.ts";
import type { Report } from "../../shared/model/report.ts";
import type { ExecutionHappened } from "../../shared/wire/messages.ts";
import { type ExecutionState, type Health, type Restarting, runOf } from "../core/execution_state.ts";
import { type Failure, formatSeconds } from "../core/outcome.ts";

/** The phase as homes know it: the kind of the outcome once it has ended; what waits for its next run is being prepared. */
export function phaseOf(state: ExecutionState): Report["phase"] {
  if (state.phase === "restarting") return "preparing";
  return state.phase === "ended" ? state.outcome.kind : state.phase;
}

/** What a report is made of. */
export interface Reported {
  readonly id: ExecutionId;
  readonly revision: number;
  readonly state: ExecutionState;
  readonly image?: ImageFound;
  readonly ports?: readonly Port[];
}

/** What makes a report worth sending: another text than that of the last one. */
export function reportMark(state: ExecutionState): string {
  const { status, message } = healthOf(state) ?? {};
  return [phaseOf(state), runOf(state), status, message].join(" ");
}

/** The whole observed state. `nowMs` is the agent's lifetime. */
export function toReport(
  { id, revision, state, image, ports }: Reported,
  nowMs: number,
): Report {
  const health = healthOf(state);
  const report: Report = {
    executionId: id,
    revision,
    phase: phaseOf(state),
    ...runsOf(state),
    ...(image && { image }),
    ...(ports && { ports }),
    ...(health && { health: toHealth(health, nowMs) }),
  };
  if (state.phase === "restarting") return { ...report, ...whyWaiting(state) };
  if (state.phase !== "ended") return report;
  const { outcome, output, result } = state;
  return {
    ...report,
    ...(outcome.kind === "completed" ? { hint: outcome.hint } : whyOf(outcome)),
    output,
    result,
  };
}

/** Of one that runs; what has just crashed is not healthy. */
function healthOf(state: ExecutionState): Health | undefined {
  if (state.phase === "running") return state.health;
  if (state.phase !== "restarting") return undefined;
  return { status: "unhealthy", sinceMs: state.sinceMs, message: state.past.lastExit.message };
}

function toHealth({ status, sinceMs, message }: Health, nowMs: number): Report["health"] {
  return { status, forMs: Math.max(0, nowMs - sinceMs), ...(message !== undefined && { message }) };
}

function runsOf(state: ExecutionState): Pick<Report, "restarts" | "lastExit"> {
  if (state.phase === "queued" || state.past === undefined) return {};
  const restarts = runOf(state);
  return { ...(restarts > 0 && { restarts }), lastExit: state.past.lastExit };
}

function whyWaiting({ past, inMs }: Restarting): Failure {
  const { code, message } = past.lastExit;
  const pause = formatSeconds(Math.ceil(inMs / 100) * 100);
  return {
    code: code as ErrorCode,
    message: `${message}. Its node starts it again after a pause of ${pause} (restart ${past.run})`,
    hint: "Look at its logs",
  };
}

function whyOf({ code, message, hint }: Failure): Failure {
  return { code, message, hint };
}

/** On the state lane: a newer report replaces an older one that waits. */
export function reportMessage(report: Report): Message {
  return { lane: "state", kind: "report", about: report.executionId, body: report };
}

/** On the history lane: every event arrives. */
export function happenedMessage(executionId: ExecutionId, event: HistoryEvent): Message {
  const body: ExecutionHappened = { executionId, event };
  return { lane: "history", kind: "happened", about: executionId, body };
}
