/**
 * The engine `wasm`: runs WASI preview 1 modules in child processes of the same executable.
 *
 * A module cannot be asked to end: WASI preview 1 has no signals. So `stop` kills at once, whatever the grace.
 *
 * Children outlive an agent that is killed; the next one finds them by `<folder>/.engine` (see `execution_file.ts`) and
 * the identity of their process, waits for them by looking at that file, and kills no process but the one it names.
 */
import { AppError } from "../../shared/errors.ts";
import { orAborted } from "../../shared/abort.ts";
import type { Engine, EngineExit, EngineHeld, EngineProbe, EngineRun, EngineTask } from "./engine.ts";
import { executionFile, listRuns, type ProcessIdentity, readState, writeExit } from "./execution_file.ts";
import { endLogs } from "./log_files.ts";
import { isAlive, readBootId } from "./process_identity.ts";
import { parseWasmParams } from "./wasm_params.ts";
import { type ChildEnd, ChildPool, type WasmChild } from "./wasm_pool.ts";
import type { WasmReply } from "./wasm_protocol.ts";

/** Between two looks at the files of executions that were taken over; grows from the first to the second. */
const LOOK_FIRST_MS = 50;
const LOOK_LATER_MS = 250;
/** A state file without a readable line is looked at again for so long: its writer may be in the middle of it. */
const UNREADABLE_MS = 1000;
/** Executions looked at side by side. */
const LOOK_PARALLEL = 32;
const IDLE_MS_DEFAULT = 10_000;

/** How the engine is opened. */
export interface WasmEngineOptions {
  /** Command that starts a child: `wasmChildCommand()`. */
  readonly command: readonly string[];
  /** Idle children that are kept ready; the number of cores unless given. */
  readonly idleMax?: number;
  /** For how long; ten seconds unless given. */
  readonly idleMs?: number;
}

/** An execution that the engine knows of, in its latest run. */
interface Held {
  readonly executionId: string;
  readonly run: number;
  readonly folder: string;
  readonly exited: PromiseWithResolvers<EngineExit>;
  started: Promise<void>;
  exit?: EngineExit;
  /** The process that has it: a child of this engine, or one taken over. */
  child?: WasmChild;
  process?: ProcessIdentity;
  isStopping: boolean;
}

/** Opens the engine. Starts nothing yet. */
export async function openWasmEngine(options: WasmEngineOptions): Promise<Engine> {
  return new WasmEngine(options, await readBootId());
}

class WasmEngine implements Engine {
  readonly type = "wasm";
  readonly #pool: ChildPool;
  readonly #bootId: string;
  readonly #held = new Map<string, Held>();
  /** Executions taken over that may still run. */
  readonly #watched = new Set<Held>();
  #lookMs = LOOK_FIRST_MS;
  #lookTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: WasmEngineOptions, bootId: string) {
    this.#bootId = bootId;
    this.#pool = new ChildPool({
      command: options.command,
      bootId,
      idleMax: options.idleMax ?? Math.max(1, navigator.hardwareConcurrency),
      idleMs: options.idleMs ?? IDLE_MS_DEFAULT,
    });
  }

  probe(): Promise<EngineProbe> {
    const isHere = Deno.build.os === "linux" || Deno.build.os === "darwin";
    if (isHere) return Promise.resolve({ isAvailable: true, version: `wasi-preview1 v8/${Deno.version.v8}` });
    return Promise.resolve({
      isAvailable: false,
      reason: `The engine wasm does not run on ${Deno.build.os}`,
      hint: "Use Linux or macOS.",
    });
  }

  async start(task: EngineTask): Promise<void> {
    const known = this.#held.get(task.executionId);
    if (known !== undefined && known.run >= task.run) return await known.started;
    if (known !== undefined && known.exit === undefined) {
      throw new AppError("conflict", "Cannot start the task again: its run before has not ended");
    }
    parseWasmParams(task.params);
    const held = this.#hold(task.executionId, task);
    held.started = this.#startIn(held, task);
    try {
      await held.started;
    } catch (error) {
      if (held.exit === undefined) this.#held.delete(held.executionId);
      throw error;
    }
  }

  async wait(executionId: string, signal?: AbortSignal): Promise<EngineExit> {
    const held = this.#held.get(executionId);
    if (held === undefined) return interrupted("The engine knows nothing of the execution");
    return await orAborted(held.exited.promise, signal);
  }

  async stop(executionId: string, _options: { graceMs: number }): Promise<void> {
    const held = this.#held.get(executionId);
    if (held === undefined || held.exit !== undefined) return;
    held.isStopping = true;
    await held.started.catch(() => {});
    if (held.exit !== undefined || !this.#held.has(executionId)) return;
    if (held.child !== undefined) held.child.kill();
    else await this.#killAdopted(held);
    await held.exited.promise;
  }

  async list(runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]> {
    const entries = [...runs];
    const found: EngineHeld[] = [];
    for (let i = 0; i < entries.length; i += LOOK_PARALLEL) {
      const part = entries.slice(i, i + LOOK_PARALLEL).map(([id, run]) => this.#listOne(id, run));
      for (const held of await Promise.all(part)) if (held !== undefined) found.push(held);
    }
    return found;
  }

  forget(executionId: string): void {
    if (this.#held.get(executionId)?.exit !== undefined) this.#held.delete(executionId);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#lookTimer);
    await this.#pool.close();
    for (const held of this.#held.values()) {
      held.exited.reject(new AppError("unavailable", "Cannot wait for execution: the engine is closed"));
    }
  }

  #hold(executionId: string, { folder, run }: EngineRun): Held {
    const exited = Promise.withResolvers<EngineExit>();
    exited.promise.catch(() => {});
    const held: Held = { executionId, run, folder, exited, started: Promise.resolve(), isStopping: false };
    this.#held.set(executionId, held);
    return held;
  }

  #end(held: Held, exit: EngineExit): void {
    held.exit ??= exit;
    held.child = undefined;
    held.process = undefined;
    this.#watched.delete(held);
    held.exited.resolve(held.exit);
  }

  async #startIn(held: Held, task: EngineTask): Promise<void> {
    if (task.run > 0) await this.#endOthers(task);
    const child = await this.#pool.take();
    if (held.isStopping) {
      this.#pool.giveBack(child);
      return this.#end(held, { kind: "stopped" });
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    held.child = child;
    child.order({ task }, {
      onReply: (reply) => this.#onReply(held, reply).then(resolve, reject),
      onEnd: (end) => this.#onChildEnd(held, end).then(resolve, reject),
    });
    await promise;
  }

  /** Resolves when the execution is known to have been started, rejects when it was not. */
  async #onReply(held: Held, reply: WasmReply): Promise<void> {
    switch (reply.kind) {
      case "ready":
      case "started":
        return;
      case "ended":
        return this.#end(held, reply.exit);
      case "held":
        held.child = undefined;
        await this.#adopt(held);
        return;
      case "refused":
        held.child = undefined;
        throw new AppError("io", `Cannot start task in "${held.folder}": ${reply.message}`, {
          hint: "See whether the node's data folder is there and can be written.",
        });
    }
  }

  /** A child ended while it had the execution. */
  async #onChildEnd(held: Held, end: ChildEnd): Promise<void> {
    const state = await this.#readStateOf(held);
    if (state === undefined) {
      held.child = undefined;
      throw new AppError(
        "unavailable",
        `Cannot start task: its process ended with ${end.signal ?? end.exitCode}`,
        {
          hint: "See whether the node's memory is used up.",
        },
      );
    }
    const recorded = state === "unreadable" ? undefined : state.exit;
    if (recorded !== undefined) return this.#end(held, recorded);
    this.#endDead(held, exitOfDead(held, end));
  }

  /** Records the end of an execution whose process is surely dead and left no record. */
  #endDead(held: Held, exit: EngineExit): void {
    try {
      writeExit(held.folder, exit, { run: held.run });
      endLogs(held.folder, Date.now());
    } catch {
      // A folder that is gone or full: whoever waits hears of the end all the same, and a later look finds nobody alive.
    }
    this.#end(held, exit);
  }

  async #listOne(executionId: string, run: EngineRun): Promise<EngineHeld | undefined> {
    let held = this.#held.get(executionId);
    if (held === undefined) {
      if (await isNeverStarted(run)) return void await this.#endOthers(run);
      held = this.#held.get(executionId) ?? this.#hold(executionId, run);
      await this.#adopt(held);
    }
    if (held.run !== run.run) return undefined;
    if (held.exit === undefined) return { executionId, isRunning: true };
    return { executionId, isRunning: false, exit: held.exit };
  }

  /** Ends what other runs left, and forgets them. One that nobody has a record of is ended only if it surely runs. */
  async #endOthers({ folder, run }: EngineRun): Promise<void> {
    for (const other of await listRuns(folder)) {
      if (other === run) continue;
      const state = await readState(folder, other);
      if (state !== undefined && state !== "unreadable" && state.exit === undefined) {
        await this.#kill(state.process);
      }
      await Deno.remove(executionFile(folder, other)).catch(() => {});
    }
  }

  /** Takes over an execution that has a state file: ends it if nobody runs it, else watches it. */
  async #adopt(held: Held): Promise<void> {
    this.#watched.add(held);
    this.#lookMs = LOOK_FIRST_MS;
    await this.#lookIfPossible(held);
    this.#lookLater();
  }

  /** The process that the file names; nobody when it names none for a while: its writer may be in the middle of it. */
  async #processOf(held: Held): Promise<ProcessIdentity> {
    if (held.process !== undefined) return held.process;
    for (const until = performance.now() + UNREADABLE_MS; performance.now() < until;) {
      const state = await readState(held.folder, held.run);
      if (state === undefined) break;
      if (state !== "unreadable") return held.process = state.process;
      await pauseMs(LOOK_FIRST_MS);
    }
    return held.process = NOBODY;
  }

  /** The file, as soon as it can be read. */
  async #readStateOf(held: Held): ReturnType<typeof readState> {
    for (;;) {
      try {
        return await readState(held.folder, held.run);
      } catch (error) {
        if (this.#isClosed) throw error;
        await pauseMs(LOOK_LATER_MS);
      }
    }
  }

  /** Compares the file with the process, and ends the execution when one of them says so. */
  async #look(held: Held): Promise<void> {
    if (held.exit !== undefined) return;
    const isRunning = await isAlive(await this.#processOf(held), this.#bootId);
    // Read after the process was looked at: a dead one writes nothing any more.
    const state = await readState(held.folder, held.run);
    const readable = state === "unreadable" ? undefined : state;
    if (readable?.exit !== undefined && !(readable.isDying && isRunning)) {
      return this.#end(held, readable.exit);
    }
    if (isRunning) return;
    this.#endDead(
      held,
      held.isStopping ? { kind: "stopped" } : interrupted("The process that ran the module is gone"),
    );
  }

  /** What cannot be seen at the moment, for want of descriptors or rights, is neither running nor dead: it stays watched. */
  async #lookIfPossible(held: Held): Promise<void> {
    try {
      await this.#look(held);
    } catch {
      // The next look may see it; whoever wants it stopped is told why that cannot be done.
    }
  }

  #lookLater(): void {
    if (this.#lookTimer !== undefined || this.#isClosed || this.#watched.size === 0) return;
    this.#lookTimer = setTimeout(async () => {
      for (const held of [...this.#watched]) await this.#lookIfPossible(held);
      this.#lookTimer = undefined;
      this.#lookMs = Math.min(this.#lookMs * 1.5, LOOK_LATER_MS);
      this.#lookLater();
    }, this.#lookMs);
  }

  /** Errors: `unavailable`, `io` when it cannot be seen whether that process is there. */
  async #killAdopted(held: Held): Promise<void> {
    await this.#kill(await this.#processOf(held));
    await this.#look(held);
  }

  async #kill(process: ProcessIdentity): Promise<void> {
    while (await isAlive(process, this.#bootId)) {
      try {
        Deno.kill(process.pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      await pauseMs(5);
    }
  }
}

/** One whose file cannot be read may have been started. */
async function isNeverStarted({ folder, run }: EngineRun): Promise<boolean> {
  try {
    return await readState(folder, run) === undefined;
  } catch {
    return false;
  }
}

/** No process has this identity. */
const NOBODY: ProcessIdentity = { pid: 0, startedAt: "", bootId: "" };

const pauseMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function exitOfDead(held: Held, end: ChildEnd): EngineExit {
  if (held.isStopping) return { kind: "stopped" };
  // V8 ends the process so when its own heap is full, which only a module that uses garbage collection brings about.
  if (end.signal === "SIGTRAP" || end.signal === "SIGABRT" || end.signal === "SIGILL") {
    return {
      kind: "failed",
      code: "memory_exceeded",
      message: `The process that ran the module ran out of memory (${end.signal})`,
      hint: "Give the task more memory, or let the module allocate less.",
    };
  }
  return interrupted(
    `The process that ran the module ended with ${end.signal ?? `exit code ${end.exitCode}`}`,
  );
}

function interrupted(message: string): EngineExit {
  return {
    kind: "failed",
    code: "interrupted",
    message,
    hint: "Somebody ended it, or the machine ran out of memory: the system's log may say more.",
  };
}
