/** Answers that are held back for news, so that clients need not poll. */
import { LIMITS } from "../../shared/limits.ts";
import type { JobId } from "../../shared/model/ids.ts";
import type { Door } from "./door.ts";

/**
 * Reads until what was read is enough, the time is up or the client has gone; then the last thing read. Between
 * reads it waits for the next commit about the job. Throws `exhausted` when too many answers are held back.
 */
export async function readUntil<Value>(
  { desk, clock, polls }: Pick<Door, "desk" | "clock" | "polls">,
  read: () => Value,
  { jobId, isEnough, waitMs, request, onlyEnd = false }: {
    jobId: JobId;
    /** Nothing but the job's end is enough. */
    onlyEnd?: boolean;
    isEnough: (value: Value) => boolean;
    waitMs: number;
    request: Request;
  },
): Promise<Value> {
  let value = read();
  if (waitMs <= 0 || isEnough(value)) return value;
  const giveBack = polls.take();
  const { signal } = request;
  const end = new AbortController();
  const stop = () => end.abort();
  const cancel = clock.after(Math.min(waitMs, LIMITS.waitMsMax), stop);
  signal.addEventListener("abort", stop);
  try {
    while (!end.signal.aborted) {
      const changed = desk.changed(jobId, { signal: end.signal, onlyEnd });
      changed.catch(() => {}); // told by the await below, or of no interest any more
      value = read();
      if (isEnough(value)) break;
      await changed;
    }
    return isEnough(value) ? value : read();
  } finally {
    stop();
    cancel();
    signal.removeEventListener("abort", stop);
    giveBack();
  }
}
