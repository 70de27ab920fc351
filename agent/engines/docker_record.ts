/**
 * `<folder>/.engine` of a container: what a new agent must know to bring its task home. That it was started, and how it
 * ended, is the daemon's to tell.
 */
import { z } from "zod";
import { recogniseIo } from "../../shared/disk.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ContainerNetwork, Granted } from "./docker_policy.ts";
import type { Protection } from "./docker_protection.ts";
import type { EngineRun, EngineTask } from "./engine.ts";

/** The part of a task that outlives its start. */
export type HeldTask = Pick<EngineTask, "run" | "folder" | "results" | "diskBytes" | "logBytes"> & {
  /** Absent: written by a version that did not know. */
  readonly network?: ContainerNetwork;
  /** What it may reach with the network `http`. */
  readonly domains?: readonly string[];
  /** Absent as the network is. */
  readonly protection?: Protection;
  /** UUIDs of the devices that it has for itself. */
  readonly gpus?: readonly string[];
};

const TaskRecord = z.object({
  run: z.number().default(0),
  results: z.array(z.object({ hostPath: z.string(), target: z.string(), isReadOnly: z.boolean() })),
  diskBytes: z.number(),
  logBytes: z.number(),
  network: z.enum(["none", "bridge", "host", "http"]).optional(),
  domains: z.array(z.string()).optional(),
  gpus: z.array(z.string()).optional(),
  protection: z.object({
    profile: z.enum(["default", "strict"]),
    capabilities: z.array(z.string()),
    readOnlyTargets: z.array(z.string()),
  }).optional(),
});

/** What is kept of a task. */
export function heldTask(
  { run, folder, results, inputs, diskBytes, logBytes, network: { domains } }: EngineTask,
  { network, profile, capabilities }: Granted,
): HeldTask {
  const readOnlyTargets = inputs.filter(({ isReadOnly }) => isReadOnly).map(({ target }) => target);
  return {
    ...{ run, folder, results, diskBytes, logBytes, network },
    ...(network === "http" && { domains }),
    protection: { profile, capabilities, readOnlyTargets },
  };
}

/** What a new agent must know to bring the task home. */
export async function writeRecord({ folder, ...record }: HeldTask): Promise<void> {
  try {
    await Deno.writeTextFile(`${folder}/.engine`, JSON.stringify(record));
  } catch (cause) {
    throw recogniseIo(cause, `Cannot start task in "${folder}"`);
  }
}

/** Undefined when that run was not started there, or the file cannot be read. */
export function readRecord({ folder, run }: EngineRun): HeldTask | undefined {
  try {
    const record = TaskRecord.parse(JSON.parse(Deno.readTextFileSync(`${folder}/.engine`)));
    return record.run === run ? { folder, ...record } : undefined;
  } catch {
    return undefined;
  }
}

/** Nothing is known of its results: its end and its output are worth having all the same. */
export function nothingKnown({ folder, run }: EngineRun): HeldTask {
  return { folder, run, results: [], diskBytes: 0, logBytes: LIMITS.logBytes };
}
