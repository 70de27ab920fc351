/** The simulated engine of one machine: its tasks outlive the agent, unless the machine goes down. */
import { AppError } from "../../shared/errors.ts";
import type {
  Engine,
  EngineExit,
  EngineHeld,
  EngineRun,
  EngineTask,
  ExecResult,
} from "../../agent/engines/engine.ts";
import { Dice, seedOf } from "./dice.ts";
import { type Life, never } from "./life.ts";
import type { Timeline } from "./timeline.ts";

/** How a job's tasks behave; each execution draws from it by its id. */
export interface Temper {
  readonly runMs: readonly [min: number, max: number];
  readonly exitCodes: readonly number[];
  /** Ratios, out of 1. */
  readonly startFails: number;
  readonly traps: number;
  readonly hangs: number;
  /** Ignores the stop signal until it is killed. */
  readonly isStubborn: boolean;
  readonly startMs: number;
  /** Ratio of health checks that fail. */
  readonly checksFail: number;
}

interface SimTask {
  readonly task: EngineTask;
  readonly temper: Temper;
  readonly startedAtMs: number;
  /** Undefined while it runs; `gone` when the machine went down under it. */
  exit?: EngineExit | "gone";
  readonly waiters: Set<() => void>;
  cancelEnd: () => void;
}

/** How long the disk may take to keep what is written without being synced. */
const UNSYNCED_MS = 5_000;
/** How long an engine looks for what it still holds. */
const LIST_MS = 500;

export interface EngineWatch {
  /** Before a task begins: `start` was called for it. */
  onStartAsked(executionId: string, run: number): void;
  onRunning(task: EngineTask): void;
  onEnded(executionId: string): void;
  /** Nothing tells any more that it was started. */
  onForgotten(executionId: string, run: number): void;
}

export class SimEngine {
  readonly #timeline: Timeline;
  readonly #name: string;
  readonly #watch: EngineWatch;
  readonly #forgetsStarts: boolean;
  readonly #tasks = new Map<string, SimTask>();

  constructor(options: { timeline: Timeline; name: string; watch: EngineWatch; forgetsStarts: boolean }) {
    this.#timeline = options.timeline;
    this.#name = options.name;
    this.#watch = options.watch;
    this.#forgetsStarts = options.forgetsStarts;
  }

  get running(): readonly EngineTask[] {
    return [...this.#tasks.values()].filter(({ exit }) => exit === undefined).map(({ task }) => task);
  }

  runningMs(executionId: string): number {
    const found = this.#tasks.get(executionId);
    return found === undefined ? 0 : this.#timeline.nowMs - found.startedAtMs;
  }

  /** Every task dies with the machine; of some that have just begun the disk has no trace. */
  powerOff(): void {
    for (const [id, sim] of this.#tasks) {
      if (sim.exit === undefined) this.#end(id, "gone");
      const isRecent = this.#timeline.nowMs - sim.startedAtMs < UNSYNCED_MS;
      if (!isRecent || new Dice(seedOf(`power ${id}`)).chance(0.5)) continue;
      this.#tasks.delete(id);
      this.#watch.onForgotten(id, sim.task.run);
    }
  }

  /** The disk is gone, and with it what the engine remembers. */
  wipe(): void {
    this.powerOff();
    this.#tasks.clear();
  }

  #end(id: string, exit: EngineExit | "gone"): void {
    const sim = this.#tasks.get(id);
    if (sim === undefined || sim.exit !== undefined) return;
    sim.exit = exit;
    sim.cancelEnd();
    this.#timeline.trace(`${this.#name} task ${id.slice(0, 10)} ${exit === "gone" ? exit : textOf(exit)}`);
    this.#watch.onEnded(id);
    for (const call of sim.waiters) call();
    sim.waiters.clear();
  }

  #begin(task: EngineTask, temper: Temper, dice: Dice): void {
    this.#watch.onRunning(task);
    const sim: SimTask = {
      task,
      temper,
      startedAtMs: this.#timeline.nowMs,
      waiters: new Set(),
      cancelEnd: () => {},
    };
    this.#tasks.set(task.executionId, sim);
    this.#timeline.trace(`${this.#name} task ${task.executionId.slice(0, 10)} runs (${task.run})`);
    if (dice.chance(temper.hangs)) return;
    const exit: EngineExit = dice.chance(temper.traps)
      ? { kind: "failed", code: "module_trapped", message: "The module ended by a trap", exitCode: 134 }
      : { kind: "exited", exitCode: dice.pick(temper.exitCodes) };
    const runMs = dice.spread(...temper.runMs);
    sim.cancelEnd = this.#timeline.at(runMs, () => this.#end(task.executionId, exit));
  }

  #start(life: Life, starting: Map<string, Promise<void>>, task: EngineTask): Promise<void> {
    const id = task.executionId;
    if (life.isOver) return never();
    this.#watch.onStartAsked(id, task.run);
    const key = `${id} ${task.run}`;
    const joined = starting.get(key);
    if (joined !== undefined) return joined;
    const known = this.#tasks.get(id);
    if (known !== undefined && known.task.run >= task.run && !this.#forgetsStarts) return Promise.resolve();
    const temper = task.params.Temper as Temper;
    const dice = new Dice(seedOf(task.run === 0 ? id : key));
    const startMs = temper.startMs * dice.fraction();
    const promise = new Promise<void>((resolve, reject) => {
      const isDoomed = dice.chance(temper.startFails);
      life.after(startMs * dice.fraction(), () => {
        if (!isDoomed) this.#begin(task, temper, dice);
      });
      life.after(startMs, () => {
        starting.delete(key);
        if (!isDoomed) return resolve();
        reject(
          new AppError("module_invalid", "Cannot load the module: it is no WebAssembly", {
            hint: "Build it for WASI",
          }),
        );
      });
    });
    starting.set(key, promise);
    return promise;
  }

  #wait(life: Life, id: string, signal?: AbortSignal): Promise<EngineExit> {
    const sim = this.#tasks.get(id);
    const answer = (): EngineExit => {
      const exit = this.#tasks.get(id)?.exit;
      if (exit !== undefined && exit !== "gone") return exit;
      return {
        kind: "failed",
        code: "interrupted",
        message: "The task is gone",
        hint: "The machine went down",
      };
    };
    if (sim === undefined || sim.exit !== undefined) return Promise.resolve(answer());
    return new Promise((resolve, reject) => {
      sim.waiters.add(() => life.do(() => resolve(answer())));
      signal?.addEventListener("abort", () => reject(new AppError("interrupted", "Stopped waiting")), {
        once: true,
      });
    });
  }

  #stop(life: Life, id: string, graceMs: number): Promise<void> {
    const sim = this.#tasks.get(id);
    if (sim === undefined || sim.exit !== undefined) return Promise.resolve();
    const delayMs = sim.temper.isStubborn ? graceMs : Math.min(graceMs, 20);
    this.#timeline.at(delayMs, () => {
      // The signal came from a program that may be dead by now; the kill does not come from a dead one.
      if (sim.temper.isStubborn && life.isOver) return;
      this.#end(id, { kind: "stopped" });
    });
    return new Promise((resolve) => {
      sim.waiters.add(() => life.do(resolve));
    });
  }

  /** Takes long enough for messages to come meanwhile. */
  #list(life: Life, runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]> {
    const found = () =>
      [...runs].flatMap(([executionId, { run }]) => {
        const sim = this.#tasks.get(executionId);
        const exit = sim?.exit;
        if (sim?.task.run !== run || exit === "gone") return [];
        return [{ executionId, isRunning: exit === undefined, ...(exit && { exit }) }];
      });
    return new Promise((resolve) => life.after(LIST_MS, () => resolve(found())));
  }

  #exec(life: Life, id: string): Promise<ExecResult> {
    const sim = this.#tasks.get(id);
    const dice = new Dice(seedOf(`check ${id} ${this.#timeline.nowMs}`));
    const exitCode = dice.chance(sim?.temper.checksFail ?? 1) ? 1 : 0;
    return new Promise((resolve) => life.after(dice.whole(1, 200), () => resolve({ exitCode, output: "" })));
  }

  /** The engine as one life of the agent sees it. */
  port(life: Life): Engine {
    const starting = new Map<string, Promise<void>>();
    const guarded = <Result>(work: () => Promise<Result>) => life.isOver ? never<Result>() : work();
    return {
      type: "wasm",
      probe: () => Promise.resolve({ isAvailable: true, version: "simulated" }),
      start: (task) => this.#start(life, starting, task),
      wait: (id, signal) => guarded(() => this.#wait(life, id, signal)),
      stop: (id, { graceMs }) => guarded(() => this.#stop(life, id, graceMs)),
      list: (runs) => guarded(() => this.#list(life, runs)),
      exec: (id) => guarded(() => this.#exec(life, id)),
      forget: (id) => {
        if (!life.isOver) this.#tasks.get(id)?.waiters.clear();
      },
      close: () => Promise.resolve(),
    };
  }
}

const textOf = (exit: EngineExit): string =>
  exit.kind === "exited" ? `exits ${exit.exitCode}` : exit.kind === "failed" ? exit.code : exit.kind;
