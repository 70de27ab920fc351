/** Unpacking results: nothing is written outside the folder, whatever the archive says. */
import { dirname, join } from "node:path";
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { reasonOf } from "./file_errors.ts";

/** What was written. */
export interface Unpacked {
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Entries that are neither files nor folders: links and devices. */
  readonly skippedCount: number;
}

/**
 * Unpacks a `tar.gz` into a folder that nobody else writes to. `wanted` tells which entries, by their path with `/`.
 * Links are skipped, so no path can lead through one. Throws `forbidden` for a path that leads out, and `io`
 * for a broken archive.
 */
export async function unpack(
  archive: string,
  { folder, wanted }: { folder: string; wanted: (path: string) => boolean },
): Promise<Unpacked> {
  const { createTarDecoder } = await import("modern-tar");
  let [fileCount, sizeBytes, skippedCount] = [0, 0, 0];
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(archive);
  const entries = file.readable.pipeThrough(
    new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>,
  )
    .pipeThrough(createTarDecoder({ strict: true }));
  try {
    for await (const { header, body } of entries) {
      const path = innerPath(header.name);
      const isKept = path !== "" && wanted(path);
      const type = header.type ?? "file";
      if (isKept && type === "directory") await Deno.mkdir(join(folder, path), { recursive: true });
      else if (isKept && type === "file") {
        await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
        // Only its owner's rights and whether it can be run are taken over.
        const mode = 0o644 | ((header.mode ?? 0) & 0o111);
        await Deno.writeFile(join(folder, path), body, { mode });
        fileCount++;
        sizeBytes += header.size;
        continue;
      } else if (isKept) skippedCount++;
      await body.cancel();
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("io", `Cannot unpack the results: ${reasonOf(error)}`, {
      hint: "Fetch them again; --raw keeps the archive as it is",
      cause: error,
    });
  }
  return { fileCount, sizeBytes, skippedCount };
}

/** The path below the folder; empty for the folder itself. Throws `forbidden` when it leads out. */
export function innerPath(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const leadsOut = name.startsWith("/") || parts.includes("..") || /[\\\0]/.test(name);
  if (!leadsOut) return parts.join("/");
  throw new AppError(
    "forbidden",
    `Cannot unpack the results: the path ${quote(name)} leads out of their folder`,
    {
      hint: "Nothing was written; tell who made the archive",
    },
  );
}
