/** The API of a server, over HTTP: errors as `AppError`, lost answers asked again. */
import { AppError, type ErrorCode, ERRORS } from "../shared/errors.ts";
import type { Settings } from "./config.ts";
import { pause } from "./interrupt.ts";
import { formatJson, parseJson } from "./json.ts";
import { recordAt, textAt } from "./wire.ts";

/** Names and values of a query; undefined and empty ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What a request may carry. */
export interface RequestOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Beyond the usual time: how long the server may hold the answer back. */
  readonly heldMs?: number;
}

/** Every request may be asked again without harm: reads, stops, and submissions with their token. */
export interface Client {
  /** `http://127.0.0.1:1234` */
  readonly api: string;
  /** Set when the user named one. */
  readonly namespace?: string;
  get(path: string, options?: RequestOptions): Promise<unknown>;
  put(path: string, options: RequestOptions): Promise<unknown>;
  delete(path: string, options: RequestOptions): Promise<unknown>;
  /** The answer as it streams in; only its beginning is bound in time. */
  open(url: string, options: { headers?: Record<string, string>; signal?: AbortSignal }): Promise<Response>;
  /** Where a path of the API is: `ws://…` for sockets. */
  urlOf(path: string, options?: { query?: Query; isSocket?: boolean }): string;
  /** Unix ms by the server's clock, so that ages are right also when ours is wrong. */
  nowMs(): number;
}

const BASE = "/api/v1";
/** Pauses between attempts: a lost answer is asked for again within seconds. */
const PAUSES_MS = [150, 500, 1200];
/** A refused connection is final sooner: nothing listens there. */
const REFUSED_PAUSES_MS = [250];
/** Who waited for the whole time once does not wait much longer: only what changes something is asked again. */
const SILENT_PAUSES_MS = { read: [], write: [150] };
/** What an uploaded body may need: slow links send 16 KiB in a second. */
const UPLOAD_BYTES_PER_MS = 16;
const CLOCK_TOLERANCE_MS = 2000;

/** A client of the server that the settings name. Nothing is sent yet. */
export async function openClient(settings: Settings): Promise<Client> {
  const [api, timeoutMs, namespace] = [
    await settings.need("api"),
    await settings.need("api_timeout"),
    await settings.get("namespace"),
  ];
  let clockOffsetMs = 0;
  const urlOf: Client["urlOf"] = (path, { query, isSocket } = {}) => {
    const base = isSocket ? api.replace(/^http/, "ws") : api;
    return `${base}${BASE}${path}${formatQuery(query)}`;
  };
  const send = async (method: string, path: string, options: RequestOptions): Promise<unknown> => {
    const url = urlOf(path, options);
    const body = options.body === undefined ? undefined : formatJson(options.body);
    const patienceMs = timeoutMs + (options.heldMs ?? 0) + (body?.length ?? 0) / UPLOAD_BYTES_PER_MS;
    return await withRetries(async () => {
      const deadline = AbortSignal.timeout(patienceMs);
      const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
      const headers: Record<string, string> = body ? { "Content-Type": "application/json" } : {};
      const answer = await reach(url, { method, body, signal, headers }, api);
      const text = await answer.text().catch((error) => {
        throw unreachable(error, api);
      });
      const sentAtMs = Date.parse(answer.headers.get("date") ?? "");
      const offsetMs = sentAtMs - Date.now();
      if (Math.abs(offsetMs) > CLOCK_TOLERANCE_MS) clockOffsetMs = offsetMs;
      return readAnswer(answer, { text, api });
    }, { signal: options.signal, isWrite: method !== "GET" });
  };
  return {
    api,
    namespace,
    get: (path, options = {}) => send("GET", path, options),
    put: (path, options) => send("PUT", path, options),
    delete: (path, options) => send("DELETE", path, options),
    async open(url, { headers, signal }) {
      return await withRetries(() => reach(url, { headers, signal }, api), { signal });
    },
    urlOf,
    nowMs: () => Date.now() + clockOffsetMs,
  };
}

/** Repeats what failed for a reason that may pass. */
async function withRetries<Value>(
  attempt: () => Promise<Value>,
  { signal, isWrite = false }: { signal?: AbortSignal; isWrite?: boolean },
): Promise<Value> {
  for (let count = 0;; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof AppError) || !error.kind.isRetryable || signal?.aborted) throw error;
      const pauseMs = pausesAfter(error, isWrite)[count];
      if (pauseMs === undefined) throw error;
      await pause(pauseMs, signal);
    }
  }
}

function pausesAfter({ details }: AppError, isWrite: boolean): readonly number[] {
  if (details.cause === "refused") return REFUSED_PAUSES_MS;
  if (details.cause === "silent") return SILENT_PAUSES_MS[isWrite ? "write" : "read"];
  return PAUSES_MS;
}

async function reach(url: string, init: RequestInit, api: string): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    if (init.signal?.aborted && init.signal.reason?.name !== "TimeoutError") throw init.signal.reason;
    throw unreachable(error, api);
  }
}

/** Why nothing came back, in a few words, and what to do. */
export function unreachable(error: unknown, api: string): AppError {
  // Newer Deno puts the reason into the cause.
  const deepest = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = deepest instanceof Error ? `${deepest.name}: ${deepest.message}` : String(deepest);
  const isTimeout = /^TimeoutError/.test(text);
  const isRefused = /connection refused|os error 111/i.test(text);
  const isUnknown = /dns error|lookup/i.test(text);
  const isPlain = /InvalidContentType|wrong version number/i.test(text) && api.startsWith("https:");
  const why = isTimeout
    ? "no answer in time"
    : isRefused
    ? "connection refused"
    : isUnknown
    ? "no such host"
    : isPlain
    ? "it does not speak HTTPS"
    : text.replace(/\s*\(os error \d+\)$/, "").split(": ").at(-1);
  const isHere = /^https?:\/\/(127\.|localhost|\[::1\])/.test(api);
  const hint = isPlain
    ? `Try --api ${api.replace("https:", "http:")}`
    : isRefused && isHere
    ? "Start one with `skerry serve`, or say where it is with --api URL or SKERRY_API"
    : "Check the address (--api URL or SKERRY_API), and that the server runs and is reachable from here";
  return new AppError("unreachable", `Cannot reach the server at ${api}: ${why}`, {
    hint,
    cause: error,
    details: isRefused || isPlain ? { cause: "refused" } : isTimeout ? { cause: "silent" } : {},
  });
}

function readAnswer(answer: Response, { text, api }: { text: string; api: string }): unknown {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    const isBusy = [502, 503, 504].includes(answer.status);
    const what = answer.ok ? "something that is not JSON" : `HTTP ${answer.status} without an explanation`;
    throw new AppError(
      isBusy ? "unavailable" : "internal",
      `Cannot use the answer of ${api}: it is ${what}`,
      {
        hint: "Check that --api or SKERRY_API is the address of a Skerry server",
      },
    );
  }
  if (answer.ok) return value;
  const message = textAt(value, "Message") ?? textAt(value, "Error") ??
    `The server answered HTTP ${answer.status}`;
  throw new AppError(codeOf(answer.status, value), message, { hint: textAt(value, "Hint") });
}

/** Our code for an error envelope: its own code if it tells, else what fits its status and Bacalhau's name best. */
function codeOf(status: number, envelope: unknown): ErrorCode {
  const told = textAt(recordAt(envelope, "Details"), "code") ?? "";
  if (Object.hasOwn(ERRORS, told)) return told as ErrorCode;
  const wireCode = textAt(envelope, "Code");
  const codes = Object.keys(ERRORS) as ErrorCode[];
  return codes.find((code) => ERRORS[code].status === status && ERRORS[code].wireCode === wireCode) ??
    codes.find((code) => ERRORS[code].status === status) ?? (status < 500 ? "bad_request" : "internal");
}

function formatQuery(query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === "") continue;
    for (const part of Array.isArray(value) ? value : [value]) params.append(name, String(part));
  }
  return params.size ? `?${params}` : "";
}
