/**
 * Which execution has which GPU. A device belongs to one execution from before its container is made until the execution is
 * forgotten; containers and records of executions name theirs, so that a new agent knows what is taken.
 */
import { AppError } from "../../shared/errors.ts";
import { exists } from "../../shared/disk.ts";
import type { Gpu } from "../../shared/model/gpu.ts";

/** How long a start waits for a device that is on its way back: the container of an earlier execution is being removed. */
const FREE_MS = 60_000;

/** How a daemon gives GPUs to containers: by NVIDIA's runtime hook, or by devices that it knows by name. */
export type GpuWay = "nvidia" | "cdi";

/** The devices that executions may have. */
export class GpuDevices {
  readonly #uuids: readonly string[];
  readonly #heldBy = new Map<string, readonly string[]>();
  #released = Promise.withResolvers<void>();

  constructor(gpus: readonly Gpu[]) {
    this.#uuids = gpus.map(({ uuid }) => uuid);
  }

  /**
   * So many devices that nobody else has, by index; the same ones when the execution has some already. Waits while too few
   * are free. Errors: `exhausted` when they stay so, and the reason of the signal.
   */
  async take(executionId: string, count: number, signal?: AbortSignal): Promise<readonly string[]> {
    const deadline = AbortSignal.timeout(FREE_MS);
    for (;;) {
      signal?.throwIfAborted();
      const held = this.#heldBy.get(executionId);
      if (held !== undefined) return held;
      const free = this.#free();
      if (free.length >= count) {
        const taken = free.slice(0, count);
        this.#heldBy.set(executionId, taken);
        return taken;
      }
      if (deadline.aborted) throw noneFree(count, free.length);
      await untilAny(this.#released.promise, [deadline, ...signal ? [signal] : []]);
    }
  }

  /** What an execution has had since before this process. */
  hold(executionId: string, uuids: readonly string[]): void {
    if (uuids.length > 0) this.#heldBy.set(executionId, uuids);
  }

  /** Its devices are free. Again, or for one that has none: nothing. */
  release(executionId: string): void {
    if (!this.#heldBy.delete(executionId)) return;
    this.#released.resolve();
    this.#released = Promise.withResolvers();
  }

  #free(): readonly string[] {
    const taken = new Set([...this.#heldBy.values()].flat());
    return this.#uuids.filter((uuid) => !taken.has(uuid));
  }
}

async function untilAny(promise: Promise<void>, signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  const aborted = Promise.withResolvers<void>();
  const onAbort = () => aborted.resolve();
  any.addEventListener("abort", onAbort, { once: true });
  if (any.aborted) onAbort();
  await Promise.race([promise, aborted.promise]);
  any.removeEventListener("abort", onAbort);
}

function noneFree(count: number, freeCount: number): AppError {
  return new AppError("exhausted", `Cannot start the task: it needs ${count} GPUs, ${freeCount} are free`, {
    hint: "The containers of earlier executions still have them: see docker ps on the node",
  });
}

/** What the daemon tells that decides how it gives GPUs. */
export interface GpuFacts {
  readonly runtimes: readonly string[];
  /** Folders with descriptions of devices, where the daemon reads them. */
  readonly cdiFolders: readonly string[];
}

/** Where the toolkit's hook is, beside the PATH. */
const HOOK_FOLDERS = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/nvidia/toolkit"];
const HOOK = "nvidia-container-runtime-hook";

/** How the daemon gives GPUs to containers; undefined when nothing speaks for that it can. */
export async function gpuWayOf({ runtimes, cdiFolders }: GpuFacts): Promise<GpuWay | undefined> {
  if (runtimes.includes("nvidia")) return "nvidia";
  const folders = new Set([...(Deno.env.get("PATH") ?? "").split(":").filter(Boolean), ...HOOK_FOLDERS]);
  for (const folder of folders) {
    if (await exists(`${folder}/${HOOK}`).catch(() => false)) return "nvidia";
  }
  for (const folder of cdiFolders) {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name).catch(() => []);
    if (names.some((name) => /nvidia.*\.(?:ya?ml|json)$/.test(name))) return "cdi";
  }
}

/** Why a node that has GPUs does not offer them. */
export const NO_GPU_WAY =
  "the Docker Engine cannot give them to containers: install the NVIDIA Container Toolkit (nvidia-ctk runtime configure) and restart the engine";

/** The part of a container's body that gives it these devices and no others. */
export function deviceRequests(uuids: readonly string[], way: GpuWay): readonly object[] {
  if (uuids.length === 0) return [];
  return way === "cdi"
    ? [{ Driver: "cdi", DeviceIDs: uuids.map((uuid) => `nvidia.com/gpu=${uuid}`) }]
    : [{ DeviceIDs: uuids, Capabilities: [["gpu"]] }];
}

/** Read by NVIDIA's runtime: images that name devices, and tasks that do, get none by it. */
const VISIBLE = "NVIDIA_VISIBLE_DEVICES";

/** The container's variables on a machine with GPUs: what it sees is what it was given. */
export function gpuEnv(env: readonly string[], uuids: readonly string[]): readonly string[] {
  const seen = uuids.length === 0 ? "void" : uuids.join(",");
  return [...env.filter((entry) => !entry.startsWith(`${VISIBLE}=`)), `${VISIBLE}=${seen}`];
}
