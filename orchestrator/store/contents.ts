/** Content by digest: what specs carry that is too large for a row. Written before the job that refers to it. */
import { exists } from "../../shared/disk.ts";
import { LIMITS } from "../../shared/limits.ts";
import { AppError } from "../../shared/errors.ts";

/** A store of immutable contents. */
export interface Contents {
  /** Keeps the bytes; durable when it resolves. A digest that is there already costs nothing. */
  put(digest: string, bytes: Uint8Array): Promise<void>;
  has(digest: string): Promise<boolean>;
  /** Up to `LIMITS.chunkBytes` from `offset` on; empty at the end. Errors: `not_found`. */
  read(digest: string, offset: number): Promise<Uint8Array>;
  /** Every digest there is, in any order. */
  list(): AsyncIterable<string>;
  /** Nothing happens when it is not there. */
  remove(digest: string): Promise<void>;
}

const PREFIX = "sha256:";
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Contents as files of a folder. */
export function openContents(folder: string): Contents {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o750 });
  const pathOf = (digest: string) => {
    if (!DIGEST.test(digest)) {
      throw new AppError("bad_request", `Cannot read content "${digest}": it is no digest`);
    }
    return `${folder}/${digest.slice(PREFIX.length)}`;
  };
  /** What is written at the moment; such files of others were left by a crash. */
  const writing = new Set<string>();
  return {
    async put(digest, bytes) {
      const path = pathOf(digest);
      if (await exists(path)) return;
      const temporary = `${path}.${crypto.randomUUID()}`;
      writing.add(temporary);
      try {
        using file = await Deno.open(temporary, { createNew: true, write: true, mode: 0o640 });
        let written = 0;
        while (written < bytes.length) written += await file.write(bytes.subarray(written));
        await file.sync();
        await Deno.rename(temporary, path);
        using parent = await Deno.open(folder);
        await parent.sync();
      } catch (cause) {
        await removeFile(temporary);
        throw new AppError("disk_full", "Cannot keep the job's content: the disk does not take it", {
          hint: "Free some space in the data folder, and submit again",
          cause,
        });
      } finally {
        writing.delete(temporary);
      }
    },
    has: (digest) => exists(pathOf(digest)),
    async read(digest, offset) {
      try {
        using file = await Deno.open(pathOf(digest));
        await file.seek(offset, Deno.SeekMode.Start);
        const buffer = new Uint8Array(LIMITS.chunkBytes);
        const count = await file.read(buffer);
        return buffer.subarray(0, count ?? 0);
      } catch (cause) {
        if (!(cause instanceof Deno.errors.NotFound)) throw cause;
        throw new AppError("not_found", `Cannot find content "${digest}"`, { cause });
      }
    },
    async *list() {
      for await (const { name } of Deno.readDir(folder)) {
        if (DIGEST.test(PREFIX + name)) yield PREFIX + name;
        else if (name.includes(".") && !writing.has(`${folder}/${name}`)) {
          await removeFile(`${folder}/${name}`);
        }
      }
    },
    remove: (digest) => removeFile(pathOf(digest)),
  };
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
