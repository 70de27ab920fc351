/** REPORT: what an execution's state says to its home. */
import type { Message } from "../../shared/ledger/outbox.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { Port } from "../../shared/model/port.ts";
import type { Report } from "../../shared/model/report.ts";
import type { ExecutionHappened } from "../../shared/wire/messages.ts";
import type { ExecutionState } from "../core/execution.ts";
import type { Failure } from "../core/outcome.ts";

/** The phase as homes know it: the kind of the outcome once it has ended. */
export function phaseOf(state: ExecutionState): Report["phase"] {
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

/** The whole observed state. */
export function toReport({ id, revision, state, image, ports }: Reported): Report {
  const report = {
    executionId: id,
    revision,
    phase: phaseOf(state),
    ...(image && { image }),
    ...(ports && { ports }),
  };
  if (state.phase !== "ended") return report;
  const { outcome, output, result } = state;
  return {
    ...report,
    ...(outcome.kind === "completed" ? { hint: outcome.hint } : whyOf(outcome)),
    output,
    result,
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
