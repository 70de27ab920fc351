/** Downloading: resumed after a broken link where the server can, and complete or not there at all. */
import { AppError } from "../shared/errors.ts";
import { type Client, unreachable } from "./client.ts";
import { reasonOf } from "./file_errors.ts";
import { pause } from "./interrupt.ts";

/** A link that gives nothing for so long is taken for dead. */
const IDLE_MS = 30_000;
const RETRY_PAUSE_MS = 1000;
/** Attempts in a row that bring nothing new. */
const FRUITLESS_MAX = 5;

/** One file to fetch. */
export interface Download {
  readonly url: string;
  /** The finished file; `PATH.part` and `PATH.etag` are there until then, and let a later call go on. */
  readonly path: string;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => void;
}

/** Does nothing when the file is there already. */
export async function download(client: Client, { url, path, signal, onBytes }: Download): Promise<void> {
  if (await sizeOf(path) !== undefined) return;
  for (let fruitless = 0;;) {
    const before = await sizeOf(`${path}.part`) ?? 0;
    try {
      await fetchRest(client, { url, path, signal, onBytes });
      await Deno.rename(`${path}.part`, path);
      await Deno.remove(`${path}.etag`).catch(() => {});
      return;
    } catch (error) {
      signal.throwIfAborted();
      const lasting = error instanceof AppError ? error : unreachable(error, client.api);
      if (!lasting.kind.isRetryable) throw lasting;
      fruitless = (await sizeOf(`${path}.part`) ?? 0) > before ? 0 : fruitless + 1;
      if (fruitless >= FRUITLESS_MAX) throw lasting;
      await pause(RETRY_PAUSE_MS, signal);
    }
  }
}

async function fetchRest(client: Client, { url, path, signal, onBytes }: Download): Promise<void> {
  const idle = new AbortController();
  const give = () => idle.abort(new DOMException("no data", "TimeoutError"));
  let timer = setTimeout(give, IDLE_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(give, IDLE_MS);
  };
  try {
    const haveBytes = await sizeOf(`${path}.part`) ?? 0;
    const etag = await Deno.readTextFile(`${path}.etag`).catch(() => "");
    const canResume = haveBytes > 0 && etag !== "";
    const headers: Record<string, string> = canResume
      ? { Range: `bytes=${haveBytes}-`, "If-Range": etag }
      : {};
    const answer = await client.open(url, { headers, signal: AbortSignal.any([signal, idle.signal]) });
    const isRest = answer.status === 206 &&
      answer.headers.get("content-range")?.startsWith(`bytes ${haveBytes}-`) === true;
    if (!answer.ok || !answer.body || (answer.status === 206 && !isRest)) throw await refused(answer, url);
    await Deno.writeTextFile(`${path}.etag`, strongTag(answer.headers.get("etag")));
    using file = await Deno.open(`${path}.part`, {
      create: true,
      write: true,
      append: isRest,
      truncate: !isRest,
    });
    let gotBytes = 0;
    for await (const chunk of answer.body) {
      alive();
      await writeAll(file, chunk, path);
      gotBytes += chunk.length;
      onBytes(chunk.length);
    }
    const toldBytes = answer.headers.has("content-encoding")
      ? NaN
      : Number(answer.headers.get("content-length") ?? NaN);
    if (gotBytes < toldBytes) {
      throw new AppError("unavailable", `The download broke off after ${gotBytes} of ${toldBytes} bytes`);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** What cannot be written is no fault of the link, and not tried again. */
async function writeAll(file: Deno.FsFile, chunk: Uint8Array, path: string): Promise<void> {
  try {
    for (let from = 0; from < chunk.length;) from += await file.write(chunk.subarray(from));
  } catch (cause) {
    throw new AppError("io", `Cannot write ${path}: ${reasonOf(cause)}`, {
      hint: "The same command goes on where it stopped",
      cause,
    });
  }
}

/** Only a strong tag promises the same bytes. */
const strongTag = (etag: string | null): string => etag?.startsWith('"') ? etag : "";

async function refused(answer: Response, url: string): Promise<AppError> {
  await answer.body?.cancel();
  const where = new URL(url);
  const message =
    `Cannot download ${where.origin}${where.pathname}: the server answered HTTP ${answer.status}`;
  if (answer.status === 404) {
    return new AppError("not_found", message, { hint: "The results may have been swept away since" });
  }
  return new AppError(answer.status >= 500 || answer.status === 429 ? "unavailable" : "forbidden", message);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch {
    return undefined;
  }
}
