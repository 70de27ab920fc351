/** After a restart: the journal against what the engines still hold. */
import type { RunOutput } from "../../shared/model/result.ts";
import type { ExecutionEvent, ExecutionState } from "./execution.ts";
import { type Exit, outcomeOf } from "./outcome.ts";

/** What an engine told of one execution, with the beginning of its output when it has ended. */
export type Held =
  | { readonly isRunning: true }
  | { readonly isRunning: false; readonly exit: Exit; readonly output: RunOutput };

/** What an execution learns at the start of the agent. `held` is undefined when no engine knows it. */
export function recover(
  state: ExecutionState,
  held: Held | undefined,
  successExitCodes: readonly number[] | undefined,
): ExecutionEvent | undefined {
  if (state.phase === "ended") return undefined;
  if (held === undefined) return { type: "recovered", held: "nothing" };
  if (held.isRunning) return { type: "recovered", held: "running" };
  return { type: "exited", outcome: outcomeOf(held.exit, successExitCodes), output: held.output };
}
