/**
 * The life of one execution on its node: queued → preparing → running → publishing → ended, and from running by way of
 * restarting back to preparing, as often as its job allows. The chart is this file;
 * the table of it is in docs/lifecycle.md.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import { unreachable } from "../../shared/invariant.ts";
import type { RunOutput } from "../../shared/model/result.ts";
import type {
  Beginning,
  Effect,
  Ended,
  ExecutionEvent,
  ExecutionState,
  Health,
  Preparing,
  Publishing,
  Queued,
  Restarting,
  Running,
  Step,
} from "./execution_state.ts";
import {
  interrupted,
  lastExitOf,
  NO_EXIT_CODE,
  type Outcome,
  outcomeOfStopping,
  type Stopping,
} from "./outcome.ts";
import { type Circumstances, type Past, restartAfter } from "./restart.ts";
import {
  ENDED_BY_POLICY,
  STILL_RUNNING,
  tell,
  tellHealth,
  tellRestart,
  tellRunning,
  TIMED_OUT,
} from "./told.ts";

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

const GONE = "The execution was running when the agent stopped, and is gone";

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
  const told = tellHealth(health, state.past);
  const next: Running = { ...state, health };
  if (restart === undefined) return { next, effects: told };
  const ending = stop(next, { because: "unhealthy", message: message ?? "", graceMs: restart.graceMs });
  return { next: ending.next, effects: [...told, ...ending.effects] };
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
