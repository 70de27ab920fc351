/**
 * Whether the Docker Engine's disk was full while a container ran. What it cannot write of a container's output the engine drops,
 * and tells nobody: so the disk is looked at while containers run, and what it did to one is noted beside its output.
 *
 * `<folder>/.docker.full.<run>`: empty; there when the disk was full during that run.
 */
import { existsSync, statfsSync } from "node:fs";
import type { Daemon } from "./docker_daemon.ts";

/** A disk that was full for less may go unnoticed. */
const LOOK_MS = 100;
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
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** From here on, and from before this process if the disk is full when it begins. */
  watch(run: Run): void {
    const isNoted = existsSync(noteOf(run));
    this.#runs.set(noteOf(run), { isFull: isNoted, isNoted });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS);
    this.#findRoot().then(() => this.#look(), () => {});
  }

  /** Whether it was full during the run, as far as was seen. Asks the daemon once. */
  async wasFull(run: Run): Promise<boolean> {
    await this.#findRoot();
    this.#look();
    return this.#runs.get(noteOf(run))?.isFull ?? false;
  }

  unwatch(run: Run): void {
    this.#runs.delete(noteOf(run));
    if (this.#runs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #findRoot(): Promise<void> {
    this.#root ??= (await this.#daemon.info()).DockerRootDir;
  }

  #look(): void {
    const isFull = this.#root !== undefined && isFullAt(this.#root);
    for (const [note, known] of this.#runs) {
      known.isFull ||= isFull;
      if (known.isFull && !known.isNoted) known.isNoted = isWritten(note);
    }
  }
}

const noteOf = ({ folder, run }: Run): string => `${folder}/.docker.full.${run}`;

/** The engine runs as root, which may use what is kept for it. A folder that is not on this machine says nothing. */
function isFullAt(folder: string): boolean {
  try {
    const { bfree, bsize } = statfsSync(folder);
    return Number(bfree) * Number(bsize) < FULL_BYTES;
  } catch {
    return false;
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
