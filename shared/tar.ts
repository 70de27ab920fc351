/** Entries of a tar archive. What to do with those that are no plain files, or lead out of their folder, is the caller's choice. */
import { dirname } from "node:path";

/** One entry. Its content is read by `writeTo`, or left out when the next entry is asked for. */
export interface TarEntry {
  /** Relative, with `/`, without dots and doubled slashes; empty: the folder itself. Undefined when the name leads out. */
  readonly path: string | undefined;
  /** As the archive has it. */
  readonly name: string;
  /** `file`, `directory`, or what else tar knows. */
  readonly type: string;
  readonly sizeBytes: number;
  /** The entry's rights, as the archive has them. */
  readonly mode: number;
  /** Writes a file's content to a path whose folders are made. */
  writeTo(hostPath: string, options: { mode: number }): Promise<void>;
}

/** The entries in their order. Throws what is wrong with the archive as the decoder says it. */
export async function* tarEntries(stream: ReadableStream<Uint8Array>): AsyncGenerator<TarEntry> {
  const { createTarDecoder } = await import("modern-tar");
  for await (const { header, body } of stream.pipeThrough(createTarDecoder({ strict: true }))) {
    let isTaken = false;
    yield {
      path: innerPath(header.name),
      name: header.name,
      type: header.type ?? "file",
      sizeBytes: header.size,
      mode: header.mode ?? 0,
      async writeTo(hostPath, { mode }) {
        isTaken = true;
        await Deno.mkdir(dirname(hostPath), { recursive: true, mode: 0o755 });
        await Deno.writeFile(hostPath, body, { mode });
      },
    };
    if (!isTaken) await body.cancel();
  }
}

/** Longest name that is looked at. */
const NAME_MAX = 4096;

/** The path below the folder; empty for the folder itself, undefined when the name leads out. */
export function innerPath(name: string): string | undefined {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const leadsOut = name.startsWith("/") || parts.includes("..") || /[\\\0]/.test(name) ||
    name.length > NAME_MAX;
  return leadsOut ? undefined : parts.join("/");
}
