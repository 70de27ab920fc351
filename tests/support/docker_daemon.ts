/** A Docker Engine of the tests' own: its data, socket and containers are in a folder that is gone afterwards. */
import { DockerClient } from "../../agent/engines/docker_client.ts";
import { dockerEngine } from "../../scripts/setup.ts";
import { busyboxLayer } from "./busybox_layer.ts";
import { family, killAll, withArgument } from "./processes.ts";
import { waitUntil } from "./wait_until.ts";

/** Name of an image with busybox and nothing else. */
export const BUSYBOX = "busybox:test";

/** How the daemon runs. */
export interface DaemonOptions {
  /** Where its folder is made; the usual place for such unless given. */
  readonly folderIn?: string;
  readonly isLiveRestored?: boolean;
  /** It has a bridge, with which containers have the network `bridge`, and the host their ports. */
  readonly hasBridge?: boolean;
  /** It has NVIDIA's runtime, which is plain runc here. */
  readonly hasGpuRuntime?: boolean;
  /** It has the runtime, and a hook that takes device requests and does nothing. */
  readonly hasGpuHook?: boolean;
}

/** A daemon that can be stopped, killed and started again. Needs root, dockerd and a static busybox. */
export class DockerDaemon implements AsyncDisposable {
  readonly folder: string;
  readonly socketPath: string;
  readonly #options: DaemonOptions;
  /** Name of a device of this daemon's own. */
  readonly #bridge: string | undefined;
  #containerd: Deno.ChildProcess | undefined;
  #process: Deno.ChildProcess | undefined;

  private constructor(folder: string, options: DaemonOptions) {
    this.folder = folder;
    this.socketPath = `${folder}/docker.sock`;
    this.#options = options;
    this.#bridge = options.hasBridge ? `sk${crypto.randomUUID().slice(0, 8)}` : undefined;
  }

  /** A daemon with the image `BUSYBOX`. */
  static async start(options: DaemonOptions = {}): Promise<DockerDaemon> {
    await dockerEngine();
    const daemon = new DockerDaemon(
      await Deno.makeTempDir({ prefix: "skerry-docker-", dir: options.folderIn }),
      options,
    );
    try {
      await daemon.#makeBridge();
      await daemon.begin();
      await daemon.#loadBusybox();
      return daemon;
    } catch (error) {
      await daemon[Symbol.asyncDispose]();
      throw error;
    }
  }

  client(): DockerClient {
    return new DockerClient(this.socketPath);
  }

  /** Starts the daemon, and again after `stop` or `kill`. containerd is a service of its own, as distributions have it. */
  async begin(): Promise<void> {
    this.#containerd ??= await this.#spawn("containerd", [
      ...["--address", `${this.folder}/containerd.sock`, "--root", `${this.folder}/containerd`],
      ...["--state", `${this.folder}/containerd-state`, "--log-level", "warn"],
    ]);
    const { hasGpuHook, hasGpuRuntime } = this.#options;
    if (hasGpuHook) await this.#putGpuHook();
    this.#process = await this.#spawn("dockerd", [
      ...["--data-root", `${this.folder}/data`, "--exec-root", `${this.folder}/exec`],
      ...["--pidfile", `${this.folder}/pid`, "--host", `unix://${this.socketPath}`],
      ...["--containerd", `${this.folder}/containerd.sock`, "--log-level", "warn"],
      ...["--bridge", this.#bridge ?? "none", "--iptables=false", "--ip-forward=false"],
      ...(this.#options.isLiveRestored ? ["--live-restore"] : []),
      ...(hasGpuHook || hasGpuRuntime ? ["--add-runtime", "nvidia=runc"] : []),
    ]);
    const client = this.client();
    try {
      await waitUntil("the Docker daemon answers", () => client.version().then(() => true, () => false), {
        deadlineMs: 60_000,
      });
    } finally {
      client.close();
    }
  }

  /** With a network that is no other's on the machine, as far as can be drawn. */
  async #makeBridge(): Promise<void> {
    if (this.#bridge === undefined) return;
    const [a, b] = crypto.getRandomValues(new Uint8Array(2));
    await ip("link", "add", this.#bridge, "type", "bridge");
    await ip("addr", "add", `10.${200 + a! % 50}.${b}.1/24`, "dev", this.#bridge);
    await ip("link", "set", this.#bridge, "up");
  }

  async #putGpuHook(): Promise<void> {
    await Deno.mkdir(`${this.folder}/bin`, { recursive: true });
    await Deno.writeTextFile(
      `${this.folder}/bin/nvidia-container-runtime-hook`,
      "#!/bin/sh\nexec cat > /dev/null\n",
      {
        mode: 0o755,
      },
    );
  }

  async #spawn(program: string, args: string[]): Promise<Deno.ChildProcess> {
    const log = await Deno.open(`${this.folder}/${program}.log`, { write: true, create: true, append: true });
    const env = { PATH: `${this.folder}/bin:${Deno.env.get("PATH")}` };
    const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "piped" })
      .spawn();
    child.stderr.pipeTo(log.writable).catch(() => {});
    return child;
  }

  /** An orderly end: without live-restore its containers end as well. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** The daemon is killed; containers run on until it is started again. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /**
   * What the loss of power leaves of it: its processes and those in its containers are gone, nothing is mounted any more, and
   * what it keeps in /run elsewhere is empty. `begin` starts it again.
   */
  async cutPower(): Promise<void> {
    const daemons = [this.#process, this.#containerd];
    [this.#process, this.#containerd] = [undefined, undefined];
    // Those that would tell of the others' end go first.
    for (const daemon of daemons) daemon?.kill("SIGKILL");
    for (let left = withArgument(this.folder); left.length > 0; left = withArgument(this.folder)) {
      killAll([...left, ...left.flatMap(family)]);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    for (const daemon of daemons) await daemon?.status;
    await this.#unmount();
    for (const name of ["exec", "containerd-state", "containerd.sock", "docker.sock", "pid"]) {
      await Deno.remove(`${this.folder}/${name}`, { recursive: true }).catch(() => {});
    }
    await this.#removeControlGroups();
  }

  /** The kernel's groups of containers whose runtime was not there to remove them. */
  async #removeControlGroups(): Promise<void> {
    for await (const { name: id } of Deno.readDir(`${this.folder}/data/containers`)) {
      const args = ["/sys/fs/cgroup", "-depth", "-type", "d", "-name", id, "-exec", "rmdir", "{}", ";"];
      await new Deno.Command("find", { args, stdout: "null", stderr: "null" }).output();
    }
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill(signal);
    await process?.status;
    if (signal === "SIGKILL") await Deno.remove(`${this.folder}/pid`).catch(() => {});
  }

  /** An image out of a folder that holds a static busybox under all its names. */
  async #loadBusybox(): Promise<void> {
    const { tar: body } = await busyboxLayer();
    const [repo, tag] = BUSYBOX.split(":");
    const client = this.client();
    try {
      const stream = await client.stream("POST", "/images/create", {
        query: { fromSrc: "-", repo, tag, changes: "ENV PATH=/bin" },
        body,
      });
      await stream.pipeTo(new WritableStream());
    } finally {
      client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process === undefined) await this.begin();
    const client = this.client();
    try {
      await removeAll(client);
    } finally {
      client.close();
    }
    await this.stop();
    this.#containerd?.kill("SIGTERM");
    await this.#containerd?.status;
    // What a daemon that was killed has begun and nobody knows of any more.
    killAll(withArgument(this.folder).flatMap(family));
    await this.#unmount();
    if (this.#bridge !== undefined) await ip("link", "delete", this.#bridge);
    await Deno.remove(this.folder, { recursive: true });
  }

  /** A daemon that keeps containers alive keeps its mounts as well. */
  async #unmount(): Promise<void> {
    const mounts = (await Deno.readTextFile("/proc/mounts")).split("\n").map((line) =>
      line.split(" ")[1] ?? ""
    );
    for (const mount of mounts.filter((path) => path.startsWith(`${this.folder}/`)).reverse()) {
      await new Deno.Command("umount", { args: ["--lazy", mount] }).output();
    }
  }
}

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function removeAll(client: DockerClient): Promise<void> {
  const { z } = await import("zod");
  const all = await client.get("/containers/json", z.array(z.object({ Id: z.string() })), {
    query: { all: true },
  });
  for (const { Id } of all) {
    await client.call("DELETE", `/containers/${Id}`, { query: { force: true, v: true } });
  }
}
