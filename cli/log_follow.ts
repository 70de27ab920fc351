/** The output of a job: each line marked with its partition when there are several. */
import { AppError } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import { pause } from "./interrupt.ts";
import { type LogFrame, streamLogs } from "./log_stream.ts";
import { checkPartition, fetchJob } from "./partitions.ts";
import type { Terminal } from "./terminal.ts";
import { isTerminal, itemsOf, type JobView } from "./wire.ts";
import { tooLong } from "./wait.ts";
import { harmless, short } from "./words.ts";

/** Before a stream that broke off is asked for again. */
const BROKEN_PAUSE_MS = 1000;

/** Which part of a job's output. */
export interface LogSelection {
  readonly isFollowing: boolean;
  readonly tail?: number;
  /** Unix ms. */
  readonly sinceMs?: number;
  readonly partition?: number;
  readonly executionId?: string;
  /** Of the job; absent: the latest. */
  readonly version?: number;
}

/** How output is shown. */
export interface ShowLogs {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly selection: LogSelection;
}

/** Shows a running job's output until the job has ended. Throws `timed_out`. */
export async function followJobLogs(
  client: Client,
  jobId: string,
  { terminal, signal, timeoutMs }: { terminal: Terminal; signal: AbortSignal; timeoutMs?: number },
): Promise<void> {
  const limits = timeoutMs === undefined ? [signal] : [signal, AbortSignal.timeout(timeoutMs)];
  const show = { terminal, signal: AbortSignal.any(limits), selection: { isFollowing: true } };
  await showLogs(client, jobId, show);
  if (signal.aborted || !show.signal.aborted) return;
  const job = await fetchJob(client, jobId, { signal });
  if (isTerminal(job.state)) return;
  throw await tooLong(client, { id: jobId, job, timeoutMs: timeoutMs ?? 0, signal });
}

/**
 * Shows what was selected: what there is, or, following, until the job has ended. A stream that breaks off is asked for
 * again, without what was shown already.
 */
export async function showLogs(client: Client, jobId: string, show: ShowLogs): Promise<void> {
  const { selection, terminal, signal } = show;
  const job = await fetchJob(client, jobId, { signal, version: selection.version });
  if (selection.partition !== undefined) checkPartition(job, selection.partition);
  if (!selection.isFollowing && !await hasExecutions(client, job, selection)) {
    const why = job.message ? ` (${harmless(job.message)})` : "";
    return terminal.note(`This job has no output yet: it is ${job.state}${why}`);
  }
  const write = frameWriter(terminal, { isMarked: isMarked(job, selection) });
  const tellAgain = runsAgain(terminal, job);
  const shown = new Map<string, number>();
  const mayResume = selection.isFollowing && selection.tail === undefined && selection.sinceMs === undefined;
  for (let isAgain = false;; isAgain = true) {
    try {
      const skip = new Map(shown);
      for await (
        const frame of streamLogs(client, `/orchestrator/jobs/${job.id}/logs`, {
          query: queryOf(selection),
          signal,
        })
      ) {
        tellAgain(frame);
        const fresh = unseen(frame, { skip, shown });
        if (fresh !== "") write({ ...frame, text: fresh });
      }
      if (shown.size === 0 && !selection.isFollowing) terminal.note(nothing(job, selection));
      return;
    } catch (error) {
      if (signal.aborted) return;
      const mayPass = error instanceof AppError && error.kind.isRetryable && shown.size + Number(isAgain) > 0;
      if (!mayResume || !mayPass) throw error;
      if (!isAgain) terminal.note(`${error.message}; trying again (Ctrl-C to leave)`);
      await pause(BROKEN_PAUSE_MS, signal);
    }
  }
}

function nothing(job: JobView, { tail, sinceMs }: LogSelection): string {
  if (tail !== undefined || sinceMs !== undefined) return "No output fits";
  return isTerminal(job.state)
    ? "Nothing was printed"
    : `Nothing has been printed yet: the job is ${job.state}`;
}

async function hasExecutions(
  client: Client,
  job: JobView,
  { version, executionId }: LogSelection,
): Promise<boolean> {
  const query = { limit: 1, job_version: version, all_job_versions: executionId !== undefined || undefined };
  const page = await client.get(`/orchestrator/jobs/${job.id}/executions`, { query });
  return itemsOf(page).length > 0;
}

const isMarked = (job: JobView, { partition, executionId }: LogSelection): boolean =>
  job.count > 1 && partition === undefined && executionId === undefined;

function queryOf({ isFollowing, tail, sinceMs, partition, executionId, version }: LogSelection) {
  const since = sinceMs === undefined ? undefined : new Date(sinceMs).toISOString();
  return { follow: isFollowing, tail, since, partition, execution_id: executionId, job_version: version };
}

/** The part of a frame that an earlier stream has not brought. */
function unseen(
  { text, isError, executionId }: LogFrame,
  { skip, shown }: { skip: Map<string, number>; shown: Map<string, number> },
): string {
  const key = `${executionId} ${isError}`;
  const skipped = Math.min(text.length, skip.get(key) ?? 0);
  skip.set(key, (skip.get(key) ?? 0) - skipped);
  shown.set(key, (shown.get(key) ?? 0) + text.length - skipped);
  return text.slice(skipped);
}

/** Says when a partition starts anew: its output begins again. */
function runsAgain(terminal: Terminal, job: JobView): (frame: LogFrame) => void {
  const executions = new Map<number, string>();
  return ({ partition, executionId }) => {
    const before = executions.get(partition);
    executions.set(partition, executionId);
    if (before === undefined || before === executionId) return;
    const what = job.count === 1 ? "The task" : `Partition ${partition}`;
    terminal.note(terminal.paintNote.warn(`${what} runs again, as execution ${short(executionId)}`));
  };
}

/** Writes as it comes; marked, each line begins with its partition. */
function frameWriter(terminal: Terminal, options: { isMarked: boolean }): (frame: LogFrame) => void {
  const encoder = new TextEncoder();
  if (!options.isMarked) return ({ text, isError }) => terminal.write(encoder.encode(text), { isError });
  return ({ text, isError, partition }) => {
    const mark = (isError ? terminal.paintNote : terminal.paint).dim(`${partition}| `);
    const lines = text.replace(/\n$/, "").split("\n").map((line) => `${mark}${line}\n`);
    terminal.write(encoder.encode(lines.join("")), { isError });
  };
}
