/** After a restart: the journal against what the engines still hold. */
import type { RunOrder } from "../../shared/model/order.ts";
import type { RunOutput } from "../../shared/model/result.ts";
import type { ExecutionEvent, ExecutionState } from "./execution.ts";
import { type Exit, type Failure, outcomeOf } from "./outcome.ts";

/** What an engine told of one execution, with the beginning of its output when it has ended. */
export type Held =
  | { readonly isRunning: true }
  | { readonly isRunning: false; readonly exit: Exit; readonly output: RunOutput };

/** What an execution learns at the start of the agent. `held` is undefined when no engine knows it. */
export function recover(
  state: ExecutionState,
  held: Held | undefined,
  order: Pick<RunOrder, "successExitCodes" | "jobType" | "runsOnce">,
): ExecutionEvent | undefined {
  if (state.phase === "ended") return undefined;
  if (held === undefined) {
    // A power cut takes the traces of a start with it.
    if (state.phase === "preparing" && order.runsOnce) return { type: "start_failed", failure: MAY_HAVE_RUN };
    return { type: "recovered", held: "nothing" };
  }
  if (held.isRunning) return { type: "recovered", held: "running" };
  return { type: "exited", outcome: outcomeOf(held.exit, order), output: held.output };
}

const MAY_HAVE_RUN: Failure = {
  code: "interrupted",
  message: "The agent stopped while it started the execution, which may have run",
  hint: "The job allows no attempt after a loss (lostAttempts is 0): submit it again if it may run twice",
};
