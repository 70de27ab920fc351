/** Unpacking results: nothing is written outside the folder, whatever the archive says. */
import { join } from "node:path";
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { tarEntries } from "../shared/tar.ts";
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
  let [fileCount, sizeBytes, skippedCount] = [0, 0, 0];
  await Deno.mkdir(folder, { recursive: true });
  const file = await Deno.open(archive);
  const tar = file.readable.pipeThrough(
    new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>,
  );
  try {
    for await (const { path, name, type, ...entry } of tarEntries(tar)) {
      if (path === undefined) throw leadsOut(name);
      if (path === "" || !wanted(path)) continue;
      if (type === "directory") await Deno.mkdir(join(folder, path), { recursive: true });
      else if (type === "file") {
        // Only its owner's rights and whether it can be run are taken over.
        await entry.writeTo(join(folder, path), { mode: 0o644 | (entry.mode & 0o111) });
        fileCount++;
        sizeBytes += entry.sizeBytes;
      } else skippedCount++;
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

function leadsOut(name: string): AppError {
  return new AppError(
    "forbidden",
    `Cannot unpack the results: the path ${quote(name)} leads out of their folder`,
    {
      hint: "Nothing was written; tell who made the archive",
    },
  );
}
