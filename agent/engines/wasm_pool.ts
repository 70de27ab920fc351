/**
 * Children of the engine `wasm`: started when a task needs one, kept for a while when they are idle, none when nothing
 * runs. How many run is not bounded here: each has a task, and tasks are bounded by what the agent allocates.
 *
 * Starting a child costs as much as running a hundred small tasks. So beyond one per core, another one is started only
 * when tasks wait and none of the children comes free.
 */
import { AppError } from "../../shared/errors.ts";
import type { ProcessIdentity } from "./execution_file.ts";
import { readStartedAt } from "./process_identity.ts";
import type { WasmOrder, WasmReply } from "./wasm_protocol.ts";

/** Tasks wait this long without any child coming free before one more child is started. */
const STALLED_MS = 25;
/** Nor does a task wait longer than this for one of many short ones to end. */
const WAITING_MS = 250;
/** Children beyond `idleMax` stay idle this long: the pause between one task and the next when many are at work. */
const EXCESS_IDLE_MS = 1000;

/** How children are made and kept. */
export interface PoolOptions {
  readonly command: readonly string[];
  readonly bootId: string;
  /** Idle children that are kept, for `idleMs`. */
  readonly idleMax: number;
  readonly idleMs: number;
}

/** What became of a child's process. */
export interface ChildEnd {
  readonly signal: string | null;
  readonly exitCode: number;
}

/** Told of what a child does while it has a task. */
export interface ChildListener {
  onReply(reply: WasmReply): void;
  /** The process has ended. */
  onEnd(end: ChildEnd): void;
}

/** One child process. */
export class WasmChild {
  readonly identity: ProcessIdentity;
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<ChildEnd>;
  /** Who gave it a task. */
  listener: ChildListener | undefined;
  #isRead: Promise<void> = Promise.resolve();
  idleSinceMs = 0;

  private constructor(process: Deno.ChildProcess, identity: ProcessIdentity) {
    this.#process = process;
    this.identity = identity;
    this.#writer = process.stdin.getWriter();
    this.#writer.closed.catch(() => {});
    this.#reader = process.stdout.getReader();
    this.ended = process.status.then(({ signal, code }) => ({ signal, exitCode: code }));
  }

  /** Starts a process. `onIdle` is called when it can take an order, with true when it takes no further ones. */
  static async spawn(
    options: PoolOptions,
    onIdle: (child: WasmChild, isSpent: boolean) => void,
  ): Promise<WasmChild> {
    const [command, ...args] = options.command;
    let process: Deno.ChildProcess;
    try {
      process = new Deno.Command(command!, { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
    } catch (error) {
      throw new AppError(
        "unavailable",
        `Cannot start a process for WebAssembly: ${(error as Error).message}`,
        {
          hint: "See whether the node may start processes and has memory for them.",
          cause: error,
        },
      );
    }
    const startedAt = await startedAtOf(process);
    const child = new WasmChild(process, { pid: process.pid, startedAt, bootId: options.bootId });
    child.#isRead = child.#read(onIdle);
    return child;
  }

  /** Gives it a task; `listener` hears of everything until the task has ended. */
  order(order: Omit<WasmOrder, "process">, listener: ChildListener): void {
    this.listener = listener;
    this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ ...order, process: this.identity })}\n`))
      .catch(() => {});
  }

  /** Ends it at once. */
  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  get hasTask(): boolean {
    return this.listener !== undefined;
  }

  /** Ends one that has no task; resolves when it has ended. */
  async end(): Promise<void> {
    this.kill();
    await this.#isRead;
  }

  /** No more orders: it ends when it is idle. */
  async dismiss(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  /** Lets go of a child that still runs: it goes on by itself. */
  async release(): Promise<void> {
    this.listener = undefined;
    this.#process.unref();
    await this.dismiss();
    await this.#reader.cancel().catch(() => {});
  }

  async #read(onIdle: (child: WasmChild, isSpent: boolean) => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done) break;
        rest += decoder.decode(value, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop()!;
        for (const line of lines) this.#hear(JSON.parse(line) as WasmReply, onIdle);
      }
    } catch {
      // A line that cannot be read: the child is not to be trusted any more.
      this.kill();
    }
    const end = await this.ended;
    await this.#writer.close().catch(() => {});
    this.listener?.onEnd(end);
    this.listener = undefined;
  }

  #hear(reply: WasmReply, onIdle: (child: WasmChild, isSpent: boolean) => void): void {
    const { listener } = this;
    const isFree = reply.kind !== "started";
    const isSpent = reply.kind === "ended" && reply.isSpent;
    // A child that is about to end tells of the end of its task only when it has ended itself.
    if (isSpent) return void this.ended.then(() => listener?.onReply(reply));
    if (isFree) this.listener = undefined;
    listener?.onReply(reply);
    if (isFree) onIdle(this, isSpent);
  }
}

/** Nobody could find it again who does not know when it was started: then it is ended. */
async function startedAtOf(process: Deno.ChildProcess): Promise<string> {
  try {
    return await readStartedAt(process.pid) ?? "";
  } catch (error) {
    process.kill("SIGKILL");
    await Promise.allSettled([process.stdin.close(), process.stdout.cancel(), process.status]);
    throw error;
  }
}

interface Waiting {
  readonly sinceMs: number;
  readonly take: (child: WasmChild) => void;
  readonly refuse: (error: unknown) => void;
}

/** All children. */
export class ChildPool {
  readonly #options: PoolOptions;
  readonly #children = new Set<WasmChild>();
  /** The one that became idle last is at the end, and is taken first. */
  readonly #idle: WasmChild[] = [];
  readonly #waiting: Waiting[] = [];
  /** Children that have been started and have not said yet that they are ready. */
  #starting = 0;
  readonly #spawning = new Set<Promise<unknown>>();
  #freedAtMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Infinity;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#children.size;
  }

  /** A child that is free. Rejects with `unavailable` when none can be started. */
  take(): Promise<WasmChild> {
    const child = this.#idle.pop();
    if (child !== undefined) return Promise.resolve(child);
    return new Promise((take, refuse) => {
      this.#waiting.push({ sinceMs: performance.now(), take, refuse });
      this.#grow();
    });
  }

  /** One that was taken and given no task. */
  giveBack(child: WasmChild): void {
    this.#onIdle(child);
  }

  /** Ends idle children, lets go of the others. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const closed = new AppError("unavailable", "Cannot start task: the engine is closed");
    for (const { refuse } of this.#waiting.splice(0)) refuse(closed);
    await Promise.allSettled(this.#spawning);
    this.#idle.length = 0;
    await Promise.all([...this.#children].map((child) => child.hasTask ? child.release() : child.end()));
  }

  #onIdle(child: WasmChild): void {
    this.#freedAtMs = performance.now();
    const next = this.#waiting.shift();
    if (next !== undefined) return next.take(child);
    child.idleSinceMs = this.#freedAtMs;
    this.#idle.push(child);
    this.#wakeAt(
      this.#freedAtMs + (this.#idle.length > this.#options.idleMax ? EXCESS_IDLE_MS : this.#options.idleMs),
    );
  }

  /** Starts children that are due. */
  #grow(): void {
    const cores = Math.max(1, navigator.hardwareConcurrency);
    const nowMs = performance.now();
    const oldest = this.#waiting[0];
    if (oldest === undefined || this.#starting >= Math.min(cores, this.#waiting.length)) return;
    const isFirst = this.#children.size + this.#starting < cores;
    const dueMs = isFirst
      ? nowMs
      : Math.min(Math.max(this.#freedAtMs, oldest.sinceMs) + STALLED_MS, oldest.sinceMs + WAITING_MS);
    if (dueMs <= nowMs) this.#spawn();
    else this.#wakeAt(dueMs);
  }

  #spawn(): void {
    this.#starting++;
    let hasCome = false;
    const arrived = () => {
      if (!hasCome) this.#starting--;
      hasCome = true;
    };
    const spawning = WasmChild.spawn(this.#options, (child) => {
      arrived();
      this.#onIdle(child);
      this.#grow();
    }).then((child) => {
      this.#children.add(child);
      return child;
    });
    this.#spawning.add(spawning);
    spawning.finally(() => this.#spawning.delete(spawning)).then(async (child) => {
      const end = await child.ended;
      this.#children.delete(child);
      const at = this.#idle.indexOf(child);
      if (at >= 0) this.#idle.splice(at, 1);
      if (hasCome) return this.#grow();
      throw new AppError(
        "unavailable",
        `Cannot start a process for WebAssembly: it ended with ${end.signal ?? end.exitCode}`,
        {
          hint: "See whether the node's memory is used up, and whether its files are complete.",
        },
      );
    }).catch((error) => {
      arrived();
      for (const { refuse } of this.#waiting.splice(0)) refuse(error);
    });
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#timerAtMs || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, atMs - performance.now()));
    Deno.unrefTimer(this.#timer!);
  }

  #wake(): void {
    this.#timerAtMs = Infinity;
    this.#grow();
    const nowMs = performance.now();
    // Those at the front have been idle longest.
    for (const [i, child] of [...this.#idle].entries()) {
      const isExcess = this.#idle.length - i > this.#options.idleMax;
      const dueMs = child.idleSinceMs + (isExcess ? EXCESS_IDLE_MS : this.#options.idleMs);
      if (dueMs > nowMs + 1) {
        this.#wakeAt(dueMs);
        continue;
      }
      this.#idle.splice(this.#idle.indexOf(child), 1);
      child.dismiss();
    }
  }
}
