/** Output of executions over the server's websocket. */
import { AppError, type ErrorCode, ERRORS } from "../shared/errors.ts";
import { type Client, type Query, unreachable } from "./client.ts";
import { parseJson } from "./json.ts";
import { numberAt, recordAt, textAt } from "./wire.ts";

/** One frame. */
export interface LogFrame {
  readonly isError: boolean;
  readonly text: string;
  /** Empty when the server does not tell. */
  readonly executionId: string;
  readonly partition: number;
}

/** Ends when the server says that the log is at its end. Throws when it breaks off or the server refuses. */
export async function* streamLogs(
  client: Client,
  path: string,
  { query, signal }: { query: Query; signal: AbortSignal },
): AsyncGenerator<LogFrame> {
  signal.throwIfAborted();
  const socket = new WebSocket(
    client.urlOf(path, { query: { ...query, namespace: client.namespace }, isSocket: true }),
  );
  const arrived: (LogFrame | AppError | undefined)[] = [];
  let wake = () => {};
  const push = (item: LogFrame | AppError | undefined) => {
    arrived.push(item);
    wake();
  };
  let hasOpened = false;
  socket.onopen = () => hasOpened = true;
  socket.onmessage = ({ data }) => push(readFrame(String(data)));
  socket.onerror = (event) => push(brokenBy(event, { client, hasOpened }));
  socket.onclose = ({ code, reason }) => {
    const isEnd = code === 1000;
    push(isEnd ? undefined : new AppError("unavailable", `The log broke off${reason ? `: ${reason}` : ""}`));
  };
  const abort = () => push(undefined);
  signal.addEventListener("abort", abort);
  try {
    for (;;) {
      while (arrived.length === 0) await new Promise<void>((resolve) => wake = resolve);
      const item = arrived.shift();
      if (signal.aborted || item === undefined) return;
      if (item instanceof AppError) throw item;
      yield item;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    socket.onclose = socket.onerror = socket.onmessage = null;
    if (socket.readyState <= WebSocket.OPEN) socket.close();
  }
}

function readFrame(data: string): LogFrame | AppError {
  const frame = parseJson(data);
  const error = textAt(frame, "error");
  if (error) {
    const code = textAt(frame, "code") ?? "";
    const known = Object.hasOwn(ERRORS, code) ? code as ErrorCode : "conflict";
    return new AppError(known, error, { hint: textAt(frame, "hint") });
  }
  const value = recordAt(frame, "value");
  return {
    isError: numberAt(value, "Type") === 2,
    text: textAt(value, "Line") ?? "",
    executionId: textAt(value, "ExecutionID") ?? "",
    partition: numberAt(value, "PartitionIndex") ?? 0,
  };
}

function brokenBy(event: Event, { client, hasOpened }: { client: Client; hasOpened: boolean }): AppError {
  const message = "message" in event ? String(event.message) : "";
  if (hasOpened) return new AppError("unavailable", `The log broke off${message ? `: ${message}` : ""}`);
  return unreachable(new Error(message || "the log could not be opened"), client.api);
}
