/**
 * The GPUs of the machine, as NVIDIA's driver tells of them. Asked once, when the agent starts: a device that comes later
 * takes a restart of the agent, and an idle node asks nothing.
 */
import type { Gpu } from "../../shared/model/gpu.ts";

/** Waking up a driver that nobody holds open takes seconds; more is a driver that hangs. */
const QUERY_MS = 10_000;
const QUERY = [
  "--query-gpu=index,uuid,name,memory.total,pci.bus_id",
  "--format=csv,noheader,nounits",
];

/** What was found. `reason`: why nothing was, though there should be something. */
export interface GpusFound {
  readonly gpus: readonly Gpu[];
  readonly reason?: string;
  /** Devices of the owner's choice that are not there. */
  readonly unknown: readonly string[];
}

/** No GPU. */
export const NO_GPUS: GpusFound = { gpus: [], unknown: [] };

/** How devices are looked for. */
export interface FindGpusOptions {
  /** Which may be used: indexes or UUIDs, with `!` before those that may not; empty: all. */
  readonly devices: readonly string[];
  /** The program; `nvidia-smi` of the PATH unless given. */
  readonly program?: string;
  readonly timeoutMs?: number;
}

/** Asks the driver. Never throws: a machine without a driver has no GPUs. */
export async function findGpus(
  { devices, program = "nvidia-smi", timeoutMs = QUERY_MS }: FindGpusOptions,
): Promise<GpusFound> {
  if (devices.length > 0 && devices.every((name) => name === "none")) return NO_GPUS;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, { args: QUERY, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return choose([], devices);
    return failed(`${program} cannot be run: ${(error as Error).message}`);
  }
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), timeoutMs);
  const output = await Promise.race([child.output(), late.promise]);
  clearTimeout(timer);
  if (output === undefined) {
    // One that hangs in its driver does not even die: nobody waits for it.
    child.kill("SIGKILL");
    child.unref();
    return failed(`${program} gave no answer within ${timeoutMs / 1000} s`);
  }
  const { success, stdout, stderr } = output;
  const text = new TextDecoder().decode(stdout);
  if (success) return choose(parseGpus(text), devices);
  const said = `${text}\n${new TextDecoder().decode(stderr)}`.trim().split("\n")[0]?.trim() ?? "";
  return /no devices were found/i.test(said) ? NO_GPUS : failed(`${program} failed: ${said.slice(0, 200)}`);
}

const failed = (reason: string): GpusFound => ({ ...NO_GPUS, reason });

/** Devices by index. Lines that tell of no device are passed over. */
export function parseGpus(csv: string): readonly Gpu[] {
  return csv.split("\n").flatMap((line): Gpu[] => {
    const [index = "", uuid = "", name = "", memory = "", pciAddress = ""] = line.split(",").map((cell) =>
      cell.trim()
    );
    if (!/^\d+$/.test(index) || !/^GPU-[\w-]+$/.test(uuid)) return [];
    return [{
      index: Number(index),
      uuid,
      name,
      vendor: "NVIDIA",
      ...(/^\d+$/.test(memory) && { memoryMib: Number(memory) }),
      ...(/^[0-9a-f]+:/i.test(pciAddress) && { pciAddress }),
    }];
  }).sort((a, b) => a.index - b.index);
}

/** The devices that the owner lets jobs have. */
export function choose(gpus: readonly Gpu[], devices: readonly string[]): GpusFound {
  const isNamed = (gpu: Gpu, name: string) => name === String(gpu.index) || name === gpu.uuid;
  const wanted = devices.filter((name) => !name.startsWith("!"));
  const barred = devices.filter((name) => name.startsWith("!")).map((name) => name.slice(1));
  const chosen = gpus.filter((gpu) =>
    (wanted.length === 0 || wanted.some((name) => isNamed(gpu, name))) &&
    !barred.some((name) => isNamed(gpu, name))
  );
  const unknown = [...wanted, ...barred].filter((name) => !gpus.some((gpu) => isNamed(gpu, name)));
  return { gpus: chosen, unknown };
}
