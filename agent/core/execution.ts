/**
 * The life of one execution on its node: queued → preparing → running → publishing → ended, and from running by way of
 * restarting back to preparing, as often as its job allows. The chart is this file;
 * the table of it is in docs/lifecycle.md.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import { unreachable } from "../../shared/invariant.ts";
import type { HealthStatus } from "../../shared/model/execution.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { OnAgentRestart } from "../../shared/model/policy.ts";
import type { PublishedResult, RunOutput } from "../../shared/model/result.ts";
import {
  type Failure,
  formatSeconds,
  interrupted,
  lastExitOf,
  NO_EXIT_CODE,
  type Outcome,
  outcomeOfStopping,
  type Stopping,
} from "./outcome.ts";
import { type Circumstances, type Past, restartAfter } from "./restart.ts";

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
interface Beginning {
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

/** Applies one event. Total: an event that no longer matters returns the same state and no effects. */
export function step(state: ExecutionState, event: ExecutionEvent): Step {
  switch (state.phase) {
    case "queued":
      return whileQueued(state, event);
    case "preparing":
      return whilePreparing(state, event);
    case "running":
      return whileRunning(state, event);
    case "restarting":
      return whileRestarting(state, event);
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
    case "recovered": {
      if (event.held === "nothing") return stay(state);
      const { next, effects } = found({ phase: "running" }, event);
      return { next, effects: [{ type: "hold" }, ...effects] };
    }
    case "exited": {
      const { next, effects } = afterRun(state, event);
      return { next, effects: [{ type: "hold" }, ...effects] };
    }
    case "progressed":
    case "started":
    case "start_failed":
    case "restart_due":
    case "health_changed":
    case "published":
    case "publish_failed":
    case "timed_out":
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** What keeps a task from starting here, and perhaps not elsewhere: found late, it is a refusal all the same. */
const UNFIT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["refused", "image_missing", "platform_mismatch"]);

function whilePreparing(state: Preparing, event: ExecutionEvent): Step {
  const { stopping, past } = state;
  switch (event.type) {
    case "progressed":
      if (past !== undefined) return stay(state);
      return { next: state, effects: [tell({ topic: "Preparing Environment", message: event.message })] };
    case "started": {
      const stop: Effect[] = stopping === undefined ? [] : [{ type: "stop", graceMs: stopping.graceMs }];
      return {
        next: begin({ ...state, phase: "running" }, event),
        effects: [{ type: "wait" }, ...stop, ...tellRunning(past)],
      };
    }
    case "start_failed": {
      if (stopping !== undefined) return end({ outcome: outcomeOfStopping(stopping), past });
      const { failure, circumstances } = event;
      const outcome: Outcome = { kind: "failed", ...failure };
      const again = circumstances && runAgain(state, { outcome, output: NO_OUTPUT, circumstances });
      if (again !== undefined) return again;
      return end({ outcome: { ...outcome, kind: UNFIT.has(failure.code) ? "refused" : "failed" }, past });
    }
    case "exited":
      return whileRunning({ ...state, phase: "running" }, event);
    case "stop_ordered":
      if (stopping?.because === "order") return stay(state);
      return breakOff({ ...state, stopping: byOrder(event) });
    case "timed_out":
      // The first run is timed from its start.
      if (past === undefined || stopping !== undefined) return stay(state);
      return breakOff({ ...state, stopping: byTime(event) }, [tell(TIMED_OUT)]);
    case "recovered":
      if (event.held === "running") return found({ ...state, phase: "running" }, event);
      if (stopping !== undefined) return end({ outcome: outcomeOfStopping(stopping), past });
      return { next: state, effects: [{ type: "prepare" }] };
    case "granted":
    case "restart_due":
    case "health_changed":
    case "published":
    case "publish_failed":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function whileRunning(state: Running, event: ExecutionEvent): Step {
  const { stopping } = state;
  switch (event.type) {
    case "exited":
      return afterRun(state, event);
    case "stop_ordered":
      if (stopping !== undefined && isFinal(stopping)) return stay(state);
      return stop(state, byOrder(event));
    case "timed_out":
      if (stopping !== undefined && isFinal(stopping)) return stay(state);
      return stop(state, byTime(event), [tell(TIMED_OUT)]);
    case "health_changed":
      return stopping === undefined ? changeHealth(state, event) : stay(state);
    case "recovered":
      return event.held === "running" ? found(state, event) : gone(state, event);
    case "granted":
    case "progressed":
    case "started":
    case "start_failed":
    case "restart_due":
    case "published":
    case "publish_failed":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function whileRestarting(state: Restarting, event: ExecutionEvent): Step {
  const { past, output } = state;
  switch (event.type) {
    case "restart_due":
      return { next: { phase: "preparing", past }, effects: [{ type: "prepare" }] };
    case "stop_ordered":
      return end({ outcome: outcomeOfStopping(byOrder(event)), output, past: ran(past) });
    case "timed_out": {
      const { next, effects } = publish({
        outcome: outcomeOfStopping(byTime(event)),
        output,
        past: ran(past),
      });
      return { next, effects: [...effects, tell(TIMED_OUT)] };
    }
    // The pause goes on, whatever the engine holds of the run before.
    case "recovered":
    case "exited":
    case "granted":
    case "progressed":
    case "started":
    case "start_failed":
    case "health_changed":
    case "published":
    case "publish_failed":
      return stay(state);
    default:
      return unreachable(event);
  }
}

/** The task ended: by somebody's wish, for good, or to be started again. */
function afterRun(state: Queued | Running, event: Extract<ExecutionEvent, { type: "exited" }>): Step {
  const { stopping, past } = state.phase === "running" ? state : {};
  const { output, circumstances } = event;
  if (stopping?.because === "order") return end({ outcome: outcomeOfStopping(stopping), output, past });
  const outcome = stopping === undefined ? event.outcome : outcomeOfStopping(stopping);
  const mayRunAgain = stopping === undefined ? circumstances?.isCrash : !isFinal(stopping);
  const again = circumstances && mayRunAgain
    ? runAgain(state, {
      outcome,
      output,
      circumstances: {
        ...circumstances,
        ...(stopping?.because === "agent_restart" && { isBlameless: true }),
      },
    })
    : undefined;
  return again ?? publish({ outcome: explained(outcome, past), output, past });
}

/** At its start, the agent found it running. */
function found(
  state: Running,
  event: Extract<ExecutionEvent, { type: "recovered"; held: "running" }>,
): Step {
  const { stopping } = state;
  const next = begin(state, event);
  const wait: Effect = { type: "wait" };
  if (stopping !== undefined) {
    return { next, effects: [wait, { type: "stop", graceMs: stopping.graceMs }] };
  }
  const { policy, graceMs } = event;
  if (policy === "reattach") return { next, effects: [wait, tell(STILL_RUNNING)] };
  const { next: ending, effects } = stop(next, { because: "agent_restart", then: policy, graceMs });
  return { next: ending, effects: [wait, ...effects, tell(ENDED_BY_POLICY[policy])] };
}

/** At its start, the agent found no trace of it. */
function gone(
  state: Running,
  { circumstances }: Extract<ExecutionEvent, { type: "recovered"; held: "nothing" }>,
): Step {
  const { stopping, past } = state;
  const isOver = stopping !== undefined && isFinal(stopping);
  const outcome = stopping === undefined ? interrupted(GONE) : outcomeOfStopping(stopping);
  const again = circumstances && !isOver
    ? runAgain(state, { outcome, output: NO_OUTPUT, circumstances })
    : undefined;
  return again ?? end({ outcome, past });
}

/** On to the next run, at once or after a pause; undefined when the policy allows none. Only where an allocation is held. */
function runAgain(
  state: Queued | Preparing | Running,
  { outcome, output, circumstances }: { outcome: Outcome; output: RunOutput; circumstances: Circumstances },
): Step | undefined {
  const { past: before, startedMs = circumstances.nowMs } = state as Partial<Running>;
  const lastExit = lastExitOf(outcome, output.exitCode);
  const ranMs = Math.max(0, circumstances.nowMs - startedMs);
  const again = restartAfter(before, { lastExit, ranMs, circumstances });
  if (again === undefined) return undefined;
  const { past, inMs } = again;
  const told = tellRestart(past, inMs);
  if (inMs === 0) return { next: { phase: "preparing", past }, effects: [{ type: "prepare" }, ...told] };
  return { next: { phase: "restarting", past, inMs, sinceMs: circumstances.nowMs, output }, effects: told };
}

function begin(state: Running, { atMs, isWatched }: Beginning): Running {
  const { startedMs = atMs } = state;
  const isKnown = !isWatched || state.health !== undefined;
  if (isKnown) return startedMs === state.startedMs ? state : { ...state, startedMs };
  return { ...state, startedMs, health: { status: "unknown", sinceMs: startedMs } };
}

function changeHealth(
  state: Running,
  { status, sinceMs, message, restart }: Extract<ExecutionEvent, { type: "health_changed" }>,
): Step {
  const health: Health = { status, sinceMs, ...(message !== undefined && { message }) };
  const told = tell({
    topic: "Execution",
    message: status === "healthy" ? "Healthy" : `Not healthy: ${message ?? "it has not run long enough"}`,
  });
  const next: Running = { ...state, health };
  if (restart === undefined) return { next, effects: [told] };
  const ending = stop(next, { because: "unhealthy", message: message ?? "", graceMs: restart.graceMs });
  return { next: ending.next, effects: [told, ...ending.effects] };
}

function stop(state: Running, stopping: Stopping, told: readonly Effect[] = []): Step {
  return { next: { ...state, stopping }, effects: [{ type: "stop", graceMs: stopping.graceMs }, ...told] };
}

function breakOff(next: Preparing & { stopping: Stopping }, told: readonly Effect[] = []): Step {
  return { next, effects: [{ type: "abandon" }, { type: "stop", graceMs: next.stopping.graceMs }, ...told] };
}

/** Whether the task is ended for good; else it is started again, and a user's stop or a time-out may still come between. */
const isFinal = (stopping: Stopping): boolean =>
  stopping.because === "order" || stopping.because === "time_out" ||
  (stopping.because === "agent_restart" && stopping.then === "fail");

function whilePublishing(state: Publishing, event: ExecutionEvent): Step {
  const { outcome, output, past } = state;
  switch (event.type) {
    case "published":
      return end({ outcome, output, past, result: event.result });
    case "publish_failed":
      // What the task did says more than that its results did not arrive.
      return end({
        outcome: outcome.kind === "completed" ? { kind: "failed", ...event.failure } : outcome,
        output,
        past,
      });
    case "stop_ordered": {
      const { next, effects } = end({ outcome: outcomeOfStopping(byOrder(event)), output, past });
      return { next, effects: [{ type: "abandon" }, ...effects] };
    }
    case "recovered":
    case "exited":
      return { next: state, effects: [{ type: "publish" }] };
    case "granted":
    case "progressed":
    case "started":
    case "start_failed":
    case "restart_due":
    case "health_changed":
    case "timed_out":
      return stay(state);
    default:
      return unreachable(event);
  }
}

function publish({ outcome, output, past }: Omit<Publishing, "phase">): Step {
  return {
    next: { phase: "publishing", outcome, output, ...(past && { past }) },
    effects: [{ type: "publish" }],
  };
}

/** Only from phases that hold an allocation. */
function end({ outcome, output, result, past }: Omit<Ended, "phase">): Step {
  return {
    next: {
      phase: "ended",
      outcome,
      ...(output && { output }),
      ...(result && { result }),
      ...(past && { past }),
    },
    effects: [{ type: "release" }, { type: "forget" }],
  };
}

function stay(state: ExecutionState): Step {
  return { next: state, effects: [] };
}

function byOrder({ message, graceMs }: { message: string; graceMs: number }): Stopping {
  return { because: "order", message, graceMs };
}

function byTime({ timeoutMs, graceMs }: { timeoutMs: number; graceMs: number }): Stopping {
  return { because: "time_out", timeoutMs, graceMs };
}

/** The run to come never came. */
const ran = (past: Past): Past => ({ ...past, run: past.run - 1 });

/** An end after starts in place says how many there were. */
function explained(outcome: Outcome, past: Past | undefined): Outcome {
  if (past === undefined || outcome.kind === "completed") return outcome;
  const times = past.run === 1 ? "once" : `${past.run} times`;
  return { ...outcome, message: `${outcome.message} (started again ${times} on its node before)` };
}

const NO_OUTPUT: RunOutput = {
  stdout: "",
  stdoutIsTruncated: false,
  stderr: "",
  stderrIsTruncated: false,
  exitCode: NO_EXIT_CODE,
};

/** So many starts in place are each told of in the history; later ones only once in so many. */
const TOLD_MAX = 100;
const isTold = (run: number): boolean => run <= TOLD_MAX || run % TOLD_MAX === 0;

function tellRestart({ run, lastExit }: Past, inMs: number): Effect[] {
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

function tellRunning(past: Past | undefined): Effect[] {
  if (past === undefined) return [tell(RUNNING)];
  return isTold(past.run) ? [tell({ ...RUNNING, message: `Running execution (restart ${past.run})` })] : [];
}

const RUNNING: HistoryEvent = { topic: "Running Execution", message: "Running execution" };
const STILL_RUNNING: HistoryEvent = {
  topic: "Restart",
  message: "The agent restarted; the execution runs on",
};
const ENDED_BY_POLICY: Readonly<Record<"restart" | "fail", HistoryEvent>> = {
  restart: {
    topic: "Restart",
    message: "The agent restarted; the execution is stopped and started again, as its job asks",
  },
  fail: { topic: "Restart", message: "The agent restarted; the execution is ended, as its job asks" },
};
const TIMED_OUT: HistoryEvent = { topic: "Exec Timeout", message: "Stopping the execution at its time-out" };
const GONE = "The execution was running when the agent stopped, and is gone";
const tell = (event: HistoryEvent): Effect => ({ type: "tell", event });

/** Whether an execution in this phase holds resources of its node. */
export const holdsAllocation = (state: ExecutionState): boolean =>
  state.phase !== "queued" && state.phase !== "ended";

/** Number of the present run: 0 for the first; while the next one is waited for, that of the run before. */
export function runOf(state: ExecutionState): number {
  if (state.phase === "queued") return 0;
  const run = state.past?.run ?? 0;
  return state.phase === "restarting" ? run - 1 : run;
}
