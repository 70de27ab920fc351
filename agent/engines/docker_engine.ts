/**
 * The engine `docker`. The daemon is the record of what was started: a container is named after its execution, so that it is
 * made once, and stays until its end has been recorded, so that a new agent finds it, running or ended.
 */
import { z } from "zod";
import { AppError, asAppError } from "../../shared/errors.ts";
import { orAborted } from "../../shared/abort.ts";
import { platformOf } from "../../shared/model/image.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import type { Log } from "../../shared/log.ts";
import type { Failure } from "../core/outcome.ts";
import { addressesOfMachine, type ProxyNetwork, resolveBySystem } from "./proxy_connect.ts";
import { compareVersions, DockerClient, DockerRefusal, isConflict, isMissing } from "./docker_client.ts";
import { containerName, containerOf, LABELS } from "./docker_container.ts";
import { Daemon } from "./docker_daemon.ts";
import { DockerDisk } from "./docker_disk.ts";
import { goneExit, isGpuFailure, startFailure } from "./docker_exit.ts";
import { GpuSupply } from "./docker_gpu_supply.ts";
import { withHint } from "./docker_hints.ts";
import { HttpNetworks, PROXY_ENV } from "./docker_http.ts";
import { ensureImage, startedWith, wrongPlatform } from "./docker_images.ts";
import { type DockerParams, parseDockerParams } from "./docker_params.ts";
import { type ContainerNetwork, type DockerPolicy, grantBy, type Granted } from "./docker_policy.ts";
import { DockerPulls } from "./docker_pulls.ts";
import { type HeldTask, heldTask, nothingKnown, readRecord, writeRecord } from "./docker_record.ts";
import { makeResultFolders } from "./docker_results.ts";
import type { ShutdownSigns } from "./machine_shutdown.ts";
import { refuseSocket } from "./docker_socket.ts";
import { Watch } from "./docker_watch.ts";
import { execIn } from "./docker_exec.ts";
import { reachPort } from "./docker_reach.ts";
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

/** A start waits so long for a daemon that is away: most likely it is being restarted. */
const START_PATIENCE_MS = 15_000;
/** Containers that are brought home side by side: after a reboot all of them have ended. */
const ADOPT_PARALLEL = 16;

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

const Created = z.object({ Id: z.string() });
const Listed = z.array(z.object({
  Id: z.string(),
  State: z.string(),
  Labels: z.record(z.string(), z.string()),
}));
/** An execution that the engine knows of, in its latest run. */
interface Held {
  readonly executionId: string;
  /** What is needed to bring it home; after a restart of the agent it comes from the container's own record. */
  task: HeldTask;
  readonly exited: PromiseWithResolvers<EngineExit>;
  started: Promise<void>;
  containerId?: string;
  exit?: EngineExit;
  isStopping: boolean;
  /** Its program may have begun. */
  isStartSent: boolean;
  /** A command in it that took too long. */
  hungExecId?: string;
}

/** Opens the engine. Nothing is asked of the daemon yet. */
export function openDockerEngine(options: DockerEngineOptions): Engine {
  return new DockerEngine(options);
}

class DockerEngine implements Engine {
  readonly type = "docker";
  readonly #client: DockerClient;
  readonly #options: DockerEngineOptions;
  readonly #held = new Map<string, Held>();
  readonly #pulls: DockerPulls;
  readonly #closing = new AbortController();
  readonly #daemon: Daemon;
  readonly #background = new Set<Promise<void>>();
  readonly #disk: DockerDisk;
  readonly #http: HttpNetworks;
  /** Networks that cannot be had on this machine, and why. */
  #absent: Readonly<Partial<Record<ContainerNetwork, string>>> = {};

  readonly #gpus: GpuSupply;

  constructor(options: DockerEngineOptions) {
    this.#options = options;
    this.#pulls = new DockerPulls(options.pullsPath);
    this.#client = new DockerClient(options.socketPath);
    this.#daemon = new Daemon(this.#client, this.#closing.signal);
    this.#disk = new DockerDisk(this.#daemon);
    this.#gpus = new GpuSupply(this.#daemon, options.gpus ?? []);
    const { nodeId, log, policy, resolve = resolveBySystem } = options;
    this.#http = new HttpNetworks(this.#daemon, {
      ...{ nodeId, log },
      network: { resolve, ranges: policy.httpRanges, ownAddresses: addressesOfMachine },
    });
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
    try {
      const { Version, ApiVersion, Os, Arch } = await this.#client.version(AbortSignal.timeout(5_000));
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
      const { message, hint = "" } = asAppError(error, "unavailable");
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
    const held = this.#hold(task.executionId, heldTask(task, granted));
    held.started = this.#daemon.retry(() => this.#startIn(held, { task, params, granted, options }), {
      withinMs: START_PATIENCE_MS,
      isFinal: () => held.isStartSent || held.isStopping || options.signal?.aborted === true,
    });
    try {
      await held.started;
    } catch (error) {
      this.#held.delete(held.executionId);
      this.#http.close(held.executionId);
      this.#gpus.devices.release(held.executionId);
      if (isGpuFailure(error)) this.#gpus.onRefused();
      throw error;
    } finally {
      // Only now: after a reboot every container has one before it, and the new ones are what is waited for.
      if (known?.containerId !== undefined) this.#inBackground(this.#daemon.remove(known.containerId));
    }
  }

  async wait(executionId: string, signal?: AbortSignal): Promise<EngineExit> {
    const held = this.#held.get(executionId);
    if (held === undefined) return goneExit("The engine knows nothing of the execution");
    return await orAborted(held.exited.promise, signal);
  }

  async stop(executionId: string, { graceMs }: { graceMs: number }): Promise<void> {
    const held = this.#held.get(executionId);
    if (held === undefined || held.exit !== undefined) return;
    held.isStopping = true;
    await held.started.catch(() => {});
    if (held.exit !== undefined || held.containerId === undefined || !this.#held.has(executionId)) return;
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
    const started = [...runs].filter(([id, run]) => {
      const record = readRecord(run);
      this.#gpus.devices.hold(id, record?.gpus ?? []);
      return record !== undefined;
    });
    if (started.length === 0 && !await this.#client.isThere()) return [];
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
      if (isStray) this.#inBackground(this.#removeStray(Id, Labels[LABELS.gpus]));
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
  async #removeStray(containerId: string, gpus: string | undefined): Promise<void> {
    this.#gpus.devices.hold(containerId, gpus?.split(",") ?? []);
    await this.#daemon.remove(containerId);
    this.#gpus.devices.release(containerId);
  }

  /** The daemon is away: what was started counts as running until the daemon tells otherwise. */
  async #adoptUnseen(
    runs: ReadonlyMap<string, EngineRun>,
    started: readonly (readonly [executionId: string, run: EngineRun])[],
  ): Promise<readonly EngineHeld[]> {
    this.#inBackground(this.#daemon.retry(async () => {
      for (const { Id, Labels } of await this.#listOwn()) {
        const executionId = Labels[LABELS.execution] ?? "";
        if (this.#http.isHolding(Id)) continue;
        const known = this.#held.get(executionId)?.task.run ?? runs.get(executionId)?.run;
        if (known !== runOf(Labels)) await this.#removeStray(Id, Labels[LABELS.gpus]);
      }
    }));
    return await Promise.all(
      started.map(([executionId, run]) => this.#adopt(executionId, { run, isRunning: true })),
    );
  }

  /** Containers that this node made, and no others. */
  async #listOwn() {
    const filters = { label: [`${LABELS.node}=${this.#options.nodeId}`] };
    return await this.#client.get("/containers/json", Listed, { query: { all: true, filters } });
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
    const held = this.#held.get(executionId);
    if (held !== undefined && held.exit === undefined) return;
    // From here on its record is not read any more; its container has ended.
    this.#gpus.devices.release(executionId);
    if (held === undefined) return;
    this.#held.delete(executionId);
    if (held.containerId !== undefined) this.#inBackground(this.#daemon.remove(held.containerId));
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const held of this.#held.values()) {
      held.exited.reject(new AppError("unavailable", "Cannot wait for execution: the engine is closed"));
    }
    this.#http.closeAll();
    await Promise.all(this.#background);
    this.#client.close();
  }

  #hold(executionId: string, task: HeldTask): Held {
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

  async #startIn(
    held: Held,
    { task, params, granted, options }: {
      task: EngineTask;
      params: DockerParams;
      granted: Granted;
      options: StartOptions;
    },
  ): Promise<void> {
    const onProgress = options.onProgress ?? (() => {});
    const image = await ensureImage(this.#client, params.image, {
      policy: granted.pull,
      pinned: task.image,
      signal: options.signal,
      onProgress,
      onImage: options.onImage ?? (() => {}),
      onPulled: (id, images) => this.#pulls.note(id, images),
    });
    await refuseSocket(this.#options.socketPath, task.inputs);
    const gpus = await this.#gpus.give(held.executionId, task.gpuCount ?? 0, options.signal);
    held.task = { ...held.task, gpus: gpus?.uuids };
    this.#pulls.use(image.id);
    await writeRecord(held.task);
    const name = containerName(task.executionId, task.run);
    const sandbox = granted.network === "http"
      ? await this.#http.sandboxFor(task.executionId, { name, domains: task.network.domains })
      : undefined;
    if (sandbox === "started") {
      held.containerId = name;
      return this.#inBackground(this.#watch(held, { isWitnessed: false }));
    }
    try {
      const body = containerOf(task, params, granted, {
        nodeId: this.#options.nodeId,
        imageId: image.id,
        imageUser: image.user,
        hasQuota: await this.#daemon.hasQuota(),
        gpus,
        ...(sandbox !== undefined && { sandbox: { ...sandbox, env: PROXY_ENV } }),
      });
      const { id, isNew } = await this.#create(task, body);
      held.containerId = id;
      const status = isNew ? "created" : (await this.#daemon.inspect(id)).State.Status;
      if (
        status === "created" &&
        !await this.#run(held, { task, params, granted, imageId: image.id, signal: options.signal })
      ) {
        return;
      }
      onProgress(startedWith(image));
      this.#inBackground(this.#watch(held, { isWitnessed: isNew }));
    } finally {
      if (sandbox !== undefined) this.#inBackground(this.#http.release(sandbox));
    }
  }

  /** Starts a container that was made; false when the task was stopped meanwhile. */
  async #run(
    held: Held,
    { task, params, granted, imageId, signal }: {
      imageId: string;
      task: EngineTask;
      params: DockerParams;
      granted: Granted;
      signal: AbortSignal | undefined;
    },
  ): Promise<boolean> {
    const id = held.containerId!;
    try {
      await makeResultFolders(this.#client, id, {
        targets: task.results.map(({ target }) => target),
        imageId,
        areVolumes: granted.profile === "strict",
      });
      signal?.throwIfAborted();
      if (!held.isStopping) {
        held.isStartSent = true;
        await this.#client.call("POST", `/containers/${id}/start`);
      }
    } catch (error) {
      await this.#daemon.remove(id);
      throw error instanceof DockerRefusal ? startFailure(error, params) : error;
    }
    if (held.isStopping) this.#end(held, { kind: "stopped" });
    return !held.isStopping;
  }

  /** The name is the run's, so that a second request finds the first one's container. */
  async #create(
    { executionId, run }: EngineTask,
    body: object,
  ): Promise<{ id: string; isNew: boolean }> {
    const name = containerName(executionId, run);
    try {
      return {
        id: (await this.#client.post("/containers/create", Created, { query: { name }, body })).Id,
        isNew: true,
      };
    } catch (error) {
      if (error instanceof DockerRefusal && !isConflict(error)) throw startFailure(error, undefined);
      if (!isConflict(error)) throw error;
      const { Id, Config } = await this.#daemon.inspect(name);
      if (Config.Labels?.[LABELS.node] === this.#options.nodeId) return { id: Id, isNew: false };
      throw new AppError(
        "conflict",
        `Cannot start container: the name "${name}" is taken by one that this node did not make`,
        {
          hint: "Remove that container, or run the job again",
        },
      );
    }
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
    const held = this.#hold(executionId, readRecord(run) ?? nothingKnown(run));
    held.containerId = containerName(executionId, run.run);
    const { network, domains = [] } = held.task;
    if (network === "http") {
      this.#inBackground(this.#http.serveAgain(executionId, { name: held.containerId, domains }));
    }
    const watching = this.#watch(held, { isWitnessed: false });
    this.#inBackground(watching);
    if (isRunning) return { executionId, isRunning: true };
    await watching;
    return held.exit === undefined
      ? { executionId, isRunning: true }
      : { executionId, isRunning: false, exit: held.exit };
  }

  /** Watches a container to its end. */
  async #watch(held: Held, { isWitnessed }: { isWitnessed: boolean }): Promise<void> {
    const { task, containerId } = held;
    const watch = new Watch(this.#daemon, {
      id: containerId!,
      disk: this.#disk,
      task,
      isWitnessed,
      isStopping: () => held.isStopping,
      shutdownSigns: this.#options.shutdownSigns,
    });
    const exit = await watch.run();
    if (exit === undefined) return;
    const denied = this.#http.deniedOf(held.executionId);
    this.#end(
      held,
      await withHint(exit, {
        ...{ folder: task.folder, network: task.network, denied },
        ...{ protection: task.protection, allowed: this.#options.policy },
      }),
    );
  }

  #end(held: Held, exit: EngineExit): void {
    held.exit ??= exit;
    this.#http.close(held.executionId);
    held.exited.resolve(held.exit);
  }

  /** Work that nobody waits for; what fails with the daemon is done by the next start of the agent. */
  #inBackground(work: Promise<void>): void {
    const done = work.catch(() => {}).then(() => void this.#background.delete(done));
    this.#background.add(done);
  }
}

/** Containers of before runs were counted are of the first. */
const runOf = (labels: Readonly<Record<string, string>>): number => Number(labels[LABELS.run] ?? 0);
