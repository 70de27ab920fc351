/**
 * Folders of executions on disk. `<root>/<execution id>/` holds what the engine writes (stdout, stderr, exitCode,
 * log.index, .engine) and a folder for each result: one level, because every folder costs a block of the disk.
 */
import { recogniseIo } from "../../shared/disk.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { RunOutput } from "../../shared/model/result.ts";
import type { ExecutionFolder, OutputPage, ResultFile, Workspace } from "./host.ts";

/** What belongs to the results beside their folders. Streams that an ended task printed nothing to have no file. */
const STREAMS = ["stderr", "stdout"];
const RESULT_FILES = ["exitCode", ...STREAMS];
/** Entries of one list of results. Beyond: refused, because the answer is one message. */
const LISTED_MAX = 5_000;

/** Begins the name of a folder that is being removed: no execution is called so. */
const REMOVING = ".removing-";

/** Reads pages of output as the engines write it. */
export type ReadOutput = (folder: string, cursor: string) => Promise<OutputPage>;

/** A workspace in a folder of its own. */
export class Folders implements Workspace {
  readonly #root: string;
  readonly #readOutput: ReadOutput;

  constructor(root: string, options: { readOutput: ReadOutput }) {
    this.#root = root;
    this.#readOutput = options.readOutput;
    Deno.mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const { name } of Deno.readDirSync(root)) {
      // What a crash has left of a removal. A failure is told when the next removal fails.
      if (name.startsWith(REMOVING)) removeTree(`${root}/${name}`).catch(() => {});
    }
  }

  pathOf(executionId: string): string {
    return `${this.#root}/${executionId}`;
  }

  async create(executionId: string, resultNames: readonly string[]): Promise<ExecutionFolder> {
    const path = this.pathOf(executionId);
    const resultPaths = resultNames.map((name) => `${path}/${name}`);
    try {
      // One call makes both levels; it may wait for the disk, and nothing else should.
      for (const folder of resultPaths.length > 0 ? resultPaths : [path]) {
        await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
      }
    } catch (cause) {
      throw recogniseIo(cause, `Cannot make the folder of execution "${executionId}"`);
    }
    return { path, resultPaths };
  }

  async remove(executionId: string): Promise<void> {
    // Under another name first: a crash then leaves nothing that looks like results, and the next start removes it.
    const gone = `${this.#root}/${REMOVING}${executionId}`;
    try {
      await Deno.rename(this.pathOf(executionId), gone);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) {
        throw recogniseIo(cause, `Cannot remove the folder of execution "${executionId}"`);
      }
    }
    await removeTree(gone);
  }

  async sizeOf(executionId: string): Promise<number> {
    let bytes = 0;
    const pending = [this.pathOf(executionId)];
    for (let folder; (folder = pending.pop()) !== undefined;) {
      try {
        for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
          const path = `${folder}/${name}`;
          if (isDirectory) pending.push(path);
          else if (isFile) bytes += (await lstatOrNothing(path))?.size ?? 0;
        }
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) continue;
        throw recogniseIo(cause, `Cannot weigh what execution "${executionId}" left`);
      }
    }
    return bytes;
  }

  async clearResults(executionId: string, resultNames: readonly string[]): Promise<void> {
    const folder = this.pathOf(executionId);
    for (const name of ["exitCode", ...resultNames]) {
      try {
        await Deno.remove(`${folder}/${name}`, { recursive: true });
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) continue;
        throw recogniseIo(cause, `Cannot clear the results of execution "${executionId}"`);
      }
    }
  }

  outputBytes(executionId: string): { stdout: number; stderr: number } {
    const folder = this.pathOf(executionId);
    return { stdout: sizeOf(`${folder}/stdout`), stderr: sizeOf(`${folder}/stderr`) };
  }

  readPreview(
    executionId: string,
    exitCode: number,
    from: { stdout: number; stderr: number } = { stdout: 0, stderr: 0 },
  ): RunOutput {
    const folder = this.pathOf(executionId);
    const [stdout, stdoutIsTruncated] = readStart(`${folder}/stdout`, from.stdout);
    const [stderr, stderrIsTruncated] = readStart(`${folder}/stderr`, from.stderr);
    return { stdout, stdoutIsTruncated, stderr, stderrIsTruncated, exitCode };
  }

  readOutput(executionId: string, cursor: string): Promise<OutputPage> {
    return this.#readOutput(this.pathOf(executionId), cursor);
  }

  async listResults(executionId: string): Promise<readonly ResultFile[]> {
    const folder = this.pathOf(executionId);
    const found: ResultFile[] = [];
    for (const name of RESULT_FILES) { // the exit code first: with it, the task has ended
      const info = await lstatOrNothing(`${folder}/${name}`);
      if (info?.isFile) found.push({ path: name, kind: "file", sizeBytes: info.size });
      else if (found.length > 0) found.push({ path: name, kind: "file", sizeBytes: 0 });
    }
    // Of what else is there, only folders are results: the files are the engine's.
    await collect(folder, "", found);
    return found.sort((a, b) => a.path < b.path ? -1 : 1);
  }

  async readResult(executionId: string, at: { path: string; offset: number; bytesMax: number }) {
    const hostPath = await this.#locate(executionId, at.path);
    if (hostPath === undefined) return { bytes: new Uint8Array(), sizeBytes: 0 };
    try {
      using file = await Deno.open(hostPath);
      const { size: sizeBytes } = await file.stat();
      const bytes = new Uint8Array(Math.max(0, Math.min(at.bytesMax, sizeBytes - at.offset)));
      if (bytes.length > 0) await file.seek(at.offset, Deno.SeekMode.Start);
      let length = 0;
      while (length < bytes.length) {
        const count = await file.read(bytes.subarray(length));
        if (count === null) break;
        length += count;
      }
      return { bytes: bytes.subarray(0, length), sizeBytes };
    } catch (cause) {
      throw recogniseIo(cause, `Cannot read "${at.path}" of execution "${executionId}"`);
    }
  }

  /** Every step of the path must be a real folder of the results: no "..", no link. Undefined for an empty stream. */
  async #locate(executionId: string, path: string): Promise<string | undefined> {
    const parts = path.split("/");
    let at = this.pathOf(executionId);
    if (parts.length === 1 && !RESULT_FILES.includes(path)) throw missing(executionId, path);
    for (const [index, part] of parts.entries()) {
      if (part === "" || part === "." || part === ".." || part.includes("\0")) {
        throw missing(executionId, path);
      }
      at += `/${part}`;
      const info = await lstatOrNothing(at);
      const isLast = index === parts.length - 1;
      if (info === undefined && STREAMS.includes(path)) return undefined;
      if (info === undefined || !(isLast ? info.isFile : info.isDirectory)) throw missing(executionId, path);
    }
    return at;
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return;
    throw recogniseIo(cause, `Cannot remove "${path}"`);
  }
}

function missing(executionId: string, path: string): AppError {
  return new AppError("not_found", `Cannot find "${path}" among the results of execution "${executionId}"`, {
    hint: "List the results first",
  });
}

async function collect(folder: string, prefix: string, found: ResultFile[]): Promise<void> {
  if (await lstatOrNothing(folder) === undefined) return;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    if (found.length >= LISTED_MAX) {
      throw new AppError("too_large", `Cannot list the results: they must be at most ${LISTED_MAX} files`, {
        hint: "Let the task pack them into an archive",
      });
    }
    const path = `${prefix}${name}`;
    if (isDirectory) {
      found.push({ path, kind: "folder", sizeBytes: 0 });
      await collect(`${folder}/${name}`, `${path}/`, found);
    } else if (isFile && prefix !== "") {
      const info = await lstatOrNothing(`${folder}/${name}`);
      if (info?.isFile) found.push({ path, kind: "file", sizeBytes: info.size });
    }
  }
}

async function lstatOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw recogniseIo(error, `Cannot look at "${path}"`);
  }
}

function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw recogniseIo(error, `Cannot look at "${path}"`);
  }
}

/** The first bytes from `offset` on as text, cut before a character that is not whole; and whether there is more. */
function readStart(path: string, offset: number): [text: string, isTruncated: boolean] {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return ["", false];
    throw recogniseIo(error, `Cannot read "${path}"`);
  }
  try {
    const bytes = new Uint8Array(LIMITS.outputPreviewBytes + 1);
    let length = 0;
    if (offset > 0) file.seekSync(offset, Deno.SeekMode.Start);
    for (let count; length < bytes.length && (count = file.readSync(bytes.subarray(length))) !== null;) {
      length += count;
    }
    const isTruncated = length > LIMITS.outputPreviewBytes;
    const kept = bytes.subarray(0, Math.min(length, LIMITS.outputPreviewBytes));
    // A stream decoder keeps back the beginning of a character that is cut.
    return [new TextDecoder().decode(kept, { stream: isTruncated }), isTruncated];
  } finally {
    file.close();
  }
}
