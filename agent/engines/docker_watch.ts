/** One container from its start to its end: its output, its disk, its exit, its results; through restarts of the daemon. */
import { z } from "zod";
import { pause, systemClock } from "../../shared/clock.ts";
import { recogniseIo } from "../../shared/disk.ts";
import { isConflict, isMissing } from "./docker_client.ts";
import type { Daemon } from "./docker_daemon.ts";
import type { DockerDisk } from "./docker_disk.ts";
import { type ContainerState, exitOf, goneExit, isCutShort, START_CUT_OFF } from "./docker_exit.ts";
import { ContainerOutput } from "./docker_output.ts";
import type { HeldTask } from "./docker_record.ts";
import { copyResults } from "./docker_results.ts";
import type { EngineExit } from "./engine.ts";
import { endedByShutdown, readShutdownFacts, type ShutdownSigns } from "./machine_shutdown.ts";

/** A task that runs longer is followed live; the output of a shorter one is taken over at its end. */
const FOLLOW_AFTER_MS = 200;
/** After the daemon went away in the middle of the output. */
const FOLLOW_AGAIN_MS = 200;
const FOLLOW_FAILED_MS = 5_000;
/** What a container writes is looked at this often, where the storage driver cannot hold it to a size. */
const DISK_LOOK_MS = 5_000;
const RESULT_FILES_MAX = 100_000;

const Waited = z.object({ StatusCode: z.number() });

/** What is watched. */
export interface WatchOptions {
  /** Id or name of the container. */
  readonly id: string;
  readonly task: HeldTask;
  readonly disk: DockerDisk;
  /** This process has started it, and sees its end. */
  readonly isWitnessed: boolean;
  /** Whether Skerry has asked it to end. */
  readonly isStopping: () => boolean;
  /** Where the machine tells of its shutdown; the usual places unless given. */
  readonly shutdownSigns?: Partial<ShutdownSigns>;
}

/** Watches one container. */
export class Watch {
  readonly #daemon: Daemon;
  readonly #options: WatchOptions;
  #isDiskExceeded = false;

  constructor(daemon: Daemon, options: WatchOptions) {
    this.#daemon = daemon;
    this.#options = options;
  }

  /** How it ended, once output and results are in its folder; undefined when the engine was closed first. */
  async run(): Promise<EngineExit | undefined> {
    const { task, disk } = this.#options;
    disk.watch(task);
    const following = new AbortController();
    const output = new ContainerOutput(task.folder, { run: task.run, limitBytes: task.logBytes });
    try {
      const signal = AbortSignal.any([following.signal, this.#daemon.closing]);
      const meanwhile = [this.#follow(output, signal), this.#watchDisk(signal)];
      const end = await this.#untilEnd();
      following.abort();
      await Promise.all(meanwhile);
      return await this.#finish(output, end);
    } catch (error) {
      if (this.#daemon.closing.aborted) return undefined;
      // Removed, or being removed, while its output or its results were fetched.
      if (isMissing(error) || isConflict(error)) {
        return this.#options.isStopping() ? { kind: "stopped" } : END_UNSEEN.gone;
      }
      const { code, message, hint } = recogniseIo(error, "Cannot bring the task's output home");
      return { kind: "failed", code, message, hint };
    } finally {
      following.abort();
      disk.unwatch(task);
      output.close({ isDurable: true });
    }
  }

  async #finish(output: ContainerOutput, end: End | "gone" | "unstarted"): Promise<EngineExit> {
    const { id, task, disk, isStopping } = this.#options;
    if (typeof end === "string") return isStopping() ? { kind: "stopped" } : END_UNSEEN[end];
    const shutdown = isStopping() ? {} : readShutdownFacts(this.#options.shutdownSigns);
    await this.#daemon.retry(() => output.take(this.#daemon.client, id, { isFollowing: false }));
    const finishedAtMs = Date.parse(end.state.FinishedAt);
    const exit = await this.#bringHome(exitOf(end.state, {
      isStopping: isStopping(),
      isDiskExceeded: this.#isDiskExceeded,
      isCutShort: end.isCutShort,
      isDiskFull: await this.#daemon.retry(() => disk.wasFull(task)),
      isShutdown: endedByShutdown(await shutdown, { finishedAtMs, nowMs: Date.now() }),
    }));
    if (exit.exitCode !== undefined) {
      await Deno.writeTextFile(`${task.folder}/exitCode`, String(exit.exitCode));
    }
    return exit;
  }

  /**
   * The container's last state; `gone` when somebody removed it, `unstarted` when the daemon was killed in the middle of its
   * start, and knows nothing of it: then it is removed, with what ran of it.
   */
  async #untilEnd(): Promise<End | "gone" | "unstarted"> {
    let lostAtMs: number | undefined;
    const { id } = this.#options;
    let isSeen = this.#options.isWitnessed;
    for (;;) {
      try {
        await this.#daemon.client.post(`/containers/${id}/wait`, Waited, {
          query: { condition: "not-running" },
          signal: this.#daemon.closing,
        });
        // A daemon that shuts down still answers, while it ends its containers.
        if (!await this.#daemon.client.isListening()) lostAtMs ??= Date.now();
        const { state, wholeId, isLiveRestored } = await this.#daemon.retry(async () => {
          const { Id: wholeId, State: state } = await this.#daemon.inspect(id);
          return { wholeId, state, isLiveRestored: (await this.#daemon.info()).LiveRestoreEnabled === true };
        });
        if (state.Running) continue;
        if (state.Status === "created") {
          await this.#daemon.removeUnstarted(wholeId);
          return "unstarted";
        }
        return {
          state,
          isCutShort: await isCutShort(state, {
            ...{ isWitnessed: isSeen, lostAtMs, isLiveRestored },
            socketPath: this.#daemon.client.socketPath,
          }),
        };
      } catch (error) {
        if (isMissing(error)) return "gone";
        if (this.#daemon.closing.aborted) throw error;
        lostAtMs ??= Date.now();
        this.#daemon.forgetInfo();
        if (await this.#isRunning()) {
          // It has outlived the daemon's absence: from here on its end is seen again.
          isSeen = true;
          lostAtMs = undefined;
        }
      }
    }
  }

  /** Once the daemon answers again. */
  async #isRunning(): Promise<boolean> {
    try {
      return (await this.#daemon.retry(() => this.#daemon.inspect(this.#options.id))).State.Running;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #follow(output: ContainerOutput, signal: AbortSignal): Promise<void> {
    await pause(systemClock, FOLLOW_AFTER_MS, signal);
    while (!signal.aborted) {
      try {
        await output.take(this.#daemon.client, this.#options.id, { isFollowing: true, signal });
        // It ended, or the daemon went away.
        await pause(systemClock, FOLLOW_AGAIN_MS, signal);
      } catch (error) {
        if (signal.aborted || isMissing(error)) return;
        await pause(systemClock, FOLLOW_FAILED_MS, signal);
      }
    }
  }

  /** Where no quota does it: a container that writes more than it may is ended. */
  async #watchDisk(signal: AbortSignal): Promise<void> {
    const { id, task: { diskBytes } } = this.#options;
    if (diskBytes === 0) return;
    for (
      await pause(systemClock, DISK_LOOK_MS, signal);
      !signal.aborted;
      await pause(systemClock, DISK_LOOK_MS, signal)
    ) {
      try {
        const { SizeRw } = await this.#daemon.inspect(id, { withSize: true, signal });
        if (SizeRw === undefined || SizeRw <= diskBytes) continue;
        this.#isDiskExceeded = true;
        await this.#daemon.client.call("POST", `/containers/${id}/kill`);
        return;
      } catch (error) {
        if (signal.aborted || isMissing(error) || isConflict(error)) return;
        // The daemon is away, or busy: the next look tells.
      }
    }
  }

  /** Results of a task that was cut short are not taken: it will run again. */
  async #bringHome(exit: EngineExit): Promise<EngineExit> {
    const { results, diskBytes } = this.#options.task;
    if (results.length === 0 || (exit.kind === "failed" && exit.code === "interrupted")) return exit;
    try {
      const bytesMax = diskBytes > 0 ? diskBytes : Number.MAX_SAFE_INTEGER;
      await this.#daemon.retry(() =>
        copyResults(this.#daemon.client, this.#options.id, results, { bytesMax, filesMax: RESULT_FILES_MAX })
      );
      return exit;
    } catch (error) {
      if (exit.kind === "failed") return exit;
      const { code, message, hint } = recogniseIo(error, "Cannot bring the task's results home");
      return { kind: "failed", code, message, hint, exitCode: exit.exitCode };
    }
  }
}

/** Ends of which nothing is known. */
const END_UNSEEN: Readonly<Record<"gone" | "unstarted", EngineExit>> = {
  gone: goneExit("Somebody removed the container", "Look at what removes containers on the node"),
  unstarted: { kind: "failed", code: "interrupted", ...START_CUT_OFF, isBlameless: true },
};

/** The container's last state. */
interface End {
  readonly state: ContainerState;
  /** A shutdown ended it, not the task itself. */
  readonly isCutShort: boolean;
}
