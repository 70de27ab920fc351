/**
 * The network `http`: a container in a network namespace that has nothing but its own loopback device, and on it the agent's
 * filtering proxy. There is no route, no bridge, no gateway, no other container and no DNS to be walked around by.
 *
 * A container that pauses makes the namespace; the agent listens in it; then the task's container is started in the same
 * namespace, and the pausing one may go.
 */
import { z } from "zod";
import { AppError, asAppError } from "../../shared/errors.ts";
import type { Log } from "../../shared/log.ts";
import { parseDomain } from "../core/domains.ts";
import { listenIn, type NamespaceOf, whyNotEnter } from "./net_namespace.ts";
import { type Denied, Proxy } from "./proxy.ts";
import { limited, type ProxyNetwork } from "./proxy_connect.ts";
import { DockerRefusal, isMissing } from "./docker_client.ts";
import { LABELS } from "./docker_container.ts";
import type { Daemon } from "./docker_daemon.ts";
import { hasPause, PAUSE_IMAGE, PAUSE_PROGRAM, withPauseImage } from "./docker_pause.ts";

/** Where the proxy is, for the container: a port that is no service's, and that no outgoing connection is given. */
const PROXY_PORT = 61128;
/** Where it could not be made, it is tried again after so long: the cause may be gone. */
const TRY_AGAIN_MS = 600_000;
/** Names that are looked up at the same time, for one task and for all. */
const RESOLVED_OF_TASK_MAX = 8;
const RESOLVED_MAX = 64;
/** Names that are counted apart for one task. */
const NAMES_MAX = 64;

/** What tells programs of the proxy, in both spellings that are in use. */
export const PROXY_ENV: readonly string[] = ["HTTP_PROXY", "HTTPS_PROXY"]
  .flatMap((name) => [name, name.toLowerCase()].map((it) => `${it}=http://127.0.0.1:${PROXY_PORT}`))
  .concat(["NO_PROXY", "no_proxy"].map((name) => `${name}=localhost,127.0.0.1,::1`));

const Created = z.object({ Id: z.string() });

/** How often a name was turned away. */
export interface DeniedName extends Denied {
  readonly count: number;
}

/** A namespace with the proxy in it, before the task's container is there. */
export interface Sandbox {
  /** The container that keeps it. */
  readonly containerId: string;
}

interface Served {
  readonly proxy: Proxy;
  readonly denied: Map<string, DeniedName>;
}

/** What the networks are made with. */
export interface HttpNetworksOptions {
  readonly nodeId: string;
  readonly network: ProxyNetwork;
  readonly log: Log | undefined;
}

/** The proxies of all running tasks with the network `http`. */
export class HttpNetworks {
  readonly #daemon: Daemon;
  readonly #options: HttpNetworksOptions;
  readonly #served = new Map<string, Served>();
  /** Containers that pause, until they are released. */
  readonly #holding = new Set<string>();
  #tried: { readonly daemon: string; readonly atMs: number; readonly why: string | undefined } | undefined;

  constructor(daemon: Daemon, options: HttpNetworksOptions) {
    this.#daemon = daemon;
    const { network } = options;
    this.#options = { ...options, network: { ...network, resolve: limited(network.resolve, RESOLVED_MAX) } };
  }

  /**
   * Why containers cannot be held to a list of domains here; undefined when they can. Tried once for each daemon, and from
   * time to time when it did not work.
   */
  async whyNot(daemon: string): Promise<string | undefined> {
    const known = this.#tried;
    const isOld = known?.why !== undefined && Date.now() - known.atMs > TRY_AGAIN_MS;
    if (known?.daemon === daemon && !isOld) return known.why;
    const why = whyNotEnter() ?? await this.#try();
    this.#tried = { daemon, atMs: Date.now(), why };
    return why;
  }

  /** With nothing in it. */
  async #try(): Promise<string | undefined> {
    const id = `probe-${this.#options.nodeId}`;
    try {
      const sandbox = await this.open(id, []);
      this.close(id);
      await this.release(sandbox);
    } catch (error) {
      return asAppError(error).message;
    }
  }

  /** For a container that is not there yet; `started` when an earlier agent has started it: then it is served again. */
  async sandboxFor(
    executionId: string,
    { name, domains }: { name: string; domains: readonly string[] },
  ): Promise<Sandbox | "started"> {
    try {
      const { Id, State } = await this.#daemon.inspect(name);
      if (State.Status !== "created") {
        if (State.Running) this.#adopt(executionId, { pid: State.Pid, containerId: Id, domains });
        return "started";
      }
      // Its network went with the agent that made it.
      await this.#daemon.remove(Id);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    return await this.open(executionId, domains);
  }

  /** Serves a container that an earlier agent has started, once the daemon answers. */
  async serveAgain(
    executionId: string,
    { name, domains }: { name: string; domains: readonly string[] },
  ): Promise<void> {
    const { Id, State } = await this.#daemon.retry(() => this.#daemon.inspect(name));
    if (State.Running) this.#adopt(executionId, { pid: State.Pid, containerId: Id, domains });
  }

  /** Makes the namespace and listens in it. Errors: `unavailable`, `start_failed`. */
  async open(executionId: string, domains: readonly string[]): Promise<Sandbox> {
    const containerId = await this.#startPause(executionId);
    try {
      const { State } = await this.#daemon.inspect(containerId);
      this.#serve(executionId, { pid: State.Pid, containerId, domains });
      return { containerId };
    } catch (error) {
      await this.release({ containerId });
      throw error;
    }
  }

  /** What fails is logged: the task then reaches nothing. */
  #adopt(executionId: string, of: NamespaceOf & { domains: readonly string[] }): void {
    if (this.#served.has(executionId)) return;
    try {
      this.#serve(executionId, of);
    } catch (error) {
      this.#options.log?.warn("Cannot serve the network http of a task again: it reaches nothing now", {
        executionId,
        error: asAppError(error),
      });
    }
  }

  /** The task's container is in the namespace, or will never be: the one that paused may go. */
  async release({ containerId }: Sandbox): Promise<void> {
    await this.#daemon.remove(containerId);
    this.#holding.delete(containerId);
  }

  /** Whether a container keeps a network for a task that is being started. */
  isHolding(containerId: string): boolean {
    return this.#holding.has(containerId);
  }

  /** What was turned away, most often first. */
  deniedOf(executionId: string): readonly DeniedName[] {
    const denied = [...this.#served.get(executionId)?.denied.values() ?? []];
    return denied.sort((a, b) => b.count - a.count || (a.host < b.host ? -1 : 1));
  }

  /** The task has ended. */
  close(executionId: string): void {
    this.#served.get(executionId)?.proxy.close();
    this.#served.delete(executionId);
  }

  closeAll(): void {
    for (const id of [...this.#served.keys()]) this.close(id);
  }

  #serve(executionId: string, { domains, ...of }: NamespaceOf & { domains: readonly string[] }): void {
    const denied = new Map<string, DeniedName>();
    const { network } = this.#options;
    const proxy = new Proxy(listenIn(of, PROXY_PORT), {
      rules: domains.map(parseDomain),
      network: { ...network, resolve: limited(network.resolve, RESOLVED_OF_TASK_MAX) },
      onDenied: (it) => this.#onDenied(executionId, denied, it),
      onFailed: (error) =>
        this.#options.log?.warn("A connection of a task's proxy failed", {
          executionId,
          error: asAppError(error),
        }),
    });
    this.#served.set(executionId, { proxy, denied });
  }

  #onDenied(executionId: string, names: Map<string, DeniedName>, denied: Denied): void {
    const key = `${denied.host}:${denied.port} ${denied.why}`;
    const known = names.get(key);
    if (known !== undefined) return void names.set(key, { ...known, count: known.count + 1 });
    if (names.size >= NAMES_MAX) return;
    names.set(key, { ...denied, count: 1 });
    const what = denied.why === "unreachable"
      ? "Could not do a task's request"
      : "Turned a task's request away";
    this.#options.log?.info(what, { executionId, ...denied });
  }

  async #startPause(executionId: string): Promise<string> {
    const { client } = this.#daemon;
    const { Arch } = await client.version();
    if (!hasPause(Arch)) {
      throw new AppError("unavailable", `Cannot make the network http on the architecture ${Arch}`);
    }
    // One that is left of another start may still be there.
    const query = { name: `skerry-net-${executionId}-${crypto.randomUUID().slice(0, 8)}` };
    const body = this.#pauseBody(executionId);
    try {
      const { Id } = await withPauseImage(
        client,
        Arch,
        () => client.post("/containers/create", Created, { query, body }),
      );
      this.#holding.add(Id);
      await client.call("POST", `/containers/${Id}/start`);
      return Id;
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
      throw new AppError("start_failed", `Cannot make the network http: ${error.message}`, { cause: error });
    }
  }

  #pauseBody(executionId: string) {
    return {
      Image: PAUSE_IMAGE,
      Entrypoint: [PAUSE_PROGRAM],
      User: "65534:65534",
      Labels: { [LABELS.node]: this.#options.nodeId, [LABELS.sandbox]: executionId },
      HostConfig: {
        NetworkMode: "none",
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        PidsLimit: 64,
        IpcMode: "private",
        CgroupnsMode: "private",
        RestartPolicy: { Name: "no" },
        LogConfig: { Type: "none" },
      },
    };
  }
}
