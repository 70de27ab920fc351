/** Free space: below the reserve new work is refused, so that state can always be recorded. */
import { statfsSync } from "node:fs";
import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** Bytes that this user may still write in the folder's file system. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return Number(bavail) * Number(bsize);
}

/** Whether something is at the path. Errors of the system but "not found" are thrown. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Bytes of the file at the path; 0 where there is none. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** How long one look at the disk is good for. */
const LOOK_MS = 1000;

/** Tells why no new work may be taken: the free space is below the reserve. Looks at most once a second. */
export function openDiskGuard(
  options: { folder: string; uptimeMs: () => number; reserveBytes?: number },
): () => AppError | undefined {
  const reserveBytes = options.reserveBytes ?? LIMITS.diskReserveBytes;
  let lookedAtMs = -Infinity;
  let refusal: AppError | undefined;
  return () => {
    if (options.uptimeMs() - lookedAtMs < LOOK_MS) return refusal;
    lookedAtMs = options.uptimeMs();
    const free = freeBytes(options.folder);
    refusal = free >= reserveBytes ? undefined : new AppError(
      "disk_full",
      `Cannot take new work: at least ${mib(reserveBytes)} must be free in "${options.folder}", currently ${
        mib(free)
      } are`,
      { hint: "Free some space: old results and logs are in the data folder" },
    );
    return refusal;
  };
}

const mib = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MiB`;

/** Foreign errors of the file system, recognised once: `disk_full`, else `io`. `what` could not be done. */
export function recogniseIo(cause: unknown, what: string): AppError {
  if (cause instanceof AppError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/ENOSPC|No space left|os error 28|EDQUOT|os error 122/.test(text)) {
    return new AppError("disk_full", `${what}: the disk is full`, {
      hint: "Free some space on the node",
      cause,
    });
  }
  return new AppError("io", `${what}: ${text}`, {
    hint: "Check the folder's owner, its permissions and the mount",
    cause,
  });
}
