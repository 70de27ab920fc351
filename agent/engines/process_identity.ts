/** Which process is which: so that nothing is taken for a child of ours, or killed, that only has its old number. */
import { AppError } from "../../shared/errors.ts";
import type { ProcessIdentity } from "./execution_file.ts";

/**
 * Identity of this boot; the same text for as long as process start times can be compared. Errors: `unavailable` when
 * the system cannot be asked.
 */
export async function readBootId(): Promise<string> {
  if (Deno.build.os === "linux") return (await readProc("/proc/sys/kernel/random/boot_id"))?.trim() ?? "";
  return await ask("sysctl", ["-n", "kern.bootsessionuuid"], { isNone: (error) => error !== "" }) ?? "";
}

/**
 * When a process was started, as text to compare; undefined when there is none, or only its remains. Errors:
 * `unavailable` when that cannot be seen at the moment: it may well be alive.
 */
export async function readStartedAt(pid: number): Promise<string | undefined> {
  if (Deno.build.os !== "linux") {
    return await ask("ps", ["-o", "lstart=", "-p", String(pid)], { isNone: (error) => error === "" });
  }
  const text = await readProc(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** Deno lets nobody read below /proc who does not have all rights; then the file is asked for by a process that may. */
async function readProc(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    // It may end between the opening and the reading of its file.
    if (error instanceof Deno.errors.NotFound || (error as { code?: unknown }).code === "ESRCH") {
      return undefined;
    }
    if (!(error instanceof Deno.errors.NotCapable)) throw unseen(error);
  }
  return await ask("cat", [path], { isNone: (error) => /No such (file|process)/.test(error) });
}

/** Field 22 of `/proc/<pid>/stat`: ticks since boot. The name, field 2, may hold anything, so fields count from its end. */
export function parseStat(text: string): string | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
}

/** Whether that very process is still there. Errors: `unavailable` when that cannot be seen at the moment. */
export async function isAlive(process: ProcessIdentity, bootId: string): Promise<boolean> {
  return process.pid > 1 && process.bootId === bootId &&
    await readStartedAt(process.pid) === process.startedAt;
}

/** What a command prints; undefined when it says that there is no such thing. */
async function ask(
  command: string,
  args: string[],
  { isNone }: { isNone: (error: string) => boolean },
): Promise<string | undefined> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(command, { args, env: { LC_ALL: "C" }, stdin: "null" }).output();
  } catch (error) {
    throw unseen(error);
  }
  const [text, error] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
  if (output.success && text !== "") return text;
  if (isNone(error!)) return undefined;
  throw unseen(new Error(`${command}: ${error || "it says nothing"}`));
}

function unseen(cause: unknown): AppError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AppError("unavailable", `Cannot see which processes run: ${why}`, {
    hint: "See how many files and processes the node may have open, and whether it may read /proc.",
    cause,
  });
}
