/** After a restart: the journal against what the engines still hold. */
import { isEndless } from "../../shared/model/job.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import type { RunOutput } from "../../shared/model/result.ts";
import type { ExecutionEvent, ExecutionState } from "./execution_state.ts";
import { type Exit, type Failure, outcomeOf } from "./outcome.ts";
import { type Circumstances, isCrash } from "./restart.ts";

/** What an engine told of one execution, with the beginning of its output when it has ended. */
export type Held =
  | { readonly isRunning: true }
  | { readonly isRunning: false; readonly exit: Exit; readonly output: RunOutput };

/** What decides about an execution that is found again, beside its state. */
export interface Recovery {
  readonly order: Pick<RunOrder, "successExitCodes" | "jobType" | "runsOnce" | "onAgentRestart">;
  /** At most so long between the signal and the kill. */
  readonly graceMs: number;
  /** Lifetime of the agent. */
  readonly atMs: number;
  readonly isWatched: boolean;
  /** Where its job may have it started again in place: all but why it ended. */
  readonly circumstances?: Omit<Circumstances, "isCrash" | "isBlameless">;
}

/** What an execution learns at the start of the agent. `held` is undefined when no engine knows its present run. */
export function recover(
  state: ExecutionState,
  held: Held | undefined,
  { order, graceMs, atMs, isWatched, circumstances }: Recovery,
): ExecutionEvent | undefined {
  if (state.phase === "ended" || state.phase === "restarting") return undefined;
  const again = circumstances && isRunAgain(order)
    ? { ...circumstances, isCrash: true, isBlameless: true }
    : undefined;
  if (held === undefined) {
    // A power cut takes the traces of a start with it.
    if (state.phase === "preparing" && order.runsOnce && !isEndless(order.jobType)) {
      return { type: "start_failed", failure: MAY_HAVE_RUN };
    }
    return { type: "recovered", held: "nothing", ...(again && { circumstances: again }) };
  }
  if (held.isRunning) {
    const policy = order.onAgentRestart ?? "reattach";
    return { type: "recovered", held: "running", policy, graceMs, atMs, isWatched };
  }
  const outcome = outcomeOf(held.exit, order);
  const { output } = held;
  // Ended with the machine, or with what ran it.
  if (outcome.kind === "failed" && outcome.code === "interrupted") {
    return { type: "exited", outcome, output, ...(again && { circumstances: again }) };
  }
  const crash = circumstances && { ...circumstances, isCrash: isCrash(outcome, order), isBlameless: false };
  return { type: "exited", outcome, output, ...(crash && { circumstances: crash }) };
}

/** Whether what ended while the agent was away is run again here, and not handed back to its home. */
function isRunAgain({ jobType, onAgentRestart, runsOnce }: Recovery["order"]): boolean {
  if (isEndless(jobType)) return onAgentRestart !== "fail";
  return onAgentRestart === "restart" && !runsOnce;
}

const MAY_HAVE_RUN: Failure = {
  code: "interrupted",
  message: "The agent stopped while it started the execution, which may have run",
  hint: "The job allows no attempt after a loss (lostAttempts is 0): submit it again if it may run twice",
};
