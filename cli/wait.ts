/** Waiting for the end of a job, or until it is up, whatever happens to the link meanwhile. */
import { AppError } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import { pause } from "./interrupt.ts";
import { countStates, currentOf, extentOf, fetchExecutions, whyItWaits } from "./partitions.ts";
import type { Terminal } from "./terminal.ts";
import { isSettled, type JobView, readJob, recordAt } from "./wire.ts";
import { oneLine, short, span } from "./words.ts";

/** How to wait. */
export interface WaitOptions {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Absent: for ever. */
  readonly timeoutMs?: number;
}

/** How long the server may hold an answer back. */
const HELD_MS = 25_000;
/** The same while a progress line is shown. */
const PROGRESS_MS = 1000;
/** A server that does not hold answers back is asked again after this. */
const POLL_MS = 400;
/** A lost server is asked again after this, for as long as the user waits. */
export const LOST_PAUSE_MS = 2000;
/** Above this many partitions the progress line does not ask for them. */
const COUNTED_MAX = 2000;

/** The job once it has ended; one without an end, once it is up or will not do. Throws `timed_out`; an abort makes it throw the signal's reason. */
export async function waitForJob(client: Client, id: string, options: WaitOptions): Promise<JobView> {
  const { terminal, signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  const startedAtMs = performance.now();
  const link = watchLink(terminal, "the job does not need this link");
  // The first answer comes at once, and tells whether there is such a job and such a server at all.
  for (let isFirst = true;; isFirst = false) {
    const elapsedMs = performance.now() - startedAtMs;
    const leftMs = timeoutMs - elapsedMs;
    const longestMs = isFirst ? 0 : terminal.isErrTerminal ? PROGRESS_MS : HELD_MS;
    const heldMs = Math.max(0, Math.min(leftMs, longestMs));
    const askedAtMs = performance.now();
    const job = await link(() => getJob(client, id, { signal, heldMs }));
    signal.throwIfAborted();
    if (job && isSettled(job)) {
      terminal.progress();
      return job;
    }
    if (leftMs <= 0) throw await tooLong(client, { id, job, timeoutMs, signal });
    if (job && terminal.isErrTerminal) {
      terminal.progress(`${job.state} ${span(elapsedMs)}: ${await standing(client, job, signal)}`);
    }
    if (isFirst) continue;
    const restMs = job ? POLL_MS - (performance.now() - askedAtMs) : LOST_PAUSE_MS;
    if (restMs > 0) await pause(Math.min(restMs, Math.max(0, leftMs)), signal);
  }
}

async function getJob(
  client: Client,
  id: string,
  { signal, heldMs }: { signal: AbortSignal; heldMs: number },
): Promise<JobView> {
  const query = { wait: "terminal", wait_ms: Math.round(heldMs), namespace: client.namespace };
  const answer = await client.get(`/orchestrator/jobs/${encodeURIComponent(id)}`, { query, signal, heldMs });
  return readJob(recordAt(answer, "Job"));
}

/** Runs a request; a lost link is said once and is no error: what is waited for goes on without us, as `why` says. */
export function watchLink(terminal: Terminal, why: string) {
  let isLost = false;
  let hasAnswered = false;
  return async <Value>(request: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      const value = await request();
      if (isLost) terminal.note("The server answers again");
      [isLost, hasAnswered] = [false, true];
      return value;
    } catch (error) {
      if (!hasAnswered || !(error instanceof AppError) || !error.kind.isRetryable) throw error;
      if (!isLost) {
        terminal.note(`${error.message}; ${why}, still trying (Ctrl-C to leave)`);
      }
      isLost = true;
      return undefined;
    }
  };
}

/** Why the job waits, or how far its partitions are. */
async function standing(client: Client, job: JobView, signal: AbortSignal): Promise<string> {
  if (job.message && job.state !== "running") return oneLine(job.message);
  if (job.count > COUNTED_MAX) return extentOf(job);
  try {
    const current = currentOf(await fetchExecutions(client, job.id, { signal }));
    const counts = countStates(job, current).map(([state, count]) => `${count} ${state}`).join(", ");
    return whyItWaits(job, current) || counts;
  } catch {
    return extentOf(job);
  }
}

/** What to tell after the time-out, with the reason that `job describe` knows. */
export async function tooLong(
  client: Client,
  { id, job, timeoutMs, signal }: {
    id: string;
    job: JobView | undefined;
    timeoutMs: number;
    signal: AbortSignal;
  },
): Promise<AppError> {
  const more = job ? await standing(client, job, signal) : "";
  const state = !job
    ? "the server is away"
    : more === `1 ${job.state}`
    ? `it is ${job.state}`
    : `it is ${job.state} (${more})`;
  return new AppError(
    "timed_out",
    `Stopped waiting for job ${short(id)} after ${span(timeoutMs)}: ${state}`,
    {
      hint: `The job goes on; \`skerry job wait ${short(id)}\` waits again, \`skerry job stop ${
        short(id)
      }\` ends it`,
    },
  );
}
