/**
 * Unpacks a gzipped tar safely: folders and plain files only, nothing outside the folder, bounded in bytes and files.
 * Links, devices and the like are refused.
 */
import { AppError, asAppError } from "../../shared/errors.ts";
import { tarEntries } from "../../shared/tar.ts";

/** Bounds of an archive once unpacked. */
export interface ArchiveBounds {
  readonly bytesMax: number;
  readonly filesMax: number;
}

/** What one entry costs beside its bytes: bounds the unpacked archive itself. */
const ENTRY_BYTES = 2048;

/** Into a folder that is there and empty. Errors: `input_failed`, saying what is wrong with the archive. */
export async function unpackTarGz(archivePath: string, folder: string, bounds: ArchiveBounds): Promise<void> {
  const file = await Deno.open(archivePath);
  const tar = file.readable
    .pipeThrough(new DecompressionStream("gzip") as TransformStream<Uint8Array, Uint8Array>)
    .pipeThrough(bounded(bounds.bytesMax + bounds.filesMax * ENTRY_BYTES, bounds));
  let [fileCount, totalBytes] = [0, 0];
  try {
    for await (const { path, name, type, ...entry } of tarEntries(tar)) {
      if (path === undefined) throw refused(`the name "${name.slice(0, 100)}" leads out of it`);
      totalBytes += entry.sizeBytes;
      if (++fileCount > bounds.filesMax) throw refused(`it must have at most ${bounds.filesMax} files`);
      if (totalBytes > bounds.bytesMax) throw tooLarge(bounds);
      if (type !== "file" && type !== "directory") {
        throw refused(`"${path}" must be a file or a folder, it is a ${type}`);
      }
      if (path === "") continue;
      const hostPath = `${folder}/${path}`;
      if (type === "directory") await Deno.mkdir(hostPath, { recursive: true, mode: 0o755 });
      else await entry.writeTo(hostPath, { mode: (entry.mode & 0o100) === 0 ? 0o644 : 0o755 });
    }
  } catch (error) {
    throw asKnown(error);
  }
}

/** Breaks off a stream that is longer than an archive within its bounds can be. */
function bounded(bytesMax: number, bounds: ArchiveBounds): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.length;
      if (bytes > bytesMax) controller.error(tooLarge(bounds));
      else controller.enqueue(chunk);
    },
  });
}

function asKnown(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { message } = asAppError(error);
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.IsADirectory) {
    return refused("a name in it is a file and a folder at once", error);
  }
  return refused(message, error);
}

const tooLarge = ({ bytesMax }: ArchiveBounds) => refused(`it must unpack to at most ${bytesMax} bytes`);

function refused(why: string, cause?: unknown): AppError {
  return new AppError("input_failed", `Cannot unpack an inline archive: ${why}`, {
    hint: "Send a .tar.gz of plain files and folders, or give the files one by one",
    cause,
  });
}
