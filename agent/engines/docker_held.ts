/**
 * The containers that the engine holds: watched to their ends, and found again by a new agent, running or ended. Those of this
 * node that belong to no run are removed.
 */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { containerName, LABELS } from "./docker_container.ts";
import type { Daemon } from "./docker_daemon.ts";
import { DockerDisk } from "./docker_disk.ts";
import type { GpuDevices } from "./docker_gpus.ts";
import { withHint } from "./docker_hints.ts";
import type { HttpNetworks } from "./docker_http.ts";
import type { DockerPolicy } from "./docker_policy.ts";
import { type HeldTask, nothingKnown, readRecord } from "./docker_record.ts";
import { Watch } from "./docker_watch.ts";
import type { EngineExit, EngineHeld, EngineRun } from "./engine.ts";
import type { ShutdownSigns } from "./machine_shutdown.ts";

/** Containers that are brought home side by side: after a reboot all of them have ended. */
const ADOPT_PARALLEL = 16;

const Listed = z.array(z.object({
  Id: z.string(),
  State: z.string(),
  Labels: z.record(z.string(), z.string()),
}));

/** An execution that the engine knows of, in its latest run. */
export interface Held {
  readonly executionId: string;
  /** What is needed to bring it home; after a restart of the agent it comes from the container's own record. */
  task: HeldTask;
  readonly exited: PromiseWithResolvers<EngineExit>;
  started: Promise<void>;
  /** Id or name. */
  containerId?: string;
  exit?: EngineExit;
  isStopping: boolean;
  /** Its program may have begun. */
  isStartSent: boolean;
  /** A command in it that took too long. */
  hungExecId?: string;
}

/** What containers are held with. */
export interface HeldContainersOptions {
  /** Whose containers these are. */
  readonly nodeId: string;
  readonly policy: DockerPolicy;
  readonly http: HttpNetworks;
  /** Who has which device. */
  readonly devices: GpuDevices;
  readonly shutdownSigns: Partial<ShutdownSigns> | undefined;
}

/** One engine's containers, by execution. */
export class HeldContainers {
  readonly #daemon: Daemon;
  readonly #options: HeldContainersOptions;
  readonly #disk: DockerDisk;
  readonly #held = new Map<string, Held>();
  readonly #background = new Set<Promise<void>>();

  constructor(daemon: Daemon, options: HeldContainersOptions) {
    this.#daemon = daemon;
    this.#options = options;
    this.#disk = new DockerDisk(daemon);
  }

  get(executionId: string): Held | undefined {
    return this.#held.get(executionId);
  }

  /** From here on it is known; in the place of its run before. */
  hold(executionId: string, task: HeldTask): Held {
    const exited = Promise.withResolvers<EngineExit>();
    exited.promise.catch(() => {});
    const held: Held = {
      executionId,
      task,
      exited,
      started: Promise.resolve(),
      isStopping: false,
      isStartSent: false,
    };
    this.#held.set(executionId, held);
    return held;
  }

  /** Its start has failed: nothing of it stays. */
  drop({ executionId, task }: Held): void {
    this.#held.delete(executionId);
    this.#disk.unwatch(task);
    this.#options.http.close(executionId);
    this.#options.devices.release(executionId);
  }

  /** Its end is recorded: its container goes, and its devices are free. Not while it runs. */
  forget(executionId: string): void {
    const held = this.#held.get(executionId);
    if (held !== undefined && held.exit === undefined) return;
    // From here on its record is not read any more; its container has ended.
    this.#options.devices.release(executionId);
    if (held === undefined) return;
    this.#held.delete(executionId);
    if (held.containerId !== undefined) this.inBackground(this.#daemon.remove(held.containerId));
  }

  /** Its container is about to start: what it prints at once may meet a full disk before the start is known to be done. */
  aboutToStart({ task }: Held): void {
    this.#disk.watch(task);
  }

  /** Its container runs, or has run: watched to its end. */
  watch(held: Held, options: { isWitnessed: boolean }): void {
    this.inBackground(this.#watch(held, options));
  }

  async #watch(held: Held, { isWitnessed }: { isWitnessed: boolean }): Promise<void> {
    const { task, containerId } = held;
    const { http, policy, shutdownSigns } = this.#options;
    const watch = new Watch(this.#daemon, {
      id: containerId!,
      disk: this.#disk,
      task,
      isWitnessed,
      isStopping: () => held.isStopping,
      shutdownSigns,
    });
    const exit = await watch.run();
    if (exit === undefined) return;
    const denied = http.deniedOf(held.executionId);
    this.end(
      held,
      await withHint(exit, {
        ...{ folder: task.folder, network: task.network, denied },
        ...{ protection: task.protection, allowed: policy },
      }),
    );
  }

  /** The first end told is the end. */
  end(held: Held, exit: EngineExit): void {
    held.exit ??= exit;
    this.#disk.unwatch(held.task);
    this.#options.http.close(held.executionId);
    held.exited.resolve(held.exit);
  }

  /** What is here of the given runs; the node's other containers are removed. While the daemon is away: what was started. */
  async findAgain(runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]> {
    const started = [...runs].filter(([id, run]) => {
      const record = readRecord(run);
      this.#options.devices.hold(id, record?.gpus ?? []);
      return record !== undefined;
    });
    if (started.length === 0 && !await this.#daemon.client.isThere()) return [];
    let listed: z.infer<typeof Listed>;
    try {
      listed = await this.#listOwn();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "unavailable") throw error;
      return await this.#adoptUnseen(runs, started);
    }
    const mine: { executionId: string; run: EngineRun; isRunning: boolean }[] = [];
    for (const { Id, State, Labels } of listed) {
      const executionId = Labels[LABELS.execution] ?? "";
      const run = runs.get(executionId);
      // A network that is held for a container which never came: a crash was faster.
      const isStray = run === undefined || run.run !== runOf(Labels) || LABELS.sandbox in Labels;
      if (isStray) this.inBackground(this.#removeStray({ Id, State, Labels }));
      else if (State !== "created") {
        mine.push({ executionId, run, isRunning: State === "running" });
      }
    }
    const found: EngineHeld[] = [];
    for (let at = 0; at < mine.length; at += ADOPT_PARALLEL) {
      const some = mine.slice(at, at + ADOPT_PARALLEL);
      found.push(...await Promise.all(some.map((it) => this.#adopt(it.executionId, it))));
    }
    return found;
  }

  /** Its devices are free once it is gone. */
  async #removeStray({ Id, State, Labels }: z.infer<typeof Listed>[number]): Promise<void> {
    const { devices } = this.#options;
    devices.hold(Id, Labels[LABELS.gpus]?.split(",") ?? []);
    await this.#daemon[State === "created" ? "removeUnstarted" : "remove"](Id);
    devices.release(Id);
  }

  /** The daemon is away: what was started counts as running until the daemon tells otherwise. */
  async #adoptUnseen(
    runs: ReadonlyMap<string, EngineRun>,
    started: readonly (readonly [executionId: string, run: EngineRun])[],
  ): Promise<readonly EngineHeld[]> {
    this.inBackground(this.#daemon.retry(async () => {
      for (const listed of await this.#listOwn()) {
        const executionId = listed.Labels[LABELS.execution] ?? "";
        if (this.#options.http.isHolding(listed.Id)) continue;
        const known = this.#held.get(executionId)?.task.run ?? runs.get(executionId)?.run;
        if (known !== runOf(listed.Labels)) await this.#removeStray(listed);
      }
    }));
    return await Promise.all(
      started.map(([executionId, run]) => this.#adopt(executionId, { run, isRunning: true })),
    );
  }

  /** Containers that this node made, and no others. */
  async #listOwn() {
    const filters = { label: [`${LABELS.node}=${this.#options.nodeId}`] };
    return await this.#daemon.client.get("/containers/json", Listed, { query: { all: true, filters } });
  }

  async #adopt(
    executionId: string,
    { run, isRunning }: { run: EngineRun; isRunning: boolean },
  ): Promise<EngineHeld> {
    const known = this.#held.get(executionId);
    if (known !== undefined) {
      return known.exit === undefined
        ? { executionId, isRunning: true }
        : { executionId, isRunning: false, exit: known.exit };
    }
    const held = this.hold(executionId, readRecord(run) ?? nothingKnown(run));
    held.containerId = containerName(executionId, run.run);
    const { network, domains = [] } = held.task;
    if (network === "http") {
      const { http } = this.#options;
      this.inBackground(http.serveAgain(executionId, { name: held.containerId, domains }));
    }
    const watching = this.#watch(held, { isWitnessed: false });
    this.inBackground(watching);
    if (isRunning) return { executionId, isRunning: true };
    await watching;
    return held.exit === undefined
      ? { executionId, isRunning: true }
      : { executionId, isRunning: false, exit: held.exit };
  }

  /** Work that nobody waits for; what fails with the daemon is done by the next start of the agent. */
  inBackground(work: Promise<void>): void {
    const done = work.catch(() => {}).then(() => void this.#background.delete(done));
    this.#background.add(done);
  }

  /** The engine is closed: nobody waits any more for what still runs. Resolves once nothing goes on in the background. */
  async close(): Promise<void> {
    for (const held of this.#held.values()) {
      held.exited.reject(new AppError("unavailable", "Cannot wait for execution: the engine is closed"));
    }
    this.#options.http.closeAll();
    await Promise.all(this.#background);
  }
}

/** Containers of before runs were counted are of the first. */
const runOf = (labels: Readonly<Record<string, string>>): number => Number(labels[LABELS.run] ?? 0);
