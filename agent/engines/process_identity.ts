/** Which process is which: so that nothing is taken for a child of ours, or killed, that only has its old number. */
import type { ProcessIdentity } from "./execution_file.ts";

/** Identity of this boot; the same text for as long as process start times can be compared. */
export async function readBootId(): Promise<string> {
  if (Deno.build.os === "linux") return (await readProc("/proc/sys/kernel/random/boot_id"))?.trim() ?? "";
  return await ask("sysctl", ["-n", "kern.bootsessionuuid"]) ?? "";
}

/** When a process was started, as text to compare; undefined when there is none, or only its remains. */
export async function readStartedAt(pid: number): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return await ask("ps", ["-o", "lstart=", "-p", String(pid)]);
  const text = await readProc(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Deno lets nobody read below /proc who does not have all rights; then the file is asked for by a process that may. */
async function readProc(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? await ask("cat", [path]) : undefined;
  }
}

/** Field 22 of `/proc/<pid>/stat`: ticks since boot. The name, field 2, may hold anything, so fields count from its end. */
export function parseStat(text: string): string | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
}

/** Whether that very process is still there. */
export async function isAlive(process: ProcessIdentity, bootId: string): Promise<boolean> {
  return process.pid > 1 && process.bootId === bootId &&
    await readStartedAt(process.pid) === process.startedAt;
}

async function ask(command: string, args: string[]): Promise<string | undefined> {
  const { success, stdout } = await new Deno.Command(command, {
    args,
    stdout: "piped",
    stderr: "null",
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout).trim();
  return success && text !== "" ? text : undefined;
}
