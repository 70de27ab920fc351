/** Reading from nodes over the bus: output of executions, live and past, and files of results. */
import type { Bus } from "../../shared/bus/bus.ts";
import type { Clock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import type { Execution } from "../../shared/model/execution.ts";
import { LogAnswer, ResultListAnswer } from "../../shared/wire/messages.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { agentPeer, serveSubject } from "../../shared/wire/subjects.ts";
import type { LogPiece, LogQuery, ResultEntry } from "./desk.ts";
import { LastLines } from "./last_lines.ts";

/** How long an agent may hold a question for more output before it answers with nothing. */
const FOLLOW_WAIT_MS = 10_000;
/** Between two questions that are answered at once with nothing. */
const FOLLOW_PAUSE_MS = 1_000;
const REQUEST_TIMEOUT_MS = 30_000;

async function ask(
  bus: Bus,
  options: { execution: Execution; what: "logs" | "result_list" | "result_read"; body: unknown },
) {
  const subject = serveSubject(agentPeer(options.execution.nodeId), options.what);
  const bytes = encodeMessage({ executionId: options.execution.id, ...options.body as object });
  return decodeAnswer(await bus.request(subject, bytes, { timeoutMs: REQUEST_TIMEOUT_MS }));
}

/** Where output comes from, and whose. */
interface Reading {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly execution: Execution;
  readonly query: LogQuery;
  readonly signal: AbortSignal;
}

/** The execution's output in order. */
export async function* readLogs(reading: Reading): AsyncIterable<LogPiece> {
  const { sinceMs, tailLines } = reading.query;
  const pieces = tailLines === undefined ? follow(reading) : tail(reading, tailLines);
  for await (const piece of pieces) {
    if (sinceMs === undefined || piece.atMs >= sinceMs) yield piece;
  }
}

async function askLogs({ bus, execution }: Reading, body: { cursor: string; waitMs: number }) {
  return LogAnswer.parse((await ask(bus, { execution, what: "logs", body })).value);
}

async function* follow(reading: Reading, from = ""): AsyncIterable<LogPiece> {
  const { clock, query: { isFollowing }, signal } = reading;
  let cursor = from;
  while (!signal.aborted) {
    const askedAtMs = clock.uptimeMs();
    const answer = await askLogs(reading, { cursor, waitMs: isFollowing ? FOLLOW_WAIT_MS : 0 });
    for (const piece of answer.pieces) yield piece;
    if (answer.isComplete) return;
    const isNews = answer.pieces.length > 0 || answer.cursor !== cursor;
    if (!isFollowing && !isNews) return;
    // An agent that holds too many questions answers at once: it is not asked again at once.
    const leftMs = askedAtMs + FOLLOW_PAUSE_MS - clock.uptimeMs();
    if (!isNews && leftMs > 0) await new Promise<void>((resolve) => clock.after(leftMs, resolve));
    cursor = answer.cursor;
  }
}

/** Keeps the last lines while reading what is there, then follows on. */
async function* tail(reading: Reading, linesMax: number): AsyncIterable<LogPiece> {
  const kept = new LastLines(linesMax);
  let cursor = "";
  while (!reading.signal.aborted) {
    const answer = await askLogs(reading, { cursor, waitMs: 0 });
    for (const piece of answer.pieces) kept.push(piece);
    const isEnd = answer.isComplete || answer.cursor === cursor;
    cursor = answer.cursor;
    if (!isEnd) continue;
    for (const piece of kept.take()) yield piece;
    if (!answer.isComplete && reading.query.isFollowing) yield* follow(reading, cursor);
    return;
  }
}

/** Every file and folder of the published results. Errors: `not_found` when nothing was published. */
export async function listResult(bus: Bus, execution: Execution): Promise<readonly ResultEntry[]> {
  if (execution.result === undefined) {
    throw new AppError("not_found", `Cannot get results of execution ${execution.id}: it has none`, {
      hint:
        `It is ${execution.phase}; results exist once an execution has ended and its job names a publisher`,
    });
  }
  const { value } = await ask(bus, { execution, what: "result_list", body: {} });
  return ResultListAnswer.parse(value).entries;
}

/** One file of the published results, chunk by chunk. */
export async function* readResult(
  bus: Bus,
  { execution, path, signal }: { execution: Execution; path: string; signal: AbortSignal },
): AsyncIterable<Uint8Array> {
  let offset = 0;
  while (!signal.aborted) {
    const { bytes } = await ask(bus, { execution, what: "result_read", body: { path, offset } });
    if (bytes.length === 0) return;
    yield bytes;
    offset += bytes.length;
  }
}
