/**
 * `<folder>/.engine`: what is known of an execution on disk, as JSON lines. The first says which process has it, the
 * second how it ended. The file is created exclusively, so that a run is started once at most, whoever asks; a run after the
 * first has its own, `.engine.<run>`, and no longer that of the run before.
 *
 * Neither line is synced: a power cut ends the process as well, and an execution whose end was lost with it counts as
 * interrupted, unless the agent recorded the end in its own journal. What must not happen is an end without its outputs: those
 * are synced before the second line is written.
 * Read by hand and not by zod, which alone would double the time that a child takes to start.
 */
import { type ErrorCode, ERRORS } from "../../shared/errors.ts";
import type { EngineExit } from "./engine.ts";

/** Tells a process from a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it was started, as the system tells it. */
  readonly startedAt: string;
  /** Changes with every boot. */
  readonly bootId: string;
}

/** What the file says. */
export interface ExecutionState {
  readonly executionId: string;
  readonly process: ProcessIdentity;
  readonly exit?: EngineExit;
  /** The process wrote its end while the module could still be running, and ends itself: only its death is the end. */
  readonly isDying?: boolean;
}

/** Path of the file; every run has its own. */
export function executionFile(folder: string, run = 0): string {
  return run === 0 ? `${folder}/.engine` : `${folder}/.engine.${run}`;
}

/** The runs of which there is a file, in no order. */
export async function listRuns(folder: string): Promise<readonly number[]> {
  const runs: number[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const found = /^\.engine(?:\.(\d{1,15}))?$/.exec(name);
      if (found !== null) runs.push(Number(found[1] ?? 0));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
  }
  return runs;
}

/** Records the start. Throws `Deno.errors.AlreadyExists` when the execution was started before. */
export function writeStart(
  folder: string,
  { run, ...start }: { executionId: string; process: ProcessIdentity; run?: number },
): void {
  using file = Deno.openSync(executionFile(folder, run), { write: true, createNew: true });
  file.writeSync(encodeLine({ v: 1, ...start }));
}

/** Records the end, and the exit code beside it for people. */
export function writeExit(
  folder: string,
  exit: EngineExit,
  { run, ...options }: { isDying?: boolean; run?: number } = {},
): void {
  if (exit.exitCode !== undefined) Deno.writeTextFileSync(`${folder}/exitCode`, String(exit.exitCode));
  using file = Deno.openSync(executionFile(folder, run), { append: true, read: true });
  // A first line that was cut off must not swallow this one.
  const prefix = endsWithNewline(file) ? "" : "\n";
  file.writeSync(encodeLine({ exit, ...options }, prefix));
}

/** What the file says; undefined when the run was never started here. A file that says nothing is an unknown end. */
export async function readState(folder: string, run = 0): Promise<ExecutionState | "unreadable" | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(executionFile(folder, run));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
  return parseState(text);
}

/** Reads the file's text; lines that are cut off count as not written. */
export function parseState(text: string): ExecutionState | "unreadable" {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  let start: Pick<ExecutionState, "executionId" | "process"> | undefined;
  let end: Pick<ExecutionState, "exit" | "isDying"> = {};
  for (const line of lines) {
    const value = parseJson(line);
    if (value === undefined) continue;
    if (start === undefined && isStart(value)) {
      start = { executionId: value.executionId, process: value.process };
    } else if (end.exit === undefined && isExit(value["exit"])) {
      end = { exit: value["exit"], isDying: value["isDying"] === true };
    }
  }
  if (start !== undefined) return { ...start, ...end };
  const nobody = { executionId: "", process: { pid: 0, startedAt: "", bootId: "" } };
  return end.exit === undefined ? "unreadable" : { ...nobody, ...end };
}

type Json = Readonly<Record<string, unknown>>;

function parseJson(line: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as Json : undefined;
  } catch {
    return undefined;
  }
}

function isStart(value: Json): value is Json & Pick<ExecutionState, "executionId" | "process"> {
  const process = value["process"] as Partial<ProcessIdentity> | null | undefined;
  return value["v"] === 1 && typeof value["executionId"] === "string" && typeof process?.pid === "number" &&
    typeof process.startedAt === "string" && typeof process.bootId === "string";
}

function isExit(value: unknown): value is EngineExit {
  const exit = value as
    | { kind?: unknown; exitCode?: unknown; code?: unknown; message?: unknown }
    | null
    | undefined;
  const hasCode = exit?.exitCode === undefined || Number.isInteger(exit.exitCode);
  if (exit?.kind === "exited") return Number.isInteger(exit.exitCode);
  if (exit?.kind === "stopped") return hasCode;
  return exit?.kind === "failed" && hasCode && typeof exit.message === "string" && isErrorCode(exit.code);
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}

function encodeLine(value: Json, prefix = ""): Uint8Array {
  return new TextEncoder().encode(`${prefix}${JSON.stringify(value)}\n`);
}

function endsWithNewline(file: Deno.FsFile): boolean {
  const size = file.statSync().size;
  if (size === 0) return true;
  file.seekSync(size - 1, Deno.SeekMode.Start);
  const last = new Uint8Array(1);
  file.readSync(last);
  return last[0] === 0x0a;
}
