/** The daemon behind the client: what the engine asks of it more than once, and patience while it is away. */
import { z } from "zod";
import { pause, systemClock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { type DockerClient, isConflict, isMissing } from "./docker_client.ts";
import { ContainerState } from "./docker_exit.ts";
import { endOrphans } from "./docker_orphans.ts";

/** Pauses while the daemon cannot be reached. */
const AWAY_PAUSE_MS = 200;
const AWAY_PAUSE_MAX_MS = 1_000;

const Inspected = z.object({
  Id: z.string(),
  State: ContainerState,
  /** Bytes that the container has written, when they were asked for. */
  SizeRw: z.number().optional(),
  Config: z.object({ Labels: z.record(z.string(), z.string()).nullish() }),
});
const Info = z.object({
  DockerRootDir: z.string().optional(),
  LiveRestoreEnabled: z.boolean().optional(),
  Driver: z.string(),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  CDISpecDirs: z.array(z.string()).nullish(),
});

/** One daemon, as long as the engine is open. */
export class Daemon {
  readonly #client: DockerClient;
  /** Aborted when the engine is closed. */
  readonly closing: AbortSignal;
  #info: Promise<z.infer<typeof Info>> | undefined;

  constructor(client: DockerClient, closing: AbortSignal) {
    this.#client = client;
    this.closing = closing;
  }

  get client(): DockerClient {
    return this.#client;
  }

  async inspect(
    id: string,
    options: { withSize?: boolean; signal?: AbortSignal } = {},
  ): Promise<z.infer<typeof Inspected>> {
    const { withSize, signal } = options;
    return await this.client.get(`/containers/${id}/json`, Inspected, { query: { size: withSize }, signal });
  }

  /** Removes a container with its volumes, whatever it does. */
  async remove(id: string): Promise<void> {
    await this.retry(async () => {
      try {
        await this.client.call("DELETE", `/containers/${id}`, { query: { force: true, v: true } });
      } catch (error) {
        // Gone, or being removed already.
        if (!isMissing(error) && !isConflict(error)) throw error;
      }
    });
  }

  /** Removes a container whose start may have been cut off by an end of the daemon, and what runs of it all the same. */
  async removeUnstarted(id: string): Promise<void> {
    await this.remove(id);
    await endOrphans(id, { signal: this.closing });
  }

  /** Asked once, and again when the daemon has been away. */
  async info() {
    this.#info ??= this.client.get("/info", Info);
    try {
      return await this.#info;
    } catch (error) {
      this.#info = undefined;
      throw error;
    }
  }

  /** The daemon was away: what was known of it may have changed. */
  forgetInfo(): void {
    this.#info = undefined;
  }

  /** Only some storage drivers can hold a container to a size; overlay2 only on xfs with project quotas. */
  async hasQuota(): Promise<boolean> {
    const { Driver, DriverStatus } = await this.info();
    if (["btrfs", "zfs", "devicemapper", "windowsfilter"].includes(Driver)) return true;
    const status = new Map((DriverStatus ?? []).map(([name = "", value = ""]) => [name, value]));
    return Driver === "overlay2" && status.get("Backing Filesystem") === "xfs" &&
      status.get("Supports d_type") === "true" &&
      status.get("Project Quota") === "true";
  }

  /** Tries again while the daemon is away: until the engine is closed, the time is over, or `isFinal` says so. */
  async retry<Result>(
    work: () => Promise<Result>,
    { withinMs = Infinity, isFinal = () => false }: { withinMs?: number; isFinal?: () => boolean } = {},
  ): Promise<Result> {
    const untilMs = systemClock.uptimeMs() + withinMs;
    for (let pauseMs = AWAY_PAUSE_MS;; pauseMs = Math.min(pauseMs * 2, AWAY_PAUSE_MAX_MS)) {
      try {
        return await work();
      } catch (error) {
        const isAway = error instanceof AppError && error.code === "unavailable";
        if (!isAway || this.closing.aborted || isFinal() || systemClock.uptimeMs() >= untilMs) throw error;
        await pause(systemClock, pauseMs, this.closing);
      }
    }
  }
}
