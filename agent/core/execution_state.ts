/** Where an execution stands on its node, what may happen to it, and what is done then. */
import type { HealthStatus } from "../../shared/model/execution.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { OnAgentRestart } from "../../shared/model/policy.ts";
import type { PublishedResult, RunOutput } from "../../shared/model/result.ts";
import type { Failure, Outcome, Stopping } from "./outcome.ts";
import type { Circumstances, Past } from "./restart.ts";

/** Whether it does its work; `sinceMs` is the agent's lifetime. */
export interface Health {
  readonly status: HealthStatus;
  readonly sinceMs: number;
  readonly message?: string;
}

/** Waits for room. Holds nothing. */
export interface Queued {
  readonly phase: "queued";
}
/** Holds its allocation; inputs are fetched, the engine starts. `past` is there from the second run on. */
export interface Preparing {
  readonly phase: "preparing";
  readonly stopping?: Stopping;
  readonly past?: Past;
}
/** The engine runs the task. */
export interface Running {
  readonly phase: "running";
  readonly stopping?: Stopping;
  readonly past?: Past;
  /** Lifetime of the agent at the start of this run. */
  readonly startedMs?: number;
  /** Where it is watched. */
  readonly health?: Health;
}
/** Crashed; holds its allocation until it is started again, after a pause. `past.run` is the run to come. */
export interface Restarting {
  readonly phase: "restarting";
  readonly past: Past;
  /** The pause, and the lifetime of the agent at its begin. */
  readonly inMs: number;
  readonly sinceMs: number;
  /** What the last run left. */
  readonly output: RunOutput;
}
/** The task has ended; its results are on their way. */
export interface Publishing {
  readonly phase: "publishing";
  readonly outcome: Outcome;
  readonly output: RunOutput;
  readonly past?: Past;
}
/** Over, for ever. `output` is there once a task ran. */
export interface Ended {
  readonly phase: "ended";
  readonly outcome: Outcome;
  readonly output?: RunOutput;
  readonly result?: PublishedResult;
  readonly past?: Past;
}
/** Where an execution stands on its node. */
export type ExecutionState = Queued | Preparing | Running | Restarting | Publishing | Ended;

/** What may happen to it. Every event may come late, twice or never. */
export type ExecutionEvent =
  /** There is room for it. */
  | { readonly type: "granted" }
  /** A sentence for the user about what is being prepared: told of the first run only. */
  | { readonly type: "progressed"; readonly message: string }
  | ({ readonly type: "started" } & Beginning)
  /** With circumstances: one that its node may try again by itself. */
  | { readonly type: "start_failed"; readonly failure: Failure; readonly circumstances?: Circumstances }
  /**
   * The task ended. `outcome` is what its exit means when nobody wanted it to end. With circumstances it may be started
   * again in place.
   */
  | {
    readonly type: "exited";
    readonly outcome: Outcome;
    readonly output: RunOutput;
    readonly circumstances?: Circumstances;
  }
  /** The pause before its next run is over. */
  | { readonly type: "restart_due" }
  | ({ readonly type: "health_changed"; readonly restart?: { readonly graceMs: number } } & Health)
  | { readonly type: "published"; readonly result?: PublishedResult }
  | { readonly type: "publish_failed"; readonly failure: Failure }
  | { readonly type: "stop_ordered"; readonly message: string; readonly graceMs: number }
  | { readonly type: "timed_out"; readonly timeoutMs: number; readonly graceMs: number }
  /** After a restart of the agent, the engine says what it still holds; an ended task is told as `exited`. */
  | ({
    readonly type: "recovered";
    readonly held: "running";
    readonly policy: OnAgentRestart;
    readonly graceMs: number;
  } & Beginning)
  /** With circumstances: it is run again here. */
  | { readonly type: "recovered"; readonly held: "nothing"; readonly circumstances?: Circumstances };

/** A run begins, or is first seen. */
export interface Beginning {
  /** Lifetime of the agent. */
  readonly atMs: number;
  /** Its health is watched. */
  readonly isWatched: boolean;
}

/** What the shell does next: at least once, idempotent by execution id. */
export type Effect =
  /** Takes the allocation. */
  | { readonly type: "hold" }
  /** Gives it back. */
  | { readonly type: "release" }
  /** Fetches inputs and starts the engine; answers `started` or `start_failed`. From the second run on only after the commit. */
  | { readonly type: "prepare" }
  /** Waits for the engine and watches the task's health; answers `exited`, and `health_changed` meanwhile. */
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

/** Whether an execution in this phase holds resources of its node. */
export const holdsAllocation = (state: ExecutionState): boolean =>
  state.phase !== "queued" && state.phase !== "ended";

/** Number of the present run: 0 for the first; while the next one is waited for, that of the run before. */
export function runOf(state: ExecutionState): number {
  if (state.phase === "queued") return 0;
  const run = state.past?.run ?? 0;
  return state.phase === "restarting" ? run - 1 : run;
}
