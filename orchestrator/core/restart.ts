/** When a task that is not meant to end is started again: at once after its node was lost, else later and later. */
import type { OpenExecution } from "./reconcile.ts";

/** Pause after the first end. */
const RESTART_MS = 1_000;
/** The longest pause. */
const RESTART_MAX_MS = 60_000;
/** One that ran so long had begun well: the next pause is the first one again. */
const STABLE_MS = 60_000;
/** Beyond this the pause is the longest anyway. */
const DOUBLINGS_MAX = 10;

/** Milliseconds until the ended execution may have a successor. A wall clock that jumps never makes it longer than its pause. */
export function restartInMs(ended: OpenExecution, nowMs: number): number {
  if (ended.phase === "lost") return 0;
  const { createdAtMs, modifiedAtMs, attempt } = ended;
  const wasStable = modifiedAtMs - createdAtMs >= STABLE_MS;
  const pauseMs = wasStable
    ? RESTART_MS
    : Math.min(RESTART_MS * 2 ** Math.min(attempt, DOUBLINGS_MAX), RESTART_MAX_MS);
  return Math.min(pauseMs, Math.max(0, modifiedAtMs + pauseMs - nowMs));
}
