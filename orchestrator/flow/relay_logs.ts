/** Reading from nodes over the bus: output of executions, live and past, and files of results. */
import type { Bus } from "../../shared/bus/bus.ts";
import { AppError } from "../../shared/errors.ts";
import type { Execution } from "../../shared/model/execution.ts";
import { LogAnswer, ResultListAnswer } from "../../shared/wire/messages.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { agentPeer, serveSubject } from "../../shared/wire/subjects.ts";
import type { LogPiece, LogQuery, ResultEntry } from "./desk.ts";

/** How long an agent may hold a question for more output before it answers with nothing. */
const FOLLOW_WAIT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

async function ask(
  bus: Bus,
  options: { execution: Execution; what: "logs" | "result_list" | "result_read"; body: unknown },
) {
  const subject = serveSubject(agentPeer(options.execution.nodeId), options.what);
  const bytes = encodeMessage({ executionId: options.execution.id, ...options.body as object });
  return decodeAnswer(await bus.request(subject, bytes, { timeoutMs: REQUEST_TIMEOUT_MS }));
}

/** The execution's output in order. */
export async function* readLogs(
  bus: Bus,
  { execution, query, signal }: { execution: Execution; query: LogQuery; signal: AbortSignal },
): AsyncIterable<LogPiece> {
  const pieces = query.tailLines === undefined
    ? follow(bus, { execution, query, signal })
    : tail(bus, { execution, query, signal });
  for await (const piece of pieces) {
    if (query.sinceMs === undefined || piece.atMs >= query.sinceMs) yield piece;
  }
}

async function* follow(
  bus: Bus,
  { execution, query, signal, from = "" }: {
    execution: Execution;
    query: LogQuery;
    signal: AbortSignal;
    from?: string;
  },
): AsyncIterable<LogPiece> {
  let cursor = from;
  while (!signal.aborted) {
    const body = { cursor, waitMs: query.isFollowing ? FOLLOW_WAIT_MS : 0 };
    const answer = LogAnswer.parse((await ask(bus, { execution, what: "logs", body })).value);
    for (const piece of answer.pieces) yield piece;
    if (answer.isComplete) return;
    if (!query.isFollowing && answer.pieces.length === 0 && answer.cursor === cursor) return;
    cursor = answer.cursor;
  }
}

/** Keeps the last lines while reading what is there, then follows on. */
async function* tail(
  bus: Bus,
  { execution, query, signal }: { execution: Execution; query: LogQuery; signal: AbortSignal },
): AsyncIterable<LogPiece> {
  const linesMax = query.tailLines ?? 0;
  let kept: LogPiece[] = [];
  let cursor = "";
  while (!signal.aborted) {
    const answer = LogAnswer.parse(
      (await ask(bus, { execution, what: "logs", body: { cursor, waitMs: 0 } })).value,
    );
    kept = lastLines([...kept, ...answer.pieces], linesMax);
    const isEnd = answer.isComplete || answer.cursor === cursor;
    cursor = answer.cursor;
    if (!isEnd) continue;
    for (const piece of kept) yield piece;
    if (!answer.isComplete && query.isFollowing) {
      yield* follow(bus, { execution, query, signal, from: cursor });
    }
    return;
  }
}

/** The shortest end of the pieces that holds so many lines. */
export function lastLines(pieces: readonly LogPiece[], linesMax: number): LogPiece[] {
  const lines = pieces.flatMap((piece) =>
    piece.text.split(/(?<=\n)/).map((text) => ({ ...piece, text })).filter(({ text, cutBytes }) =>
      text !== "" || cutBytes
    )
  );
  let count = 0;
  for (let at = lines.length - 1; at >= 0; at--) {
    const endsLine = lines[at]!.text.endsWith("\n") || at === lines.length - 1;
    if (endsLine && ++count > linesMax) return lines.slice(at + 1);
  }
  return lines;
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
