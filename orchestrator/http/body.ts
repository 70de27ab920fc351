/** Bodies of requests: JSON, bounded in size and time. */
import type { Clock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { quote } from "../../shared/spec/problems.ts";

/** Beyond the limit this much more is read and dropped, so that the client is still there for the answer. */
const DRAIN_BYTES = 4 * LIMITS.httpBodyBytes;

/**
 * The body as a JSON object; `{}` when there is none and `isOptional`. Throws `bad_request`, `too_large`, or
 * `timed_out` when it does not arrive.
 */
export async function readObject(
  request: Request,
  { clock, isOptional = false }: { clock: Clock; isOptional?: boolean },
): Promise<Record<string, unknown>> {
  const type = request.headers.get("content-type") ?? "";
  const isJson = /^application\/json\s*(;|$)/i.test(type);
  if (!isJson && (type !== "" || !isOptional)) {
    const is = type === "" ? "it is missing" : `current value is ${quote(type)}`;
    throw new AppError(
      "bad_request",
      `Cannot read the request: Content-Type must be application/json, ${is}`,
    );
  }
  const text = await readText(request, clock);
  if (text === "" && isOptional) return {};
  const value = parse(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new AppError(
    "bad_request",
    `Cannot read the request: the body must be a JSON object, it is ${quote(value)}`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.slice(0, 200) : "";
    const message = text.trim() === ""
      ? "Cannot read the request: the body must be a JSON object, it is empty"
      : `Cannot read the request: the body must be JSON: ${why}`;
    throw new AppError("bad_request", message, { cause });
  }
}

async function readText(request: Request, clock: Clock): Promise<string> {
  if (!request.body) return "";
  const told = Number(request.headers.get("content-length") ?? NaN);
  if (told > DRAIN_BYTES) throw tooLarge(told);
  const reader = request.body.getReader();
  let isLate = false;
  const cancel = clock.after(LIMITS.httpBodyMs, () => {
    isLate = true;
    reader.cancel().catch(() => {});
  });
  try {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      sizeBytes += next.value.length;
      if (sizeBytes > DRAIN_BYTES) throw tooLarge(sizeBytes);
      if (sizeBytes <= LIMITS.httpBodyBytes) chunks.push(next.value);
      else chunks.length = 0;
    }
    if (isLate) {
      throw new AppError(
        "timed_out",
        `Cannot read the request: its body did not arrive in ${LIMITS.httpBodyMs} ms`,
      );
    }
    if (sizeBytes > LIMITS.httpBodyBytes) throw tooLarge(sizeBytes);
    return decode(chunks, sizeBytes);
  } finally {
    cancel();
  }
}

function decode(chunks: readonly Uint8Array[], sizeBytes: number): string {
  let bytes = chunks[0] ?? new Uint8Array();
  if (chunks.length > 1) {
    bytes = new Uint8Array(sizeBytes);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("bad_request", "Cannot read the request: the body must be UTF-8", { cause });
  }
}

function tooLarge(sizeBytes: number): AppError {
  const message =
    `Cannot read the request: the body must be at most ${LIMITS.httpBodyBytes} bytes, current value is ${sizeBytes}`;
  return new AppError("too_large", message, { hint: "Give large inputs by path or URL instead of inline" });
}

/** A field of an object by its name in any casing. */
export function fieldOf(body: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(body, name)) return body[name];
  const key = Object.keys(body).find((key) => key.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : body[key];
}
