/** What a node tells of itself. */
import type { Gpu } from "../../shared/model/gpu.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { NodeFacts } from "../../shared/model/node.ts";
import { DIMENSIONS, type Resources, scale } from "../../shared/model/resources.ts";
import { VERSION } from "../../shared/version.ts";
import type { Machine } from "./host.ts";

/** What the node's owner sets. */
export interface NodeSettings {
  /** Part of the machine that executions may use; 0.8 unless given. */
  readonly capacityRatio?: number;
  /** Absolute amounts, in place of the part. */
  readonly capacity?: Partial<Resources>;
  /** The most that one task gets; less than the capacity is what counts. */
  readonly taskMax?: Partial<Resources>;
  /** How many times the capacity may wait in the queue; 16 unless given. */
  readonly queueRatio?: number;
  /** Beside `os_type`, `os_arch` and `name`, and in place of them. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Adapters by what they serve. */
export interface Offered {
  readonly engines: readonly string[];
  readonly inputs: readonly string[];
  readonly publishers: readonly string[];
  /** `os/arch` of what its engines run, where programs are made for one. */
  readonly platforms?: readonly string[];
  /** Networks of containers; absent where there are no containers. */
  readonly networks?: readonly string[];
  /** Devices that containers can be given. */
  readonly gpus?: readonly Gpu[];
  /** Adapter → why it is not offered. */
  readonly absent: Readonly<Record<string, string>>;
}

const CAPACITY_RATIO = 0.8;
const QUEUE_RATIO = 16;

/** The facts as they are told: lists sorted, so that the same node says the same. */
export function nodeFacts(id: NodeId, machine: Machine, settings: NodeSettings, offered: Offered): NodeFacts {
  const share = scale(machine.total, settings.capacityRatio ?? CAPACITY_RATIO);
  const amounts = DIMENSIONS.map((name) => [name, settings.capacity?.[name] ?? share[name]]);
  const gpus = offered.gpus ?? [];
  const capacity: Resources = {
    ...Object.fromEntries(amounts) as Resources,
    gpuCount: Math.min(gpus.length, settings.capacity?.gpuCount ?? Infinity),
  };
  return {
    id,
    labels: {
      ...{ os_type: machine.os, os_arch: machine.arch, name: machine.hostname },
      ...gpuLabels(gpus),
      ...settings.labels,
    },
    engines: [...offered.engines].sort(),
    inputs: [...offered.inputs].sort(),
    publishers: [...offered.publishers].sort(),
    ...(offered.networks !== undefined && { networks: [...offered.networks].sort() }),
    capacity,
    ...(settings.taskMax !== undefined && Object.keys(settings.taskMax).length > 0 &&
      { taskMax: settings.taskMax }),
    queueCapacity: scale(capacity, settings.queueRatio ?? QUEUE_RATIO),
    version: VERSION,
    os: machine.os,
    arch: machine.arch,
    ...(offered.platforms !== undefined && { platforms: [...offered.platforms].sort() }),
    ...(gpus.length > 0 && { gpus: [...gpus] }),
    absent: { ...offered.absent },
  };
}

/** `GPU-0=NVIDIA-A100`, `GPU-0-Memory=40960` (MiB), under Bacalhau's keys. */
function gpuLabels(gpus: readonly Gpu[]): Record<string, string> {
  return Object.fromEntries(gpus.flatMap(({ index, name, memoryMib }) => [
    [`GPU-${index}`, name.replace(/\s+/g, "-")],
    ...(memoryMib === undefined ? [] : [[`GPU-${index}-Memory`, String(memoryMib)]]),
  ]));
}
