/**
 * The engine `docker`. The daemon is the record of what was started: a container is named after its execution, so that it is
 * made once, and stays until its end has been recorded, so that a new agent finds it, running or ended.
 */
import { AppError, asAppError } from "../../shared/errors.ts";
import { orAborted } from "../../shared/abort.ts";
import { platformOf } from "../../shared/model/image.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import type { Log } from "../../shared/log.ts";
import type { Failure } from "../core/outcome.ts";
import { addressesOfMachine, type ProxyNetwork, resolveBySystem } from "./proxy_connect.ts";
import { compareVersions, DockerClient, isMissing } from "./docker_client.ts";
import { Daemon } from "./docker_daemon.ts";
import { execIn } from "./docker_exec.ts";
import { goneExit, isGpuFailure } from "./docker_exit.ts";
import { GpuSupply } from "./docker_gpu_supply.ts";
import { type Held, HeldContainers } from "./docker_held.ts";
import { HttpNetworks } from "./docker_http.ts";
import { wrongPlatform } from "./docker_images.ts";
import { parseDockerParams } from "./docker_params.ts";
import { type ContainerNetwork, type DockerPolicy, grantBy } from "./docker_policy.ts";
import { DockerPulls } from "./docker_pulls.ts";
import { reachPort } from "./docker_reach.ts";
import { heldTask } from "./docker_record.ts";
import { DockerStarts } from "./docker_start.ts";
import type { ShutdownSigns } from "./machine_shutdown.ts";
import type {
  Engine,
  EngineExit,
  EngineHeld,
  EngineProbe,
  EngineRun,
  EngineTask,
  ExecResult,
  PrunedImages,
  StartOptions,
} from "./engine.ts";

/** A daemon that takes longer to say what it is counts as away. */
const PROBE_MS = 5_000;
/** A start waits so long for a daemon that is away: most likely it is being restarted. */
const START_PATIENCE_MS = 15_000;

/** How the engine is opened. */
export interface DockerEngineOptions {
  readonly socketPath: string;
  /** Whose containers these are: another node on the same daemon leaves them alone. */
  readonly nodeId: string;
  readonly policy: DockerPolicy;
  /** How names become addresses for containers with the network `http`; the machine's own way unless given. */
  readonly resolve?: ProxyNetwork["resolve"];
  readonly log?: Log;
  /** Devices of this machine that tasks may have. */
  readonly gpus?: readonly Gpu[];
  /** File of its own, in which it records which images it fetched; without one it removes none. */
  readonly pullsPath?: string;
  /** Where the machine tells of its shutdown; the usual places unless given. */
  readonly shutdownSigns?: Partial<ShutdownSigns>;
}

/** Opens the engine. Nothing is asked of the daemon yet. */
export function openDockerEngine(options: DockerEngineOptions): Engine {
  return new DockerEngine(options);
}

class DockerEngine implements Engine {
  readonly type = "docker";
  readonly #client: DockerClient;
  readonly #options: DockerEngineOptions;
  readonly #pulls: DockerPulls;
  readonly #closing = new AbortController();
  readonly #daemon: Daemon;
  readonly #http: HttpNetworks;
  readonly #gpus: GpuSupply;
  readonly #held: HeldContainers;
  readonly #starts: DockerStarts;
  /** Networks that cannot be had on this machine, and why. */
  #absent: Readonly<Partial<Record<ContainerNetwork, string>>> = {};

  constructor(options: DockerEngineOptions) {
    this.#options = options;
    this.#pulls = new DockerPulls(options.pullsPath);
    this.#client = new DockerClient(options.socketPath);
    this.#daemon = new Daemon(this.#client, this.#closing.signal);
    this.#gpus = new GpuSupply(this.#daemon, options.gpus ?? []);
    const { nodeId, log, policy, shutdownSigns, resolve = resolveBySystem } = options;
    this.#http = new HttpNetworks(this.#daemon, {
      ...{ nodeId, log },
      network: { resolve, ranges: policy.httpRanges, ownAddresses: addressesOfMachine },
    });
    const [http, gpus, pulls] = [this.#http, this.#gpus, this.#pulls];
    this.#held = new HeldContainers(this.#daemon, {
      ...{ nodeId, policy, shutdownSigns, http },
      devices: gpus.devices,
    });
    this.#starts = new DockerStarts(this.#daemon, { nodeId, held: this.#held, http, gpus, pulls });
  }

  async pruneImages(options: { isDry: boolean }): Promise<PrunedImages> {
    return await this.#pulls.prune(this.#client, options);
  }

  async probe(): Promise<EngineProbe> {
    if (!await this.#client.isThere()) {
      return {
        isAvailable: false,
        reason: `There is no Docker Engine at "${this.#options.socketPath}"`,
        hint: "Install and start one, or say with --docker-socket where it is.",
        isNotSetUp: true,
        isAway: true,
      };
    }
    const late = AbortSignal.timeout(PROBE_MS);
    try {
      const { Version, ApiVersion, Os, Arch } = await this.#client.version(late);
      if (Os !== "linux") {
        return {
          isAvailable: false,
          reason: `The Docker Engine runs ${Os} containers`,
          hint: "Switch it to Linux containers.",
        };
      }
      if (compareVersions(ApiVersion, "1.41") < 0) {
        return {
          isAvailable: false,
          reason: `Docker Engine ${Version} is too old`,
          hint: "Upgrade it to 20.10 or newer.",
        };
      }
      const why = this.#options.policy.networks.includes("http")
        ? await this.#http.whyNot(`${Version} ${ApiVersion}`)
        : undefined;
      this.#absent = why === undefined ? {} : { http: why };
      return {
        isAvailable: true,
        version: `docker ${Version}`,
        platforms: [platformOf(`${Os}/${Arch}`)],
        networks: this.#options.policy.networks.filter((name) => this.#absent[name] === undefined),
        absentNetworks: this.#absent,
        ...await this.#gpus.probe(),
      };
    } catch (error) {
      const { message, hint = "" } = late.aborted
        ? mute(this.#options.socketPath)
        : asAppError(error, "unavailable");
      return { isAvailable: false, reason: message, hint, isAway: true };
    }
  }

  refuses({ params, network }: Pick<EngineTask, "params" | "network">): Failure | undefined {
    try {
      const parsed = parseDockerParams(params);
      const granted = grantBy(this.#options.policy, { params: parsed, network }, this.#absent);
      return "code" in granted ? granted : wrongPlatform(parsed);
    } catch (error) {
      const { code, message, hint } = asAppError(error);
      return { code, message, hint };
    }
  }

  async start(task: EngineTask, options: StartOptions = {}): Promise<void> {
    const known = this.#held.get(task.executionId);
    if (known !== undefined && known.task.run >= task.run) return await known.started;
    if (known !== undefined && known.exit === undefined) {
      throw new AppError("conflict", "Cannot start the task again: its run before has not ended");
    }
    const params = parseDockerParams(task.params);
    const granted = grantBy(this.#options.policy, { params, network: task.network }, this.#absent);
    if ("code" in granted) throw new AppError(granted.code, granted.message, { hint: granted.hint });
    const held = this.#held.hold(task.executionId, heldTask(task, granted));
    held.started = this.#daemon.retry(() => this.#starts.start(held, { task, params, granted, options }), {
      withinMs: START_PATIENCE_MS,
      isFinal: () => held.isStartSent || held.isStopping || options.signal?.aborted === true,
    });
    try {
      await held.started;
    } catch (error) {
      this.#held.drop(held);
      if (isGpuFailure(error)) this.#gpus.onRefused();
      throw error;
    } finally {
      // Only now: after a reboot every container has one before it, and the new ones are what is waited for.
      if (known?.containerId !== undefined) this.#held.inBackground(this.#daemon.remove(known.containerId));
    }
  }

  async wait(executionId: string, signal?: AbortSignal): Promise<EngineExit> {
    const held = this.#held.get(executionId);
    if (held === undefined) {
      return goneExit(
        "The engine knows nothing of the execution",
        "Look at what removes containers on the node",
      );
    }
    return await orAborted(held.exited.promise, signal);
  }

  async stop(executionId: string, { graceMs }: { graceMs: number }): Promise<void> {
    const held = this.#held.get(executionId);
    if (held === undefined || held.exit !== undefined) return;
    held.isStopping = true;
    await held.started.catch(() => {});
    if (
      held.exit !== undefined || held.containerId === undefined || this.#held.get(executionId) === undefined
    ) return;
    try {
      await this.#client.call("POST", `/containers/${held.containerId}/stop`, {
        query: { t: Math.ceil(graceMs / 1000) },
      });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await held.exited.promise;
  }

  async list(runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]> {
    return await this.#held.findAgain(runs);
  }

  async exec(
    executionId: string,
    command: readonly string[],
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<ExecResult> {
    const held = this.#runningOf(executionId);
    const { hungExecId, ...result } = await execIn(this.#client, held.containerId!, {
      ...options,
      command,
      hungExecId: held.hungExecId,
    });
    held.hungExecId = hungExecId;
    return result;
  }

  async reach(executionId: string, port: number): Promise<{ host: string; port: number } | undefined> {
    return await reachPort(this.#client, this.#runningOf(executionId).containerId!, port);
  }

  /** Errors: `unavailable` when it does not run. */
  #runningOf(executionId: string): Held {
    const held = this.#held.get(executionId);
    if (held?.containerId !== undefined && held.exit === undefined) return held;
    throw new AppError("unavailable", "The container does not run");
  }

  forget(executionId: string): void {
    this.#held.forget(executionId);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#held.close();
    this.#client.close();
  }
}

const mute = (socketPath: string): AppError =>
  new AppError(
    "unavailable",
    `The Docker Engine at "${socketPath}" has not answered within ${PROBE_MS / 1000}s`,
    {
      hint: "It hangs, or its machine is very busy: look at its log, and restart it",
    },
  );
