/**
 * Programs that the Docker Engine has forgotten. Killed while it starts a container, it counts that container as created from
 * then on, though its program runs: containerd started it. Removing the container does not end it, and nothing shows it but
 * the processes of this machine, which name the container in their control group.
 */
import { pause, systemClock } from "../../shared/clock.ts";

const LOOK_AGAIN_MS = 50;

/** Who waits for the end of such a program. */
export interface OrphanWait {
  readonly signal: AbortSignal;
  /** Told once when the agent may not end it, and waits until it ends. */
  readonly onProgress?: (message: string) => void;
}

/**
 * Ends what still runs of a removed container, by its whole id, and resolves once nothing does. Does nothing where processes
 * cannot be seen. Errors: the signal's reason.
 */
export async function endOrphans(containerId: string, { signal, onProgress }: OrphanWait): Promise<void> {
  let isTold = false;
  for (let pids = await processesOf(containerId); pids.length > 0; pids = await processesOf(containerId)) {
    const isDenied = pids.filter((pid) => !isKilled(pid)).length > 0;
    if (isDenied && !isTold) {
      isTold = true;
      onProgress?.(
        `Waits for the end of process ${pids[0]}: the program of an earlier start, which the Docker Engine ` +
          "forgot when it was killed, and which this agent may not end",
      );
    }
    await pause(systemClock, LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

/** False when that is not allowed. */
function isKilled(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return false;
  }
  return true;
}

/** Without those that have ended and are only waited for by their parent. */
async function processesOf(containerId: string): Promise<readonly number[]> {
  const found: number[] = [];
  try {
    for await (const { name } of Deno.readDir("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      if (!(await readOrEmpty(`/proc/${name}/cgroup`)).includes(containerId)) continue;
      if (!/\) [ZX] /.test(await readOrEmpty(`/proc/${name}/stat`))) found.push(Number(name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // no /proc here
  }
  return found;
}

const readOrEmpty = (path: string): Promise<string> => Deno.readTextFile(path).catch(() => "");
