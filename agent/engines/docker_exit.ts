/** What a container's last state means. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { EngineExit } from "./engine.ts";
import type { DockerRefusal } from "./docker_client.ts";
import type { DockerParams } from "./docker_params.ts";

/** The part of the daemon's record that tells how a container is. */
export const ContainerState = z.object({
  Status: z.string(),
  Running: z.boolean(),
  OOMKilled: z.boolean(),
  ExitCode: z.number(),
  Error: z.string(),
  Pid: z.number(),
  /** RFC 3339. */
  StartedAt: z.string(),
  FinishedAt: z.string(),
});
export type ContainerState = z.infer<typeof ContainerState>;

/** Exit code of a process that was ended by SIGKILL: nobody does that to himself. */
const KILLED = 128 + 9;
/** Clocks of one machine, and the time that it takes to notice. */
const NOTICE_MS = 2_000;
/** A daemon that has just been started may take so long to take note of what ended while it was away. */
const RESTORE_MS = 30_000;

/**
 * Whether the container's end says nothing, even when its code is 0: a shutdown of the daemon or of the machine ended it, or it
 * ended while the daemon was away, so that its last output may be gone (with live-restore, nobody reads it meanwhile).
 * `isWitnessed`: it was seen running by this process; `lostAtMs`: since when the daemon was away.
 */
export async function isCutShort(
  { StartedAt, FinishedAt }: ContainerState,
  seen: { isWitnessed: boolean; lostAtMs: number | undefined; isLiveRestored: boolean; socketPath: string },
): Promise<boolean> {
  const [startedAtMs, finishedAtMs] = [Date.parse(StartedAt), Date.parse(FinishedAt)];
  if (seen.lostAtMs !== undefined) return finishedAtMs >= seen.lostAtMs - NOTICE_MS;
  if (seen.isWitnessed) return false;
  if (await bootedAtMs() > startedAtMs) return true;
  const daemonAtMs = await daemonStartedAtMs(seen.socketPath);
  if (daemonAtMs === undefined || daemonAtMs < startedAtMs) return false;
  return !seen.isLiveRestored || finishedAtMs < daemonAtMs + RESTORE_MS;
}

/** How the task ended. */
export function exitOf(
  { ExitCode, OOMKilled, Error: error }: ContainerState,
  seen: {
    isStopping: boolean;
    isDiskExceeded: boolean;
    isCutShort: boolean;
    isShutdown?: boolean;
    /** Of the Docker Engine, at some time while it ran. */
    isDiskFull?: boolean;
  },
): EngineExit {
  if (seen.isDiskExceeded) {
    return {
      kind: "failed",
      code: "disk_exceeded",
      message: "The container wrote more than the disk that its task asked for",
      hint: "Give the task more disk, or let it write less",
      exitCode: ExitCode,
    };
  }
  if (seen.isStopping) return { kind: "stopped", exitCode: ExitCode };
  if (seen.isShutdown) {
    return {
      kind: "failed",
      code: "interrupted",
      message: "The container ended while the machine was shutting down",
      hint: "What it says of its end may not be its own: it runs again by the job's policy for lost attempts",
      isBlameless: true,
    };
  }
  if (seen.isCutShort) {
    return {
      kind: "failed",
      code: "interrupted",
      message: "The container ended while the Docker Engine was away, or by a shutdown of the machine",
      hint:
        'Set "live-restore": true in the daemon\'s configuration, so that containers outlive its restarts',
      isBlameless: true,
    };
  }
  if (OOMKilled) {
    return {
      kind: "failed",
      code: "memory_exceeded",
      message: "The container used more memory than its task asked for, and was killed",
      hint: "Give the task more memory",
      exitCode: ExitCode,
    };
  }
  if (error !== "") {
    return {
      kind: "failed",
      code: "start_failed",
      message: `The container ended with an error of the engine: ${error}`,
      exitCode: ExitCode,
    };
  }
  if (ExitCode === KILLED) {
    return {
      kind: "failed",
      code: "interrupted",
      message: "The container was killed (SIGKILL), not by Skerry and not for its own memory limit",
      hint: "Somebody killed it, or the machine ran out of memory: the system's log may say more",
      exitCode: ExitCode,
    };
  }
  if (seen.isDiskFull) {
    return {
      kind: "failed",
      code: "disk_full",
      message: "The Docker Engine's disk was full while the container ran: part of its output may be lost",
      hint: "Free some space on the node's disk, and do not let it get full",
      exitCode: ExitCode,
    };
  }
  return { kind: "exited", exitCode: ExitCode };
}

/** What is told of a start that the daemon's own end cut off. */
export const START_CUT_OFF = {
  message: "The Docker Engine was killed while it started the container",
  hint: "Its program may have begun: it runs again by the job's policy for lost attempts",
} as const;

/** The container is not there any more. */
export function goneExit(message: string, hint: string): EngineExit {
  return { kind: "failed", code: "interrupted", message, hint };
}

/** The daemon, or NVIDIA's part of it, does not know devices, or not this one. */
const GPU_FAILURE =
  /could not select device driver|nvidia-container-(?:cli|runtime)|unresolvable CDI devices|CDI device injection/i;

/** Whether a start failed for want of a way to give devices to containers. */
export const isGpuFailure = (error: unknown): boolean =>
  error instanceof AppError && error.code === "refused" && GPU_FAILURE.test(error.message);

/** Why a container could not be made or started, in words that help. */
export function startFailure({ status, message }: DockerRefusal, params: DockerParams | undefined): AppError {
  if (GPU_FAILURE.test(message)) {
    return new AppError("refused", `this node's Docker Engine cannot give GPUs to containers: ${message}`, {
      hint:
        "See that nvidia-smi works there, and the NVIDIA Container Toolkit (nvidia-ctk runtime configure)",
    });
  }
  const what = params === undefined ? "the container" : `the image "${params.image}"`;
  const hint = hintOf(message);
  const code = /no space left/i.test(message)
    ? "disk_full"
    : status >= 500 && hint === undefined
    ? "unavailable"
    : "start_failed";
  return new AppError(code, `Cannot start ${what}: ${message}`, { hint });
}

function hintOf(message: string): string | undefined {
  if (/executable file not found|no such file or directory.*exec|exec:.*no such file/i.test(message)) {
    return "The program is not in the image: see Entrypoint and Parameters, or give the whole path";
  }
  if (/permission denied/i.test(message)) {
    return "The program in the image cannot be run: see its file mode, and User";
  }
  if (/unable to find user|no matching entries in passwd/i.test(message)) {
    return "The user is not in the image: give a number";
  }
  if (/no command specified/i.test(message)) return "The image has no program of its own: give one after --";
  if (/exec format error/i.test(message)) return "The program is for another architecture";
  if (/bind source path does not exist|mounts denied|invalid mount/i.test(message)) {
    return "An input is not where the Docker Engine looks for it: does it run on this machine?";
  }
  if (/read-only file system|operation not permitted/i.test(message)) {
    return "The container's protections forbid it: see Profile and Capabilities";
  }
  return undefined;
}

/** Unix milliseconds at which the machine was started, as the wall clock now has it. */
async function bootedAtMs(): Promise<number> {
  const uptime = Number((await readOrEmpty("/proc/uptime")).split(" ")[0]);
  return uptime > 0 ? Date.now() - uptime * 1000 : 0;
}

/**
 * When the daemon behind the socket was started: of those whose open files may be seen the one that listens there, else the
 * newest of this machine; undefined where no process can be seen.
 */
async function daemonStartedAtMs(socketPath: string): Promise<number | undefined> {
  const sockets = await socketsAt(socketPath);
  let newest: number | undefined;
  for (const pid of await daemons()) {
    const isListening = await holds(pid, sockets);
    if (isListening === false) continue;
    const startedAtMs = await processStartedAtMs(pid);
    if (isListening === true) return startedAtMs;
    if (startedAtMs !== undefined) newest = Math.max(newest ?? 0, startedAtMs);
  }
  return newest;
}

async function daemons(): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    for await (const { name } of Deno.readDir("/proc")) {
      const program = /^\d+$/.test(name) ? await readOrEmpty(`/proc/${name}/comm`) : "";
      if (program.trim() === "dockerd") found.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // no /proc here
  }
  return found;
}

/** `socket:[inode]` of everything that is bound to the path. */
async function socketsAt(path: string): Promise<ReadonlySet<string>> {
  const rows = (await readOrEmpty("/proc/net/unix")).split("\n").map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter((fields) => fields[7] === path).map((fields) => `socket:[${fields[6]}]`));
}

/** Undefined when its open files may not be seen. */
async function holds(pid: string, sockets: ReadonlySet<string>): Promise<boolean | undefined> {
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
      const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
      if (sockets.has(target)) return true;
    }
    return false;
  } catch {
    return undefined;
  }
}

async function processStartedAtMs(pid: string): Promise<number | undefined> {
  const stat = await readOrEmpty(`/proc/${pid}/stat`);
  const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  return stat === "" ? undefined : await bootedAtMs() + ticks * 10;
}

const readOrEmpty = (path: string): Promise<string> => Deno.readTextFile(path).catch(() => "");
