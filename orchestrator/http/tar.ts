/** Results as one `tar.gz`, written as it is read: the same files give the same bytes. */
import { createTarPacker } from "modern-tar";
import { AppError } from "../../shared/errors.ts";
import type { ResultEntry } from "../flow/desk.ts";

/** Files say nothing of when and by whom: so the same result is the same archive. */
const FIXED = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" };

/** Reads one file of a result; ends early when the signal says that nobody wants it any more. */
export type ReadFile = (path: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/**
 * The archive as a stream. Throws `io` before its first byte when an entry's path leads out of the folder. When a
 * file cannot be read to its told end the stream breaks off: no archive looks whole that is not.
 */
export function packResult(
  entries: readonly ResultEntry[],
  { read, onFailure }: { read: ReadFile; onFailure: (error: unknown) => void },
): ReadableStream<Uint8Array> {
  for (const { path } of entries) checkPath(path);
  const { readable, controller } = createTarPacker();
  const gone = new AbortController();
  const fill = async () => {
    for (const { path, kind, sizeBytes } of entries) {
      if (kind === "folder") {
        await controller.add({ ...FIXED, name: `${path}/`, type: "directory", mode: 0o755, size: 0 }).close();
      } else {
        const file = controller.add({ ...FIXED, name: path, type: "file", mode: 0o644, size: sizeBytes });
        await ReadableStream.from(exactly(sizeBytes, { path, pieces: read(path, gone.signal) })).pipeTo(file);
      }
    }
    controller.finalize();
  };
  fill().catch((error) => {
    if (!gone.signal.aborted) onFailure(error);
    gone.abort();
    controller.error(error);
  });
  const gzip = new CompressionStream("gzip");
  readable.pipeTo(gzip.writable as WritableStream<Uint8Array>).catch(() => gone.abort());
  return gzip.readable as ReadableStream<Uint8Array>;
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const isOut = path === "" || path.startsWith("/") ||
    parts.some((part) => part === "" || part === "." || part === "..");
  if (!isOut && !/[\0\\]/.test(path)) return;
  throw new AppError(
    "io",
    `Cannot send the results: ${JSON.stringify(path.slice(0, 200))} must be a path within them`,
  );
}

async function* exactly(
  sizeBytes: number,
  { path, pieces }: { path: string; pieces: AsyncIterable<Uint8Array> },
): AsyncIterable<Uint8Array> {
  let readBytes = 0;
  for await (const piece of pieces) {
    readBytes += piece.length;
    if (readBytes > sizeBytes) break;
    yield piece;
  }
  if (readBytes === sizeBytes) return;
  throw new AppError(
    "io",
    `Cannot send "${path}": it must have ${sizeBytes} bytes, current value is ${readBytes}`,
  );
}
