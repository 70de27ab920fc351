/** Amounts of what a node has and a task needs. */
import { z } from "zod";

/** Whole amounts ≥ 0: thousandths of a core, bytes, bytes, devices. */
export const Resources = z.object({
  cpuMillis: z.number().int().nonnegative(),
  memoryBytes: z.number().int().nonnegative(),
  diskBytes: z.number().int().nonnegative(),
  gpuCount: z.number().int().nonnegative(),
});
export type Resources = Readonly<z.infer<typeof Resources>>;

/** One dimension of `Resources`. */
export type Dimension = keyof Resources;
/** Every dimension, in the order in which they are named to users. */
export const DIMENSIONS: readonly Dimension[] = ["cpuMillis", "memoryBytes", "diskBytes", "gpuCount"];

/** Nothing of anything. */
export const NO_RESOURCES: Resources = { cpuMillis: 0, memoryBytes: 0, diskBytes: 0, gpuCount: 0 };

/** The sum in every dimension. */
export function add(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis + b.cpuMillis,
    memoryBytes: a.memoryBytes + b.memoryBytes,
    diskBytes: a.diskBytes + b.diskBytes,
    gpuCount: a.gpuCount + b.gpuCount,
  };
}

/** May go below zero: the caller checks with `fits` first. */
export function subtract(a: Resources, b: Resources): Resources {
  return {
    cpuMillis: a.cpuMillis - b.cpuMillis,
    memoryBytes: a.memoryBytes - b.memoryBytes,
    diskBytes: a.diskBytes - b.diskBytes,
    gpuCount: a.gpuCount - b.gpuCount,
  };
}

/** Rounded down. */
export function scale(a: Resources, factor: number): Resources {
  return {
    cpuMillis: Math.floor(a.cpuMillis * factor),
    memoryBytes: Math.floor(a.memoryBytes * factor),
    diskBytes: Math.floor(a.diskBytes * factor),
    gpuCount: Math.floor(a.gpuCount * factor),
  };
}

/** Whether `need` is at most `room` in every dimension. */
export function fits(need: Resources, room: Resources): boolean {
  return need.cpuMillis <= room.cpuMillis && need.memoryBytes <= room.memoryBytes &&
    need.diskBytes <= room.diskBytes && need.gpuCount <= room.gpuCount;
}

/**
 * What of the whole somebody holds, in the dimension where that is most (Ghodsi et al., Dominant Resource Fairness, NSDI 2011).
 * In [0, ∞); of what there is nothing of: 1 and more.
 */
export function dominantShare(held: Resources, total: Resources): number {
  let share = 0;
  for (const dimension of DIMENSIONS) {
    if (held[dimension] > 0) share = Math.max(share, held[dimension] / Math.max(1, total[dimension]));
  }
  return share;
}
