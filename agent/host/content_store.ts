/** Contents by digest on disk: `<root>/<hex>` whole, `<hex>.part` unfinished, `<hex>.tree` unpacked. */
import { createHash } from "node:crypto";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { recogniseIo } from "./folders.ts";
import type { ContentStore } from "./host.ts";

/** A content store in a folder of its own. */
export class ContentFolder implements ContentStore {
  readonly #root: string;
  /** Contents known to be here, with the time of their last use: a look at the disk for each use is not needed. */
  readonly #known = new Map<string, { path: string; usedAtMs: number }>();
  /** One that is being unpacked is waited for by whoever else wants it. */
  readonly #unpacking = new Map<string, Promise<void>>();
  readonly #weighed = new Map<string, number>();
  readonly #clock: { wallMs(): number };

  constructor(root: string, options: { wallMs(): number }) {
    this.#root = root;
    this.#clock = options;
    Deno.mkdirSync(root, { recursive: true, mode: 0o700 });
  }

  find(digest: string): string | undefined {
    const path = this.#path(digest);
    if (!this.#known.has(path) && !isThere(path)) return undefined;
    this.#known.set(path, { path, usedAtMs: this.#clock.wallMs() });
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
    Deno.renameSync(part, path);
    this.#known.set(path, { path, usedAtMs: this.#clock.wallMs() });
    return path;
  }

  put(bytes: Uint8Array): { digest: string; path: string } {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const found = this.find(digest);
    if (found !== undefined) return { digest, path: found };
    const path = this.#path(digest);
    try {
      Deno.writeFileSync(`${path}.put`, bytes);
      Deno.renameSync(`${path}.put`, path);
    } catch (error) {
      throw recogniseIo(error, "Cannot store content");
    }
    this.#known.set(path, { path, usedAtMs: this.#clock.wallMs() });
    return { digest, path };
  }

  async tree(contentPath: string, unpack: (folder: string) => Promise<void>): Promise<string> {
    const path = `${contentPath}.tree`;
    if (!this.#known.has(path) && !isThere(path)) {
      let unpacking = this.#unpacking.get(path);
      if (unpacking === undefined) {
        unpacking = unpackInto(path, unpack).finally(() => this.#unpacking.delete(path));
        this.#unpacking.set(path, unpacking);
      }
      await unpacking;
    }
    this.#known.set(path, { path, usedAtMs: this.#clock.wallMs() });
    return path;
  }

  sweep(inUse: () => ReadonlySet<string>): void {
    const found = [...Deno.readDirSync(this.#root)].map(({ name }) => this.#weigh(`${this.#root}/${name}`));
    let bytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (bytes <= LIMITS.contentCacheBytes) return;
    const kept = new Set([...inUse()].map((digest) => this.#path(digest)));
    found.sort((a, b) => a.usedAtMs - b.usedAtMs);
    for (const { path, sizeBytes, usedAtMs } of found) {
      if (bytes <= LIMITS.contentCacheBytes) return;
      // What was used a moment ago may belong to an execution that is being prepared.
      const isRecent = this.#clock.wallMs() - usedAtMs < LIMITS.contentWaitMs;
      if (isRecent || kept.has(path.replace(/\.(part|put|tree|tree\.unpacking)$/, ""))) continue;
      this.#known.delete(path);
      this.#weighed.delete(path);
      removeAll(path);
      bytes -= sizeBytes;
    }
  }

  #weigh(path: string): { path: string; sizeBytes: number; usedAtMs: number } {
    const info = Deno.lstatSync(path);
    const usedAtMs = this.#known.get(path)?.usedAtMs ?? info.mtime?.getTime() ?? 0;
    return { path, sizeBytes: info.isDirectory ? this.#treeBytes(path) : info.size, usedAtMs };
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

async function unpackInto(path: string, unpack: (folder: string) => Promise<void>): Promise<void> {
  const fresh = `${path}.unpacking`;
  removeAll(fresh);
  try {
    Deno.mkdirSync(fresh, { mode: 0o755 });
    await unpack(fresh);
    Deno.renameSync(fresh, path);
  } catch (error) {
    removeAll(fresh);
    throw error instanceof AppError ? error : recogniseIo(error, "Cannot unpack an input");
  }
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
