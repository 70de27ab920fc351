/** `/orchestrator/jobs/{id}/logs`: output over a websocket, past and live. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Execution, isLive } from "../../shared/model/execution.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { type Job, JOB_TERMINAL, partitionsOf } from "../../shared/model/job.ts";
import type { LogPiece, LogQuery } from "../flow/desk.ts";
import type { Call, Door, Route } from "./door.ts";
import { envelopeOf } from "./errors.ts";
import { LogLines } from "./log_lines.ts";
import { executionOf, jobOf } from "./lookup.ts";
import { AnyText, Count, Flag, JobVersion, readQuery, Since } from "./queries.ts";
import { openSocket, type Socket } from "./socket.ts";

/** What `tail` means as a bare flag: Bacalhau's clients send `tail=true` for the end of the log. */
const TAIL_LINES = 10;

const Tail = z.string().transform((text, context) => {
  if (/^(false|f|no)$/i.test(text)) return undefined;
  if (/^(true|t|yes)$/i.test(text)) return TAIL_LINES;
  if (/^\d{1,9}$/.test(text) && Number(text) <= LIMITS.tailLinesMax) return Number(text);
  const message = `must be true, false or a number of lines up to ${LIMITS.tailLinesMax}`;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}).optional();

const LogsQuery = z.object({
  namespace: AnyText,
  execution_id: AnyText,
  tail: Tail.describe("Only the last lines. A number of lines is Skerry's own"),
  follow: Flag,
  since: Since.describe("Unix seconds or RFC 3339. Skerry's own"),
  partition: Count.describe("Only this partition. Skerry's own"),
  job_version: JobVersion,
  all_job_versions: Flag,
});
type LogsQuery = z.output<typeof LogsQuery>;

/** The route of logs. */
export function logRoutes(door: Door): Route[] {
  return [{
    method: "get",
    path: "/orchestrator/jobs/{id}/logs",
    tag: "jobs",
    summary: "The output of a job, over a websocket",
    description:
      'Text frames {"value":{"Type":1|2,"Line":"…"}} (1 stdout, 2 stderr) with the execution and its ' +
      'partition; a failure is one frame {"error":"…"}, with its code and hint. The end is close code 1000. Without execution or ' +
      "partition: the latest execution of every partition.",
    query: LogsQuery,
    handle: (call) => openLogs(door, call),
  }];
}

function openLogs(door: Door, call: Call): Response {
  if (call.request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    throw new AppError(
      "bad_request",
      "Cannot send logs: the request must ask for a websocket (Upgrade: websocket)",
    );
  }
  const giveBack = door.sockets.take();
  try {
    const { response, socket } = openSocket(call.request, door.clock);
    sendLogs(door, call, socket)
      .catch((error) => {
        const { Message, Status, Hint, Details } = envelopeOf(error, call.requestId);
        if (Status >= 500) door.log.error("log socket failed", { requestId: call.requestId, error });
        return socket.send({ error: Message, code: Details?.code, hint: Hint });
      })
      .finally(() => {
        socket.close();
        giveBack();
      });
    return response;
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function sendLogs(door: Door, call: Call, socket: Socket): Promise<void> {
  await socket.opened;
  const query = readQuery(LogsQuery, call.query);
  const found = jobOf(door, call, query.namespace);
  const job = query.job_version ? door.desk.queries.getJobVersion(found.id, query.job_version) : found;
  const log: LogQuery = {
    isFollowing: query.follow ?? false,
    ...(query.tail !== undefined && { tailLines: query.tail }),
    ...(query.since !== undefined && { sinceMs: query.since }),
  };
  if (query.execution_id) {
    await pump(door, executionOf(door, job, query.execution_id), { log, socket, isMerged: false });
  } else {
    checkPartition(job, query);
    await (log.isFollowing ? follow : readAll)(door, job, { query, log, socket });
  }
}

interface Relay {
  readonly query: LogsQuery;
  readonly log: LogQuery;
  readonly socket: Socket;
}

function checkPartition(job: Job, { partition, follow }: LogsQuery): void {
  const count = partitionsOf(job);
  if (partition !== undefined && partition >= count) {
    const most = count - 1;
    throw new AppError("not_found", `Cannot find partition ${partition}: it must be from 0 to ${most}`);
  }
  if (follow && partition === undefined && count > LIMITS.logPartitionsMax) {
    const message = `Cannot follow ${count} partitions: there must be at most ${LIMITS.logPartitionsMax}`;
    throw new AppError("invalid", message, { hint: "Name one with --partition" });
  }
}

/** The latest execution of each partition, in order of partitions. */
function latest({ desk }: Door, job: Job, query: LogsQuery): Iterable<ExecutionId> {
  const version = query.all_job_versions ? "all" as const : query.job_version || undefined;
  return desk.queries.walkLatest(job.id, { partition: query.partition, version });
}

async function readAll(door: Door, job: Job, { query, log, socket }: Relay): Promise<void> {
  const isMerged = partitionsOf(job) > 1 && query.partition === undefined;
  let isEmpty = true;
  for (const id of latest(door, job, query)) {
    if (socket.signal.aborted) return;
    isEmpty = false;
    await pump(door, door.desk.queries.getExecution(id), { log, socket, isMerged });
  }
  if (!isEmpty) return;
  const hint = "Follow the job to see its output when it starts";
  throw new AppError("not_found", `Cannot find logs of job "${job.id}": it has no execution yet`, { hint });
}

/** Every execution from its start, also those that come later, until the job has ended. */
async function follow(door: Door, job: Job, { query, log, socket }: Relay): Promise<void> {
  const started = new Set<string>();
  const pumps = new Set<Promise<void>>();
  let failure: unknown;
  while (!socket.signal.aborted && failure === undefined) {
    const changed = door.desk.changed(job.id, { signal: socket.signal });
    changed.catch(() => {}); // told by the await below, or of no interest any more
    const { phase, version } = door.desk.queries.getJob(job.id);
    const hasEnded = JOB_TERMINAL.has(phase) || (query.job_version || version) < version;
    for (const id of latest(door, job, query)) {
      if (started.has(id)) continue;
      started.add(id);
      const isMerged = partitionsOf(job) > 1 && query.partition === undefined;
      const pumping = pump(door, door.desk.queries.getExecution(id), { log, socket, isMerged }).catch(
        (error) => {
          // One that was refused or lost left nothing here: its job says why.
          if (!(error instanceof AppError) || error.code !== "not_found") failure ??= error;
        },
      ).finally(() => pumps.delete(pumping));
      pumps.add(pumping);
    }
    if (hasEnded) break;
    await changed;
  }
  await Promise.all(pumps);
  if (failure !== undefined) throw failure;
}

async function pump(
  { desk }: Door,
  execution: Execution,
  { log, socket, isMerged }: { log: LogQuery; socket: Socket; isMerged: boolean },
): Promise<void> {
  const query = { ...log, isFollowing: log.isFollowing && isLive(execution.phase) };
  const lines = new LogLines({ isMixed: isMerged });
  const about = { ExecutionID: execution.id, PartitionIndex: execution.partition };
  const send = (stream: LogPiece["stream"], text: string, atMs: number) =>
    socket.send({ value: { Type: stream === "stdout" ? 1 : 2, Line: text, ...about, AtMs: atMs } });
  let lastAtMs = 0;
  for await (const piece of desk.readLogs(execution.id, query, socket.signal)) {
    lastAtMs = piece.atMs;
    const text = lines.take(piece);
    if (text !== "") await send(piece.stream, text, piece.atMs);
  }
  if (!isMerged) return;
  for (const stream of ["stdout", "stderr"] as const) {
    const rest = lines.end(stream);
    if (rest !== "") await send(stream, rest, lastAtMs);
  }
}
