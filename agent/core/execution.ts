/**
 * The life of one execution on its node: queued → preparing → running → publishing → ended. The chart is this file;
 * the table of it is in docs/lifecycle.md.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import { unreachable } from "../../shared/invariant.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { PublishedResult, RunOutput } from "../../shared/model/result.ts";
import { type Failure, interrupted, type Outcome, outcomeOfStopping, type Stopping } from "./outcome.ts";

/** Waits for room. Holds nothing. */
export interface Queued {
  readonly phase: "queued";
}
/** Holds its allocation; inputs are fetched, the engine starts. */
export interface Preparing {
  readonly phase: "preparing";
  readonly stopping?: Stopping;
}
/** The engine runs the task. */
export interface Running {
  readonly phase: "running";
  readonly stopping?: Stopping;
}
/** The task has ended; its results are on their way. */
export interface Publishing {
  readonly phase: "publishing";
  readonly outcome: Outcome;
  readonly output: RunOutput;
}
/** Over, for ever. `output` is there once a task ran. */
export interface Ended {
  readonly phase: "ended";
  readonly outcome: Outcome;
  readonly output?: RunOutput;
  readonly result?: PublishedResult;
}
/** Where an execution stands on its node. */
export type ExecutionState = Queued | Preparing | Running | Publishing | Ended;

/** What may happen to it. Every event may come late, twice or never. */
export type ExecutionEvent =
  /** There is room for it. */
  | { readonly type: "granted" }
  /** A sentence for the user about what is being prepared. */
  | { readonly type: "progressed"; readonly message: string }
  | { readonly type: "started" }
  | { readonly type: "start_failed"; readonly failure: Failure }
  /** The task ended. `outcome` is what its exit means when nobody wanted it to end. */
  | { readonly type: "exited"; readonly outcome: Outcome; readonly output: RunOutput }
  | { readonly type: "published"; readonly result?: PublishedResult }
  | { readonly type: "publish_failed"; readonly failure: Failure }
  | { readonly type: "stop_ordered"; readonly message: string; readonly graceMs: number }
  | { readonly type: "timed_out"; readonly timeoutMs: number; readonly graceMs: number }
  /** After a restart of the agent, the engine says what it still holds; an ended task is told as `exited`. */
  | { readonly type: "recovered"; readonly held: "running" | "nothing" };

/** What the shell does next: at least once, idempotent by execution id. */
export type Effect =
  /** Takes the allocation. */
  | { readonly type: "hold" }
  /** Gives it back. */
  | { readonly type: "release" }
  /** Fetches inputs and starts the engine; answers `started` or `start_failed`. */
  | { readonly type: "prepare" }
  /** Waits for the engine; answers `exited`. */
  | { readonly type: "wait" }
  | { readonly type: "stop"; readonly graceMs: number }
  /** Breaks off preparing or publishing. */
  | { readonly type: "abandon" }
  /** Answers `published` or `publish_failed`. */
  | { readonly type: "publish" }
  /** The end is recorded: the engine may forget the task. Only after the commit. */
  | { readonly type: "forget" }
  /** An event for the ledger and for the home's history. */
  | { readonly type: "tell"; readonly event: HistoryEvent };

/** The state after an event, and what the shell does about it. */
export interface Step {
  readonly next: ExecutionState;
  readonly effects: readonly Effect[];
}

/** Applies one event. Total: an event that no longer matters returns the same state and no effects. */
export function step(state: ExecutionState, event: ExecutionEvent): Step {
  switch (state.phase) {
    case "queued":
      return whileQueued(state, event);
    case "preparing":
      return whilePreparing(state, event);
    case "running":
      return whileRunning(state, event);
    case "publishing":
      return whilePublishing(state, event);
    case "ended":
      return stay(state);
    default:
      return unreachable(state);
  }
}

function whileQueued(state: Queued, event: ExecutionEvent): Step {
  switch (event.type) {
    case "granted":
      return { next: { phase: "preparing" }, effects: [{ type: "hold" }, { type: "prepare" }] };
    case "stop_ordered":
      return {
        next: { phase: "ended", outcome: outcomeOfStopping({ because: "order", ...event }) },
        effects: [],
      };
    // The agent was killed between a start and its commit.
    case "recovered":
      if (event.held === "nothing") return stay(state);
      return {
        next: { phase: "running" },
        effects: [{ type: "hold" }, { type: "wait" }, tell(STILL_RUNNING)],
      };
    case "exited":
      return publish(event.outcome, event.output, [{ type: "hold" }]);
    case "progressed":
    case "started":
    case "start_failed":
    case "published":
    case "publish_failed":
    case "timed_out":
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** What keeps a task from starting here, and perhaps not elsewhere: found late, it is a refusal all the same. */
const UNFIT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["image_missing", "platform_mismatch"]);

function whilePreparing(state: Preparing, event: ExecutionEvent): Step {
  const { stopping } = state;
  switch (event.type) {
    case "progressed":
      return { next: state, effects: [tell({ topic: "Preparing Environment", message: event.message })] };
    case "started": {
      const stop: Effect[] = stopping === undefined ? [] : [{ type: "stop", graceMs: stopping.graceMs }];
      return { next: { ...state, phase: "running" }, effects: [{ type: "wait" }, ...stop, tell(RUNNING)] };
    }
    case "start_failed":
      if (stopping !== undefined) return end(outcomeOfStopping(stopping));
      return end({ kind: UNFIT.has(event.failure.code) ? "refused" : "failed", ...event.failure });
    case "exited":
      return whileRunning({ ...state, phase: "running" }, event);
    case "stop_ordered": {
      if (stopping !== undefined) return stay(state);
      const next: Preparing = { phase: "preparing", stopping: byOrder(event) };
      return { next, effects: [{ type: "abandon" }, { type: "stop", graceMs: event.graceMs }] };
    }
    case "recovered":
      if (event.held === "running") return whileRunning({ ...state, phase: "running" }, event);
      if (stopping !== undefined) return end(outcomeOfStopping(stopping));
      return { next: state, effects: [{ type: "prepare" }] };
    case "granted":
    case "published":
    case "publish_failed":
    case "timed_out":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function whileRunning(state: Running, event: ExecutionEvent): Step {
  const { stopping } = state;
  switch (event.type) {
    case "exited":
      if (stopping === undefined) return publish(event.outcome, event.output);
      if (stopping.because === "order") return end(outcomeOfStopping(stopping), event.output);
      return publish(outcomeOfStopping(stopping), event.output);
    case "stop_ordered":
      if (stopping !== undefined) return stay(state);
      return {
        next: { phase: "running", stopping: byOrder(event) },
        effects: [{ type: "stop", graceMs: event.graceMs }],
      };
    case "timed_out":
      if (stopping !== undefined) return stay(state);
      return {
        next: {
          phase: "running",
          stopping: { because: "time_out", timeoutMs: event.timeoutMs, graceMs: event.graceMs },
        },
        effects: [{ type: "stop", graceMs: event.graceMs }, tell(TIMED_OUT)],
      };
    case "recovered":
      if (event.held === "nothing") {
        return end(stopping === undefined ? interrupted(GONE) : outcomeOfStopping(stopping));
      }
      return {
        next: state,
        effects: stopping === undefined
          ? [{ type: "wait" }, tell(STILL_RUNNING)]
          : [{ type: "wait" }, { type: "stop", graceMs: stopping.graceMs }],
      };
    case "granted":
    case "progressed":
    case "started":
    case "start_failed":
    case "published":
    case "publish_failed":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function whilePublishing(state: Publishing, event: ExecutionEvent): Step {
  const { outcome, output } = state;
  switch (event.type) {
    case "published":
      return end(outcome, output, event.result);
    case "publish_failed":
      // What the task did says more than that its results did not arrive.
      return end(outcome.kind === "completed" ? { kind: "failed", ...event.failure } : outcome, output);
    case "stop_ordered": {
      const { next, effects } = end(outcomeOfStopping(byOrder(event)), output);
      return { next, effects: [{ type: "abandon" }, ...effects] };
    }
    case "recovered":
    case "exited":
      return { next: state, effects: [{ type: "publish" }] };
    case "granted":
    case "progressed":
    case "started":
    case "start_failed":
    case "timed_out":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function publish(outcome: Outcome, output: RunOutput, effects: readonly Effect[] = []): Step {
  return { next: { phase: "publishing", outcome, output }, effects: [...effects, { type: "publish" }] };
}

/** Only from phases that hold an allocation. */
function end(outcome: Outcome, output?: RunOutput, result?: PublishedResult): Step {
  return {
    next: { phase: "ended", outcome, ...(output && { output }), ...(result && { result }) },
    effects: [{ type: "release" }, { type: "forget" }],
  };
}

function stay(state: ExecutionState): Step {
  return { next: state, effects: [] };
}

function byOrder({ message, graceMs }: { message: string; graceMs: number }): Stopping {
  return { because: "order", message, graceMs };
}

const RUNNING: HistoryEvent = { topic: "Running Execution", message: "Running execution" };
const STILL_RUNNING: HistoryEvent = {
  topic: "Restart",
  message: "The agent restarted; the execution runs on",
};
const TIMED_OUT: HistoryEvent = { topic: "Exec Timeout", message: "Stopping the execution at its time-out" };
const GONE = "The execution was running when the agent stopped, and is gone";
const tell = (event: HistoryEvent): Effect => ({ type: "tell", event });

/** Whether an execution in this phase holds resources of its node. */
export const holdsAllocation = (state: ExecutionState): boolean =>
  state.phase !== "queued" && state.phase !== "ended";
