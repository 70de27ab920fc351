/**
 * Whether the machine is on its way down: then whatever ends was ended by that, also with exit code 0. Asked when a
 * container has ended, beside the taking over of its output: a look at a file, and where systemd runs its own command.
 */
import { existsSync } from "node:fs";

/** Where the machine tells of it. */
export interface ShutdownSigns {
  /** Is there while systemd is the machine's init. */
  readonly systemdFolder: string;
  readonly systemctl: string;
  /** Where other inits, and older systemds, keep the runlevel. */
  readonly utmp: string;
}

const SIGNS: ShutdownSigns = {
  systemdFolder: "/run/systemd/system",
  systemctl: "systemctl",
  utmp: "/run/utmp",
};

/** What they say. */
export interface ShutdownFacts {
  /** Of `systemctl is-system-running`: `running`, `degraded`, `stopping`…; undefined without systemd. */
  readonly systemState?: string;
  /** `2`, `5`, `0` for halt, `6` for reboot, `shutdown` once it is on its way; undefined where nobody notes it. */
  readonly runlevel?: string;
}

/** More is an answer that does not come: systemd itself is going. */
const ASK_MS = 2_000;
/** Services are given so long to end, and containers with them; what ended before that did so by itself. */
const LATEST_MS = 300_000;

/** Whether the shutdown of the machine may have ended what ended then. Unix times. */
export function endedByShutdown(
  { systemState, runlevel }: ShutdownFacts,
  { finishedAtMs, nowMs }: { finishedAtMs: number; nowMs: number },
): boolean {
  const isGoingDown = systemState === "stopping" || ["0", "6", "shutdown"].includes(runlevel ?? "");
  return isGoingDown && finishedAtMs >= nowMs - LATEST_MS;
}

/** What the machine says now. Never throws: signs that cannot be read say nothing. */
export async function readShutdownFacts(signs: Partial<ShutdownSigns> = {}): Promise<ShutdownFacts> {
  const { systemdFolder, systemctl, utmp } = { ...SIGNS, ...signs };
  const [systemState, runlevel] = await Promise.all([
    askSystemd(systemdFolder, systemctl),
    existsSync(utmp) ? Deno.readFile(utmp).then(runlevelIn, () => undefined) : undefined,
  ]);
  return { ...(systemState && { systemState }), ...(runlevel && { runlevel }) };
}

async function askSystemd(folder: string, systemctl: string): Promise<string | undefined> {
  if (!existsSync(folder)) return undefined;
  let child: Deno.ChildProcess;
  try {
    const args = ["is-system-running"];
    child = new Deno.Command(systemctl, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  } catch {
    return undefined;
  }
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), ASK_MS);
  const output = await Promise.race([child.output(), late.promise]);
  clearTimeout(timer);
  if (output !== undefined) return new TextDecoder().decode(output.stdout).trim();
  child.kill("SIGKILL");
  child.unref();
}

/** Of one record: its size, and where its fields are (glibc, 64 bit). */
const UTMP = { bytes: 384, pidAt: 4, userAt: 44, userBytes: 32, typeRunlevel: 1 } as const;

/** The runlevel that an utmp file notes. */
export function runlevelIn(utmp: Uint8Array): string | undefined {
  const view = new DataView(utmp.buffer, utmp.byteOffset, utmp.byteLength);
  for (let at = 0; at + UTMP.bytes <= utmp.byteLength; at += UTMP.bytes) {
    if (view.getInt16(at, true) !== UTMP.typeRunlevel) continue;
    const user = utmp.subarray(at + UTMP.userAt, at + UTMP.userAt + UTMP.userBytes);
    const name = new TextDecoder().decode(user).replace(/\0.*$/s, "");
    if (name === "shutdown") return name;
    const level = view.getInt32(at + UTMP.pidAt, true) & 0xff;
    return level === 0 ? undefined : String.fromCharCode(level);
  }
}
