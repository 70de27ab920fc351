/**
 * Contents by digest on disk: `<root>/<hex>` whole, `<hex>.part` unfinished, `<hex>.tree` unpacked, `<hex>.tree.sum` the
 * digest of that folder.
 *
 * What an earlier process left is looked through at its first use: after a power cut, or on a disk that lies, a file may
 * have its name and not its bytes. Then it is dropped and comes anew. So unpacked folders, thousands of files maybe, need
 * not be synced.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import { recogniseIo } from "../../shared/disk.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ContentStore } from "./host.ts";

/** A content store in a folder of its own. */
export class ContentFolder implements ContentStore {
  readonly #root: string;
  /** Contents known to be here and right → uptime of their last use. */
  readonly #known = new Map<string, number>();
  /** One that is being unpacked is waited for by whoever else wants it. */
  readonly #unpacking = new Map<string, Promise<void>>();
  readonly #weighed = new Map<string, number>();
  readonly #clock: Pick<Clock, "uptimeMs">;

  constructor(root: string, clock: Pick<Clock, "uptimeMs">) {
    this.#root = root;
    this.#clock = clock;
    Deno.mkdirSync(root, { recursive: true, mode: 0o700 });
  }

  find(digest: string): string | undefined {
    const path = this.#path(digest);
    if (!this.#known.has(path) && !this.#isRight(path, digest)) return undefined;
    return this.#used(path);
  }

  #isRight(path: string, digest: string): boolean {
    if (!isThere(path)) return false;
    if (digestOfFile(path) === digest) return true;
    removeAll(path);
    return false;
  }

  #used(path: string): string {
    this.#known.set(path, this.#clock.uptimeMs());
    return path;
  }

  partialBytes(digest: string): number {
    try {
      return Deno.statSync(`${this.#path(digest)}.part`).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return 0;
      throw recogniseIo(error, "Cannot look at stored content");
    }
  }

  append(digest: string, bytes: Uint8Array): void {
    try {
      Deno.writeFileSync(`${this.#path(digest)}.part`, bytes, { append: true });
    } catch (error) {
      throw recogniseIo(error, "Cannot store content");
    }
  }

  finish(digest: string): string {
    const path = this.#path(digest);
    const part = `${path}.part`;
    if (this.partialBytes(digest) === 0) this.append(digest, new Uint8Array());
    const found = digestOfFile(part);
    if (found !== digest) {
      Deno.removeSync(part);
      throw new AppError("input_failed", `Cannot use content "${digest.slice(0, 19)}": it arrived damaged`, {
        hint: "Try again; when it stays, the orchestrator's copy is damaged",
      });
    }
    return this.#keep(part, path);
  }

  put(bytes: Uint8Array): { digest: string; path: string } {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const found = this.find(digest);
    if (found !== undefined) return { digest, path: found };
    const path = this.#path(digest);
    try {
      Deno.writeFileSync(`${path}.put`, bytes);
    } catch (error) {
      throw recogniseIo(error, "Cannot store content");
    }
    return { digest, path: this.#keep(`${path}.put`, path) };
  }

  /** Gives a written file its name: on disk when it returns. */
  #keep(from: string, path: string): string {
    try {
      syncPath(from);
      Deno.renameSync(from, path);
      syncPath(this.#root);
    } catch (error) {
      throw recogniseIo(error, "Cannot store content");
    }
    return this.#used(path);
  }

  async tree(contentPath: string, unpack: (folder: string) => Promise<void>): Promise<string> {
    const path = `${contentPath}.tree`;
    if (!this.#known.has(path)) {
      let unpacking = this.#unpacking.get(path);
      if (unpacking === undefined) {
        unpacking = haveTree(path, unpack).finally(() => this.#unpacking.delete(path));
        this.#unpacking.set(path, unpacking);
      }
      await unpacking;
    }
    return this.#used(path);
  }

  sweep(
    inUse: () => ReadonlySet<string>,
    { bytesMax = LIMITS.contentCacheBytes, isDry = false }: { bytesMax?: number; isDry?: boolean } = {},
  ): { count: number; bytes: number } {
    const found = this.#found();
    let bytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const gone = { count: 0, bytes: 0 };
    if (bytes <= bytesMax) return gone;
    const kept = new Set([...inUse()].map((digest) => this.#path(digest)));
    found.sort((a, b) => a.usedAtMs - b.usedAtMs || a.changedAtMs - b.changedAtMs);
    for (const { path, sizeBytes, usedAtMs } of found) {
      if (bytes <= bytesMax) break;
      // What was used a moment ago may belong to an execution that is being prepared.
      const isRecent = this.#clock.uptimeMs() - usedAtMs < LIMITS.contentWaitMs;
      if (isRecent || kept.has(path.replace(/\.(part|put|tree|tree\.unpacking)$/, ""))) continue;
      if (!isDry) this.#remove(path);
      bytes -= sizeBytes;
      gone.count++;
      gone.bytes += sizeBytes;
    }
    return gone;
  }

  held(): { count: number; bytes: number } {
    const found = this.#found();
    return { count: found.length, bytes: found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  #found() {
    return [...Deno.readDirSync(this.#root)].filter(({ name }) => !name.endsWith(".sum"))
      .map(({ name }) => this.#weigh(`${this.#root}/${name}`));
  }

  #remove(path: string): void {
    this.#known.delete(path);
    this.#weighed.delete(path);
    removeAll(path);
    if (path.endsWith(".tree")) removeAll(`${path}.sum`);
  }

  /** What this process has not used goes first, the oldest of it by the wall clock, which is good enough for that. */
  #weigh(path: string): { path: string; sizeBytes: number; usedAtMs: number; changedAtMs: number } {
    const info = Deno.lstatSync(path);
    return {
      path,
      sizeBytes: info.isDirectory ? this.#treeBytes(path) : info.size,
      usedAtMs: this.#known.get(path) ?? -Infinity,
      changedAtMs: info.mtime?.getTime() ?? 0,
    };
  }

  /** Unpacked archives never change: each is weighed once. */
  #treeBytes(path: string): number {
    let bytes = this.#weighed.get(path);
    if (bytes === undefined) {
      bytes = treeBytes(path);
      if (path.endsWith(".tree")) this.#weighed.set(path, bytes);
    }
    return bytes;
  }

  #path(digest: string): string {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) {
      throw new AppError(
        "input_failed",
        `Cannot use content "${digest.slice(0, 80)}": it must be sha256:<64 hex digits>`,
      );
    }
    return `${this.#root}/${hex}`;
  }
}

/** Sees to it that the folder is there and holds what was unpacked. */
async function haveTree(path: string, unpack: (folder: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.unpacking`;
  try {
    if (isThere(path)) {
      if (await digestOfTree(path) === readIfThere(`${path}.sum`)) return;
      removeAll(path);
    }
    removeAll(fresh);
    Deno.mkdirSync(fresh, { mode: 0o755 });
    await unpack(fresh);
    Deno.writeTextFileSync(`${path}.sum`, await digestOfTree(fresh));
    Deno.renameSync(fresh, path);
  } catch (error) {
    removeAll(fresh);
    throw error instanceof AppError ? error : recogniseIo(error, "Cannot unpack an input");
  }
}

/** Names, rights, sizes and bytes of everything in a folder. */
async function digestOfTree(root: string): Promise<string> {
  const hash = createHash("sha256");
  const pending = [""];
  for (let prefix; (prefix = pending.pop()) !== undefined;) {
    const entries = [...Deno.readDirSync(`${root}/${prefix}`)].sort((a, b) => a.name < b.name ? -1 : 1);
    for (const { name, isDirectory } of entries) {
      const path = `${prefix}${name}`;
      const { mode, size } = Deno.lstatSync(`${root}/${path}`);
      hash.update(JSON.stringify(isDirectory ? [path] : [path, mode, size]));
      if (isDirectory) pending.push(`${path}/`);
      else for await (const bytes of (await Deno.open(`${root}/${path}`)).readable) hash.update(bytes);
    }
  }
  return `sha256:${hash.digest("hex")}`;
}

function readIfThere(path: string): string | undefined {
  return isThere(path) ? Deno.readTextFileSync(path) : undefined;
}

function syncPath(path: string): void {
  using file = Deno.openSync(path);
  file.syncSync();
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw recogniseIo(error, "Cannot look at stored content");
  }
}

function removeAll(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw recogniseIo(error, "Cannot remove stored content");
  }
}

function treeBytes(folder: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    bytes += isDirectory ? treeBytes(`${folder}/${name}`) : Deno.lstatSync(`${folder}/${name}`).size;
  }
  return bytes;
}

function digestOfFile(path: string): string {
  const hash = createHash("sha256");
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(LIMITS.chunkBytes);
  for (let count; (count = file.readSync(bytes)) !== null;) hash.update(bytes.subarray(0, count));
  return `sha256:${hash.digest("hex")}`;
}
