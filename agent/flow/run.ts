/**
 * RUN and PUBLISH: grants room, performs what was decided, and collects what comes of it. One tick decides on all
 * that happened since the last and writes it in one transaction.
 */
import { type Clock, pause } from "../../shared/clock.ts";
import { AppError, asAppError } from "../../shared/errors.ts";
import { invariant } from "../../shared/invariant.ts";
import type { Log } from "../../shared/log.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { RunOutput } from "../../shared/model/result.ts";
import {
  type Effect,
  type ExecutionEvent,
  type ExecutionState,
  type Restarting,
  runOf,
} from "../core/execution_state.ts";
import { type Exit, type Failure, NO_EXIT_CODE, outcomeOf } from "../core/outcome.ts";
import { isCrash } from "../core/restart.ts";
import { healthCheckOf } from "../core/health.ts";
import { type Held, recover } from "../core/recover.ts";
import type { Engine, Mount } from "../engines/engine.ts";
import type { Workspace } from "../host/host.ts";
import type { Input } from "../inputs/input.ts";
import { type Publisher, PUBLISHES_NOTHING } from "../publishers/publisher.ts";
import type { Again } from "./again.ts";
import type { Executions, Live } from "./executions.ts";
import { engineTask } from "./engine_task.ts";
import type { WatchHealth } from "./watch_health.ts";

/** Ports that run executions. */
export interface RunOptions {
  readonly executions: Executions;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly inputs: ReadonlyMap<string, Input>;
  readonly publishers: ReadonlyMap<string, Publisher>;
  readonly workspace: Workspace;
  readonly nodeId: string;
  /** Variables of the host, for tasks that may be given them. */
  readonly hostEnv: (name: string) => string | undefined;
  readonly clock: Clock;
  /** The agent's lifetime. */
  readonly nowMs: () => number;
  readonly again: Again;
  readonly health: WatchHealth;
  readonly log: Log;
  /** Called when a transaction found the disk full: gives up the bytes kept for that. */
  readonly onDiskFull: () => void;
  readonly nudge: () => void;
}

/** Pauses between attempts to publish while the other side cannot be reached, and their number. */
const PUBLISH_PAUSE_MS = 1_000;
const PUBLISH_PAUSE_MAX_MS = 60_000;
const PUBLISH_ATTEMPTS_MAX = 1_000;
/** Pause before a failed stop is tried again. */
const STOP_PAUSE_MS = 1_000;

/** Runs executions. */
export class Run {
  readonly #options: RunOptions;
  #events: { id: ExecutionId; event: ExecutionEvent }[] = [];
  /** Ended by closing, and by an abandoned execution. */
  readonly #aborts = new Map<ExecutionId, AbortController>();
  readonly #waiting = new Set<ExecutionId>();
  /** Ends of this write: their engines forget them once they are on disk. */
  #forgets: Live[] = [];
  readonly #closing = new AbortController();
  #bug: unknown;
  #isRecovered = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** Something happened to an execution: decided on at the next tick. */
  push(id: ExecutionId, event: ExecutionEvent): void {
    if (this.#closing.signal.aborted) return;
    this.#events.push({ id, event });
    this.#options.nudge();
  }

  /** Decides on what happened, and writes what is due. Not before `recover`. */
  tick(): boolean {
    if (this.#bug !== undefined) throw this.#bug;
    if (this.#closing.signal.aborted) return false;
    invariant(this.#isRecovered, "nothing is decided before the journal was compared with the engines");
    const { executions } = this.#options;
    const events = this.#events;
    this.#events = [];
    for (const { id, event } of events) executions.decide(id, event);
    executions.grantRoom();
    // Recovery from what is on disk would do these again, so they need not wait for the commit; what would not waited.
    for (const { live, effect } of executions.takeEffects()) this.#perform(live, effect);
    this.#writeWhenDue();
    return this.#events.length > 0;
  }

  #writeWhenDue(): void {
    const { executions, clock, nudge } = this.#options;
    const withinMs = executions.writeWithinMs();
    if (withinMs === undefined) return;
    if (withinMs > 0) {
      this.#cancelTimer ??= clock.after(withinMs, () => {
        this.#cancelTimer = undefined;
        nudge();
      });
      return;
    }
    const forgets = this.#forgets;
    executions.flush({
      afterCommit: () => this.#forgetEnded(forgets),
      onFailed: (error) => this.#onFailed(error),
    });
  }

  #forgetEnded(ended: readonly Live[]): void {
    for (const live of ended) {
      this.#engineOf(live)?.forget(live.id);
      this.#aborts.delete(live.id);
    }
    this.#forgets = this.#forgets.slice(ended.length);
  }

  #onFailed(error: unknown): void {
    if (error instanceof AppError && error.code === "disk_full") this.#options.onDiskFull();
  }

  #engineOf(live: Live): Engine | undefined {
    return this.#options.engines.get(live.order.task.engine.type);
  }

  #perform(live: Live, effect: Effect): void {
    switch (effect.type) {
      case "prepare":
        return this.#spawn(this.#prepare(live));
      case "wait":
        this.#options.health.watch(live);
        return this.#spawn(this.#wait(live));
      case "stop":
        return this.#spawn(this.#stop(live, effect.graceMs));
      case "publish":
        return this.#spawn(this.#publish(live));
      case "abandon":
        this.#aborts.get(live.id)?.abort();
        return void this.#aborts.delete(live.id);
      case "forget":
        return void this.#forgets.push(live);
    }
  }

  /** What rejects here is a bug: everything that may fail is told as an event. */
  #spawn(work: Promise<void>): void {
    work.catch((error) => {
      this.#bug ??= error;
      this.#options.nudge();
    });
  }

  #signalOf(id: ExecutionId): AbortSignal {
    let abort = this.#aborts.get(id);
    if (abort === undefined) this.#aborts.set(id, abort = new AbortController());
    return abort.signal;
  }

  async #prepare(live: Live): Promise<void> {
    const signal = this.#signalOf(live.id);
    const { order } = live;
    const run = runOf(live.state);
    try {
      const engine = this.#engineOf(live);
      if (engine === undefined) throw new AppError(ENGINE_GONE.code, ENGINE_GONE.message);
      const { workspace } = this.#options;
      const results = order.task.resultPaths.map(({ name }) => name);
      if (run > 0) await workspace.clearResults(live.id, results);
      const folder = await workspace.create(live.id, results);
      const inputs = await this.#prepareInputs(live, folder.path, signal);
      signal.throwIfAborted();
      // A stop may be on disk and acknowledged by now: then nothing starts any more.
      if (!this.#options.executions.mayStart(live.id)) {
        throw new AppError("interrupted", "The execution was stopped");
      }
      await engine.start(
        engineTask(order, { run, folder, inputs, ports: live.ports ?? [], hostEnv: this.#options.hostEnv }),
        {
          signal,
          onProgress: (message) => this.push(live.id, { type: "progressed", message }),
          onImage: (image) => this.#options.executions.noteImage(live.id, image),
        },
      );
    } catch (error) {
      return this.#pushStartFailed(live, failureOf(error, "input_failed"));
    }
    this.push(live.id, { type: "started", ...this.#beginning(live) });
  }

  /** A start that failed may be tried again here when another has gone before, or nobody else can be asked. */
  #pushStartFailed(live: Live, failure: Failure): void {
    const around = this.#options.again.surroundingsOf(live);
    const mayTryAgain = around !== undefined && isEndless(live.order.jobType) &&
      (runOf(live.state) > 0 || !around.isHomeReached);
    this.push(live.id, {
      type: "start_failed",
      failure,
      ...(mayTryAgain && { circumstances: { ...around, isCrash: true, isBlameless: false } }),
    });
  }

  #beginning(live: Live): { atMs: number; isWatched: boolean } {
    return { atMs: this.#options.nowMs(), isWatched: healthCheckOf(live.order) !== undefined };
  }

  async #prepareInputs(live: Live, folder: string, signal: AbortSignal): Promise<Mount[]> {
    const mounts: Mount[] = [];
    for (const [index, input] of live.order.task.inputs.entries()) {
      const adapter = this.#options.inputs.get(input.source.type);
      if (adapter === undefined) {
        throw new AppError("input_refused", `this node does not have the input type "${input.source.type}"`);
      }
      mounts.push(await adapter.prepare(input, { folder, index, home: live.home, signal }));
    }
    return mounts;
  }

  async #wait(live: Live): Promise<void> {
    if (this.#waiting.has(live.id)) return;
    this.#waiting.add(live.id);
    let exit: Exit;
    try {
      const engine = this.#engineOf(live);
      exit = engine === undefined
        ? { kind: "failed", ...ENGINE_GONE }
        : await engine.wait(live.id, this.#closing.signal);
    } catch (error) {
      exit = { kind: "failed", ...failureOf(error, "internal") };
    }
    this.#waiting.delete(live.id);
    if (!this.#closing.signal.aborted) this.#pushExit(live, exit);
  }

  #pushExit(live: Live, exit: Exit): void {
    const output = this.#previewOf(live, exit);
    const outcome = outcomeOf(exit, live.order);
    const around = this.#options.again.surroundingsOf(live);
    const isOne = isCrash(outcome, live.order);
    const isBlameless = exit.kind === "failed" && exit.isBlameless === true;
    this.push(live.id, {
      type: "exited",
      outcome,
      output,
      ...(around && { circumstances: { ...around, isCrash: isOne, isBlameless } }),
    });
  }

  /** An end counts whether the beginning of the output can be read or not: the files are still there. */
  #previewOf({ id, state }: Live, exit: Exit): RunOutput {
    const exitCode = exit.exitCode ?? NO_EXIT_CODE;
    try {
      return this.#options.workspace.readPreview(id, exitCode, outputFrom(state));
    } catch (error) {
      this.#options.log.warn("Cannot read the beginning of an output", { executionId: id, error });
      return { stdout: "", stdoutIsTruncated: true, stderr: "", stderrIsTruncated: true, exitCode };
    }
  }

  async #stop(live: Live, graceMs: number): Promise<void> {
    const engine = this.#engineOf(live);
    const run = runOf(live.state);
    while (engine !== undefined && !this.#closing.signal.aborted) {
      try {
        return await engine.stop(live.id, { graceMs });
      } catch (error) {
        this.#options.log.warn("Cannot stop a task and tries again", {
          executionId: live.id,
          error: asAppError(error),
        });
        await pause(this.#options.clock, STOP_PAUSE_MS, this.#closing.signal);
        // It may have ended meanwhile, and the run after it is not to be stopped.
        const { state } = live;
        if (!("stopping" in state) || state.stopping === undefined || runOf(state) !== run) return;
      }
    }
  }

  async #publish(live: Live): Promise<void> {
    const { publisher } = live.order.task;
    if (publisher === undefined || PUBLISHES_NOTHING.has(publisher.type)) {
      return this.push(live.id, { type: "published" });
    }
    const adapter = this.#options.publishers.get(publisher.type);
    if (adapter === undefined) {
      const message = `this node does not have the publisher "${publisher.type}"`;
      return this.push(live.id, { type: "publish_failed", failure: { code: "publish_failed", message } });
    }
    const signal = this.#signalOf(live.id);
    const request = {
      executionId: live.id,
      jobId: live.order.jobId,
      nodeId: this.#options.nodeId,
      publisher,
      folder: this.#options.workspace.pathOf(live.id),
      signal,
    };
    let pauseMs = PUBLISH_PAUSE_MS;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const result = await adapter.publish(request);
        return this.push(live.id, { type: "published", result });
      } catch (error) {
        const failure = failureOf(error, "publish_failed");
        const isLast = !asAppError(error).kind.isRetryable || failure.code === "publish_failed" ||
          attempt >= PUBLISH_ATTEMPTS_MAX;
        if (isLast) return this.push(live.id, { type: "publish_failed", failure });
        await pause(this.#options.clock, pauseMs, signal);
        pauseMs = Math.min(pauseMs * 2, PUBLISH_PAUSE_MAX_MS);
      }
    }
  }

  /**
   * Compares the journal with what the engines hold, once. Nothing is granted and no order applied before: an execution
   * that the journal still has in the queue may run, and a stop must find that out.
   */
  async recover(): Promise<void> {
    if (this.#isRecovered) return;
    const { executions, engines, log } = this.#options;
    const live = executions.all().filter(({ state }) => state.phase !== "ended");
    const held = new Map<string, Held>();
    for (const [type, engine] of engines) {
      const own = live.filter(({ order }) => order.task.engine.type === type);
      for (const [id, found] of await this.#ask(engine, own)) held.set(id, found);
    }
    this.#isRecovered = true;
    for (const one of live) {
      if (one.state.phase === "restarting") this.#endPause(one, one.state);
      const event = recover(one.state, held.get(one.id), {
        order: one.order,
        graceMs: executions.graceOf(one),
        ...this.#beginning(one),
        circumstances: this.#options.again.surroundingsOf(one),
      });
      if (event !== undefined) executions.decide(one.id, event);
    }
    if (live.length > 0) log.info("Resumed executions", { count: live.length, held: held.size });
  }

  /** A crash may have taken time from the clock that deadlines go by: a pause gets no longer than it is. */
  #endPause(live: Live, { past, inMs }: Restarting): void {
    this.#options.clock.after(inMs, () => {
      const { state } = live;
      const isOn = state.phase === "restarting" && state.past.run === past.run;
      if (isOn) this.push(live.id, { type: "restart_due" });
    });
  }

  /** What an engine still holds of these. */
  async #ask(engine: Engine, own: readonly Live[]): Promise<readonly (readonly [ExecutionId, Held])[]> {
    const { workspace } = this.#options;
    const byId = new Map<string, Live>(own.map((live) => [live.id, live]));
    const runs = new Map(
      own.map(({ id, state }) => [id as string, { folder: workspace.pathOf(id), run: runOf(state) }]),
    );
    const found: (readonly [ExecutionId, Held])[] = [];
    for (const { executionId, isRunning, exit } of await engine.list(runs)) {
      const live = byId.get(executionId)!;
      if (isRunning) found.push([live.id, { isRunning: true }]);
      else if (exit !== undefined) {
        found.push([live.id, { isRunning: false, exit, output: this.#previewOf(live, exit) }]);
      }
    }
    return found;
  }

  /** Running tasks go on; nothing more is decided. */
  close(): void {
    this.#cancelTimer?.();
    this.#options.health.close();
    this.#closing.abort();
    for (const abort of this.#aborts.values()) abort.abort();
  }
}

/** Where the output of the present run begins. */
const outputFrom = (state: ExecutionState) => "past" in state ? state.past?.outputFrom : undefined;

const ENGINE_GONE: Failure = { code: "engine_missing", message: "this node no longer has the engine" };

function failureOf(error: unknown, otherwise: "input_failed" | "publish_failed" | "internal"): Failure {
  const { code, message, hint } = asAppError(error, otherwise);
  return hint === undefined ? { code, message } : { code, message, hint };
}
