/**
 * Whether the Docker Engine's disk was full while a container ran. What it cannot write of a container's output the engine drops,
 * and tells nobody: so the disk is looked at while containers run, and what it did to one is noted beside its output.
 *
 * `<folder>/.docker.full.<run>`: empty; there when the disk was full during that run.
 */
import { existsSync, statfsSync } from "node:fs";
import type { Daemon } from "./docker_daemon.ts";

/** No disk takes more: after a look the next one comes before what is free then can be gone. */
const FILL_BYTES_PER_MS = 4 * 1024 * 1024;
/** Between two looks. A disk that is full for less than the shorter may go unnoticed. */
const LOOK_MS = { min: 10, max: 250 } as const;
/** Less than this is full: it does not take a program's next lines. */
const FULL_BYTES = 256 * 1024;

/** One run of a container, as its folder knows it. */
interface Run {
  readonly folder: string;
  readonly run: number;
}

/** Looks while there is something to look for. */
export class DockerDisk {
  readonly #daemon: Daemon;
  readonly #runs = new Map<string, { isFull: boolean; isNoted: boolean }>();
  /** Where the engine writes; undefined until it has told. */
  #root: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** From here on, or from when it was first asked for; and from before this process where that is noted. */
  watch(run: Run): void {
    if (this.#runs.has(noteOf(run))) return;
    const isNoted = existsSync(noteOf(run));
    this.#runs.set(noteOf(run), { isFull: isNoted, isNoted });
    this.#lookSoon();
  }

  /** Whether it was full during the run, as far as was seen. Asks the daemon once. */
  async wasFull(run: Run): Promise<boolean> {
    await this.#findRoot();
    this.#look();
    return this.#runs.get(noteOf(run))?.isFull ?? false;
  }

  unwatch(run: Run): void {
    this.#runs.delete(noteOf(run));
    if (this.#runs.size === 0) clearTimeout(this.#timer);
  }

  async #findRoot(): Promise<void> {
    this.#root ??= (await this.#daemon.info()).DockerRootDir;
  }

  /** Now, or once the daemon has told where it writes. */
  #lookSoon(): void {
    this.#findRoot().then(() => this.#look(), () => this.#lookAgainIn(LOOK_MS.max));
  }

  #lookAgainIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#runs.size > 0) this.#timer = setTimeout(() => this.#lookSoon(), ms);
  }

  #look(): void {
    const freeBytes = this.#root === undefined ? Infinity : freeBytesAt(this.#root);
    const isFull = freeBytes < FULL_BYTES;
    this.#lookAgainIn(Math.min(Math.max(freeBytes / FILL_BYTES_PER_MS, LOOK_MS.min), LOOK_MS.max));
    for (const [note, known] of this.#runs) {
      known.isFull ||= isFull;
      if (known.isFull && !known.isNoted) known.isNoted = isWritten(note);
    }
  }
}

const noteOf = ({ folder, run }: Run): string => `${folder}/.docker.full.${run}`;

/** The engine runs as root, which may use what is kept for it. A folder that is not on this machine says nothing. */
function freeBytesAt(folder: string): number {
  try {
    const { bfree, bsize } = statfsSync(folder);
    return Number(bfree) * Number(bsize);
  } catch {
    return Infinity;
  }
}

/** An empty file mostly finds room on a full disk; if not, the next look tries again. */
function isWritten(path: string): boolean {
  try {
    Deno.writeFileSync(path, new Uint8Array());
    return true;
  } catch {
    return false;
  }
}
