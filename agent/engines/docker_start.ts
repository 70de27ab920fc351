/** Starting a container: its image, its network, its devices, the container itself; made once for each run. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { DockerRefusal, isConflict } from "./docker_client.ts";
import { containerName, containerOf, LABELS } from "./docker_container.ts";
import type { Daemon } from "./docker_daemon.ts";
import { START_CUT_OFF, startFailure } from "./docker_exit.ts";
import type { GpuSupply } from "./docker_gpu_supply.ts";
import type { Held, HeldContainers } from "./docker_held.ts";
import { type HttpNetworks, PROXY_ENV } from "./docker_http.ts";
import { ensureImage, startedWith } from "./docker_images.ts";
import { endOrphans } from "./docker_orphans.ts";
import type { DockerParams } from "./docker_params.ts";
import type { Granted } from "./docker_policy.ts";
import type { DockerPulls } from "./docker_pulls.ts";
import { writeRecord } from "./docker_record.ts";
import { makeResultFolders } from "./docker_results.ts";
import { refuseSocket } from "./docker_socket.ts";
import type { EngineTask, StartOptions } from "./engine.ts";

const Created = z.object({ Id: z.string() });

/** What is started, and what it may have. */
export interface ContainerStart {
  readonly task: EngineTask;
  readonly params: DockerParams;
  readonly granted: Granted;
  readonly options: StartOptions;
}

/** The parts of an engine that a start needs. */
export interface DockerStartsOptions {
  /** Whose the containers are. */
  readonly nodeId: string;
  readonly held: HeldContainers;
  readonly http: HttpNetworks;
  readonly gpus: GpuSupply;
  readonly pulls: DockerPulls;
}

/** One engine's starts. */
export class DockerStarts {
  readonly #daemon: Daemon;
  readonly #options: DockerStartsOptions;

  constructor(daemon: Daemon, options: DockerStartsOptions) {
    this.#daemon = daemon;
    this.#options = options;
  }

  /** Starts the container of a run, or finds it as an earlier try left it; from then on it is watched. May be tried again. */
  async start(held: Held, start: ContainerStart): Promise<void> {
    const { task, params, granted, options } = start;
    const { http, pulls } = this.#options;
    const onProgress = options.onProgress ?? (() => {});
    const image = await ensureImage(this.#daemon.client, params.image, {
      policy: granted.pull,
      pinned: task.image,
      signal: options.signal,
      onProgress,
      onImage: options.onImage ?? (() => {}),
      onPulled: (id, images) => pulls.note(id, images),
    });
    await refuseSocket(this.#daemon.client.socketPath, task.inputs);
    const gpus = await this.#options.gpus.give(held.executionId, task.gpuCount ?? 0, options.signal);
    held.task = { ...held.task, gpus: gpus?.uuids };
    pulls.use(image.id);
    await writeRecord(held.task);
    const name = containerName(task.executionId, task.run);
    const sandbox = granted.network === "http"
      ? await http.sandboxFor(task.executionId, { name, domains: task.network.domains })
      : undefined;
    if (sandbox === "started") {
      held.containerId = name;
      return this.#options.held.watch(held, { isWitnessed: false });
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
      const { id, isNew } = await this.#create(name, { body, onProgress });
      held.containerId = id;
      if (isNew && !await this.#run(held, start, image.id)) return;
      onProgress(startedWith(image));
      this.#options.held.watch(held, { isWitnessed: isNew });
    } finally {
      if (sandbox !== undefined) this.#options.held.inBackground(http.release(sandbox));
    }
  }

  /** Starts a container that was made; false when the task was stopped meanwhile. */
  async #run(
    held: Held,
    { task, params, granted, options: { signal } }: ContainerStart,
    imageId: string,
  ): Promise<boolean> {
    const { client } = this.#daemon;
    const id = held.containerId!;
    try {
      await makeResultFolders(client, id, {
        targets: task.results.map(({ target }) => target),
        imageId,
        areVolumes: granted.profile === "strict",
      });
      signal?.throwIfAborted();
      if (!held.isStopping) {
        this.#options.held.aboutToStart(held);
        held.isStartSent = true;
        await client.call("POST", `/containers/${id}/start`);
      }
    } catch (error) {
      await this.#daemon.removeUnstarted(id);
      if (error instanceof DockerRefusal) throw startFailure(error, params);
      const isCutOff = held.isStartSent && error instanceof AppError && error.code === "unavailable";
      throw isCutOff ? new AppError("interrupted", START_CUT_OFF.message, START_CUT_OFF) : error;
    }
    if (held.isStopping) this.#options.held.end(held, { kind: "stopped" });
    return !held.isStopping;
  }

  /**
   * The name is the run's, so that a second request finds the first one's container. One that has not started is made again:
   * the daemon may have been killed in the middle of its start, and its program have run.
   */
  async #create(
    name: string,
    { body, onProgress }: { body: object; onProgress: (message: string) => void },
  ): Promise<{ id: string; isNew: boolean }> {
    const { client, closing } = this.#daemon;
    for (;;) {
      try {
        const { Id } = await client.post("/containers/create", Created, { query: { name }, body });
        return { id: Id, isNew: true };
      } catch (error) {
        if (error instanceof DockerRefusal && !isConflict(error)) throw startFailure(error, undefined);
        if (!isConflict(error)) throw error;
      }
      const { Id, Config, State } = await this.#daemon.inspect(name);
      if (Config.Labels?.[LABELS.node] !== this.#options.nodeId) throw nameTaken(name);
      if (State.Status !== "created") return { id: Id, isNew: false };
      try {
        await client.call("DELETE", `/containers/${Id}`, { query: { v: true } });
      } catch (error) {
        // It has started meanwhile.
        if (isConflict(error)) return { id: Id, isNew: false };
        throw error;
      }
      await endOrphans(Id, { signal: closing, onProgress });
    }
  }
}

const nameTaken = (name: string): AppError =>
  new AppError(
    "conflict",
    `Cannot start container: the name "${name}" is taken by one that this node did not make`,
    { hint: "Remove that container, or run the job again" },
  );
