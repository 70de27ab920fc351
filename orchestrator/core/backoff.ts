/** How long a place waits before its next attempt: longer after each failure, and never all at the same moment. */
import type { RetryPolicy } from "../../shared/model/job.ts";
import type { OpenExecution } from "./plan.ts";
import { blame, wasTaken } from "./retry.ts";

/** Where the job's policy names no pause: the first, and the longest. */
export const DELAY = { firstMs: 1_000, maxMs: 60_000 } as const;
/** One that ran so long had begun well: the next pause is the first one again. */
const STABLE_MS = 60_000;
/** Beyond this the pause is the longest anyway. */
const DOUBLINGS_MAX = 20;
/** A pause is so much longer or shorter, in a way of its own for each execution. */
const JITTER = 0.2;

/** An attempt that ended; `modifiedAtMs` is its end. */
type Ended = Pick<
  OpenExecution,
  "id" | "phase" | "code" | "moving" | "streak" | "createdAtMs" | "modifiedAtMs"
>;

/**
 * Milliseconds until the task of a job without an end may run again in the place of the one that ended last. At once after
 * its node was lost. A wall clock that is set back ends a pause: nobody knows how long it has been.
 */
export function restartInMs(ended: Ended, policy: RetryPolicy, nowMs: number): number {
  if (endedByOthers(ended)) return 0;
  return leftMs(ended, pauseMs(policy, streakAfter(ended) - 1), nowMs);
}

/** Ends in a row with this one. Others' doing does not count, and one that ran well for a while begins anew. */
export function streakAfter(ended: Ended): number {
  const { streak = 0 } = ended;
  if (endedByOthers(ended)) return streak;
  return wasStable(ended) ? 1 : streak + 1;
}

const wasStable = ({ createdAtMs, modifiedAtMs }: Ended): boolean => modifiedAtMs - createdAtMs >= STABLE_MS;

const endedByOthers = (ended: Ended): boolean => ended.phase === "lost" || wasTaken(ended);

/**
 * Milliseconds until a partition may have its next attempt, of all that have ended, the first first. At once after a refusal,
 * a lost node or the first failure that was not the program's. One that ran well for a while begins the count anew.
 */
export function retryInMs(attempts: readonly Ended[], policy: RetryPolicy, nowMs: number): number {
  const last = attempts.at(-1)!;
  if (last.phase !== "failed") return 0;
  const whose = blame(last);
  const stable = attempts.findLastIndex(wasStable);
  const inARow = stable < 0 ? attempts : attempts.slice(stable);
  const count = inARow.filter((one) => one.phase === "failed" && blame(one) === whose).length;
  const doublings = whose === "program" ? count - 1 : count - 2;
  return doublings < 0 ? 0 : leftMs(last, pauseMs(policy, doublings), nowMs);
}

function pauseMs(
  { delayMs = DELAY.firstMs, maxDelayMs = DELAY.maxMs }: RetryPolicy,
  doublings: number,
): number {
  return Math.min(delayMs * 2 ** Math.min(doublings, DOUBLINGS_MAX), Math.max(delayMs, maxDelayMs));
}

function leftMs({ id, modifiedAtMs }: Ended, pauseMs: number, nowMs: number): number {
  const whole = Math.round(pauseMs * (1 + JITTER * (2 * fraction(id) - 1)));
  const passedMs = nowMs - modifiedAtMs;
  return passedMs < 0 ? 0 : Math.max(0, whole - passedMs);
}

/** Always the same of one id, in [0, 1). */
function fraction(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
