/** Whether a task that crashed is started again in place, and when: pure, the shell brings time and chance. */
import type { LastExit } from "../../shared/model/execution.ts";
import { ERRORS } from "../../shared/errors.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { RestartPolicy } from "../../shared/model/policy.ts";
import { defaultRestart } from "../../shared/model/restart_default.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import type { Outcome } from "./outcome.ts";

/** How long each stream is. */
export interface OutputBytes {
  readonly stdout: number;
  readonly stderr: number;
}

/** What came before a run that is not the first. */
export interface Past {
  /** Number of the present run, or of the next one while it is waited for: 1 for the first start in place. */
  readonly run: number;
  /** How the run before it ended. */
  readonly lastExit: LastExit;
  /** Where its output begins. */
  readonly outputFrom: OutputBytes;
  /** Lifetime of the agent at the crash with which the interval of the policy began, and starts since then. */
  readonly intervalFromMs: number;
  readonly intervalCount: number;
  /** Crashes without a stable run between them: what the pause grows with. */
  readonly streak: number;
}

/** How the world is when a task ends. */
export interface Circumstances {
  readonly policy: RestartPolicy;
  /** Lifetime of the agent. */
  readonly nowMs: number;
  /** In [0, 1). */
  readonly jitter: number;
  /** The end was a crash, see `isCrash`. */
  readonly isCrash: boolean;
  /** What was told to the home has arrived there: it can be asked to take over. */
  readonly isHomeReached: boolean;
  /** Its machine or its agent ended it, not its own fault: it is started again at once, and nothing is counted. */
  readonly isBlameless: boolean;
  readonly outputEnd: OutputBytes;
}

/** A run that lasted so long had begun well: the next pause is the shortest again. */
export const STABLE_MS = 60_000;
/** Beyond this the pause is the longest anyway. */
const DOUBLINGS_MAX = 20;
/** Part of the pause that chance takes off, so that tasks that crashed together do not start together for ever. */
const JITTER_RATIO = 0.25;

/** The policy of the order's task. */
export const restartPolicyOf = ({ restart, jobType }: Pick<RunOrder, "restart" | "jobType">): RestartPolicy =>
  restart ?? defaultRestart(jobType);

/**
 * Whether an end is one that a start in place may mend. A task without an end should run, whatever ended it; for others a loss
 * is their home's to judge.
 */
export function isCrash(outcome: Outcome, { jobType }: Pick<RunOrder, "jobType">): boolean {
  return outcome.kind === "failed" && (isEndless(jobType) || !ERRORS[outcome.code].isRetryable);
}

/**
 * What comes before the next run, and the pause until then; undefined: the policy allows no other run here. While nobody else
 * could take over, it always allows one, after the longest pause.
 */
export function restartAfter(
  past: Past | undefined,
  { lastExit, ranMs, circumstances }: { lastExit: LastExit; ranMs: number; circumstances: Circumstances },
): { readonly past: Past; readonly inMs: number } | undefined {
  const { policy, nowMs, jitter, isHomeReached, isBlameless, outputEnd } = circumstances;
  const next = { run: (past?.run ?? 0) + 1, lastExit, outputFrom: outputEnd };
  // A crash of the agent may have taken it back to an earlier lifetime: the interval then begins there.
  const fromMs = Math.min(past?.intervalFromMs ?? nowMs, nowMs);
  const isWithin = past !== undefined && nowMs - fromMs < policy.intervalMs;
  const interval = isWithin
    ? { intervalFromMs: fromMs, intervalCount: past.intervalCount }
    : { intervalFromMs: nowMs, intervalCount: 0 };
  if (isBlameless) return { past: { ...next, ...interval, streak: past?.streak ?? 0 }, inMs: 0 };
  if (policy.attempts === 0) return undefined;
  const streak = ranMs >= STABLE_MS ? 0 : past?.streak ?? 0;
  const counted: Past = {
    ...next,
    ...interval,
    intervalCount: interval.intervalCount + 1,
    streak: streak + 1,
  };
  const pauseMs = Math.min(policy.delayMs * 2 ** Math.min(streak, DOUBLINGS_MAX), policy.maxDelayMs);
  const inMs = Math.round(pauseMs * (1 - JITTER_RATIO * jitter));
  if (interval.intervalCount < policy.attempts) return { past: counted, inMs };
  if (policy.mode === "fail" && isHomeReached) return undefined;
  const restMs = interval.intervalFromMs + policy.intervalMs - nowMs;
  return { past: counted, inMs: policy.mode === "delay" ? Math.max(inMs, restMs) : policy.maxDelayMs };
}
