/** The GPUs that an engine has for its tasks: which are given to whom, and whether its daemon can give any at all. */
import { AppError } from "../../shared/errors.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import type { Daemon } from "./docker_daemon.ts";
import { GpuDevices, type GpuWay, gpuWayOf, NO_GPU_WAY } from "./docker_gpus.ts";

/** A way that did not work is tried again after so long. */
const TRY_AGAIN_MS = 600_000;

/** What a container gets: `uuids` are its own. */
export interface GivenGpus {
  readonly uuids: readonly string[];
  readonly way: GpuWay;
}

/** One engine's devices. */
export class GpuSupply {
  readonly devices: GpuDevices;
  readonly #gpus: readonly Gpu[];
  readonly #daemon: Daemon;
  #way: GpuWay | undefined;
  /** When it could not, although it looked as if. */
  #failedAtMs: number | undefined;

  constructor(daemon: Daemon, gpus: readonly Gpu[]) {
    this.#daemon = daemon;
    this.#gpus = gpus;
    this.devices = new GpuDevices(gpus);
  }

  /** What can be offered, or why it cannot; nothing on a machine without GPUs. */
  async probe(): Promise<{ gpus?: readonly Gpu[]; absentGpus?: string }> {
    if (this.#gpus.length === 0) return {};
    return await this.#findWay() === undefined ? { absentGpus: NO_GPU_WAY } : { gpus: this.#gpus };
  }

  /**
   * So many devices for the execution alone; undefined on a machine that has none. Errors: `refused` when it cannot have
   * any here, and those of `GpuDevices.take`.
   */
  async give(
    executionId: string,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<GivenGpus | undefined> {
    const hasGpus = this.#gpus.length > 0;
    if (!hasGpus && count === 0) return undefined;
    const way = hasGpus ? await this.#findWay() : undefined;
    if (count === 0) return { uuids: [], way: way ?? "nvidia" };
    if (way !== undefined) return { uuids: await this.devices.take(executionId, count, signal), way };
    throw new AppError("refused", `this node has no GPUs for containers${hasGpus ? `: ${NO_GPU_WAY}` : ""}`);
  }

  /** The daemon has said that it cannot give them. */
  onRefused(): void {
    [this.#way, this.#failedAtMs] = [undefined, Date.now()];
  }

  /** Asked for until there is one. */
  async #findWay(): Promise<GpuWay | undefined> {
    if (this.#failedAtMs !== undefined && Date.now() - this.#failedAtMs < TRY_AGAIN_MS) return undefined;
    if (this.#way === undefined) {
      this.#daemon.forgetInfo();
      const { Runtimes, CDISpecDirs } = await this.#daemon.info();
      this.#way = await gpuWayOf({ runtimes: Object.keys(Runtimes ?? {}), cdiFolders: CDISpecDirs ?? [] });
    }
    return this.#way;
  }
}
