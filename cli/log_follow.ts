/** The output of a whole job: every partition's, each line marked with its partition when there are several. */
import { AppError } from "../shared/errors.ts";
import type { Client, Query } from "./client.ts";
import { pause } from "./interrupt.ts";
import { streamLogs } from "./log_stream.ts";
import { currentOf, fetchExecutions } from "./partitions.ts";
import type { Terminal } from "./terminal.ts";
import { type ExecutionView, isTerminal, type JobView, readJob, recordAt } from "./wire.ts";
import { plural, short, span } from "./words.ts";

/** Executions that are followed at the same time; the others are read when one ends. */
const STREAMS_MAX = 32;
/** How often new executions are looked for. */
const LOOK_MS = 500;
const BROKEN_PAUSE_MS = 1000;
/** States of an execution before it has output. */
const BEFORE_OUTPUT: ReadonlySet<string> = new Set(["placed", "queued", "pending", "refused", "undefined"]);

export interface LogSelection {
  readonly isFollowing: boolean;
  readonly tail?: number;
  /** Unix ms. */
  readonly sinceMs?: number;
  readonly partition?: number;
  readonly executionId?: string;
}

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
  await followAll(client, jobId, show);
  if (signal.aborted || !show.signal.aborted) return;
  throw new AppError("timed_out", `Stopped waiting for job ${short(jobId)} after ${span(timeoutMs ?? 0)}`, {
    hint: `The job goes on; \`skerry job logs --follow ${short(jobId)}\` shows it again`,
  });
}

/** Shows what was selected of a job's output: what there is, or until the job has ended. */
export async function showLogs(client: Client, jobId: string, show: ShowLogs): Promise<void> {
  const { selection, terminal, signal } = show;
  if (selection.isFollowing && selection.executionId === undefined) return await followAll(client, jobId, show);
  const job = await getJob(client, jobId, { signal });
  const executions = await fetchExecutions(client, job.id, { signal });
  const chosen = select(executions, selection);
  if (chosen.length === 0) return terminal.note(nothingYet(job, selection));
  for (const execution of chosen) await readLog(client, { job, execution, show });
}

function select(executions: readonly ExecutionView[], { partition, executionId }: LogSelection) {
  if (executionId !== undefined) {
    const found = executions.filter(({ id }) => id.startsWith(executionId));
    if (found.length > 0) return found.slice(0, 1);
    throw new AppError("not_found", `Cannot find execution "${executionId}" in this job`, {
      hint: "`skerry job executions ID` lists them",
    });
  }
  return currentOf(executions).filter((execution) => partition === undefined || execution.partition === partition)
    .filter(({ state }) => !BEFORE_OUTPUT.has(state));
}

function nothingYet(job: JobView, { partition }: LogSelection): string {
  if (partition !== undefined && partition >= job.count) {
    throw new AppError("not_found", `Cannot find partition ${partition}: the job has ${plural(job.count, "partition")}`, {
      hint: `Partitions are numbered from 0 to ${job.count - 1}`,
    });
  }
  const what = partition === undefined ? "This job" : `Partition ${partition}`;
  return `${what} has no output yet: it is ${job.state}${job.message ? ` (${job.message})` : ""}`;
}

async function followAll(client: Client, jobId: string, show: ShowLogs): Promise<void> {
  const { signal, selection } = show;
  const running = new Map<string, Promise<void>>();
  const seen = new Set<string>();
  let failure: unknown;
  let heldMs = 0;
  while (!signal.aborted && failure === undefined) {
    const askedAtMs = performance.now();
    const job = await getJob(client, jobId, { signal, heldMs }).catch((error) => {
      if (!signal.aborted) throw error;
    });
    if (!job) return;
    const executions = await fetchExecutions(client, job.id, { signal });
    const due = select(executions, selection).filter(({ id }) => !seen.has(id));
    for (const execution of due.slice(0, Math.max(0, STREAMS_MAX - running.size))) {
      seen.add(execution.id);
      const reading = readLog(client, { job, execution, show }).catch((error) => {
        if (!signal.aborted) failure ??= error;
      });
      running.set(execution.id, reading.finally(() => running.delete(execution.id)));
    }
    if (isTerminal(job.state)) {
      if (running.size === 0 && due.length === 0) break;
      await Promise.race([...running.values(), pause(LOOK_MS, signal)]);
      continue;
    }
    heldMs = LOOK_MS;
    await pause(Math.max(0, LOOK_MS / 2 - (performance.now() - askedAtMs)), signal);
  }
  if (failure !== undefined) throw failure;
}

async function getJob(
  client: Client,
  id: string,
  { signal, heldMs = 0 }: { signal: AbortSignal; heldMs?: number },
): Promise<JobView> {
  const query: Query = { namespace: client.namespace, ...(heldMs > 0 && { wait: "terminal", wait_ms: heldMs }) };
  const answer = await client.get(`/orchestrator/jobs/${encodeURIComponent(id)}`, { query, signal, heldMs });
  return readJob(recordAt(answer, "Job"));
}

interface OneLog {
  readonly job: JobView;
  readonly execution: ExecutionView;
  readonly show: ShowLogs;
}

/** Shows one execution's output. A stream that breaks off is read again, without what was shown already. */
async function readLog(client: Client, { job, execution, show }: OneLog): Promise<void> {
  const { terminal, signal, selection } = show;
  const write = lineWriter(terminal, job.count > 1 && selection.partition === undefined ? execution.partition : undefined);
  const shown = { out: 0, error: 0 };
  const isWhole = selection.tail === undefined && selection.sinceMs === undefined;
  for (let isAgain = false;; isAgain = true) {
    const skip = { ...shown };
    try {
      const path = `/orchestrator/jobs/${encodeURIComponent(job.id)}/logs`;
      const query = {
        execution_id: execution.id,
        follow: selection.isFollowing,
        tail: selection.tail,
        since: selection.sinceMs === undefined ? undefined : new Date(selection.sinceMs).toISOString(),
      };
      for await (const { isError, text } of streamLogs(client, path, { query, signal })) {
        const stream = isError ? "error" : "out";
        const fresh = text.slice(skip[stream]);
        skip[stream] = Math.max(0, skip[stream] - text.length);
        shown[stream] += fresh.length;
        if (fresh) write(fresh, isError);
      }
      return;
    } catch (error) {
      const mayPass = error instanceof AppError && error.code === "unavailable" && isWhole && selection.isFollowing;
      if (signal.aborted) return;
      if (!mayPass) throw error;
      if (!isAgain) terminal.note(`${error.message}; trying again`);
      await pause(BROKEN_PAUSE_MS, signal);
    }
  }
}

/** Writes as it comes; with a partition, whole lines that begin with it. */
function lineWriter(terminal: Terminal, partition: number | undefined): (text: string, isError: boolean) => void {
  const encoder = new TextEncoder();
  if (partition === undefined) return (text, isError) => terminal.write(encoder.encode(text), { isError });
  const mark = (isError: boolean) => (isError ? terminal.paintNote : terminal.paint).dim(`${partition}| `);
  return (text, isError) => {
    const lines = text.replace(/\n$/, "").split("\n").map((line) => `${mark(isError)}${line}\n`);
    terminal.write(encoder.encode(lines.join("")), { isError });
  };
}
