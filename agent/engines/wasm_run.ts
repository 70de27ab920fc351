/** Runs one task from beginning to end, on the thread that calls it, and says how it ended. */
import { type Fd, WASIProcExit } from "@bjorn3/browser_wasi_shim";
import { AppError, type ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { EngineExit, EngineTask } from "./engine.ts";
import type { LogWriter } from "./log_files.ts";
import { syncBelow } from "./sync_below.ts";
import type { ModuleCache } from "./wasm_cache.ts";
import { MEMORY_DEFAULT_BYTES, TRAP_FRAMES_MAX, WASM_PAGE_BYTES } from "./wasm_limits.ts";
import { type LoadedModule, ModuleLoader } from "./wasm_load.ts";
import { parseWasmParams, type WasmParams } from "./wasm_params.ts";
import { OutputStream, WasiFiles } from "./wasi_files.ts";
import { openRoot } from "./wasi_folder.ts";
import { DiskQuota } from "./wasi_quota.ts";
import { WasiTree } from "./wasi_tree.ts";

/** Exit code of a module that trapped or could not be loaded, as in Bacalhau. */
const EXIT_TRAPPED = 1;

/** Bytes of memory that a task may use. */
export function memoryLimitOf(task: EngineTask): number {
  return task.memoryBytes > 0 ? task.memoryBytes : MEMORY_DEFAULT_BYTES;
}

/** Runs the task. Never throws for what the module does; its output is in `logs`, its files are closed. */
export function runTask(task: EngineTask, options: { logs: LogWriter; cache: ModuleCache }): EngineExit {
  const quota = new DiskQuota(task.diskBytes || LIMITS.diskBytesDefault);
  const files = new WasiFiles(new WasiTree([...task.inputs, ...task.results]), {
    quota,
    results: task.results,
  });
  try {
    const exit = runIn(task, files, options);
    if (files.hasWritten) syncFolders(task);
    return exit;
  } catch (error) {
    if (error instanceof AppError) return failed(error);
    throw error;
  } finally {
    files.closeAll();
  }
}

function runIn(
  task: EngineTask,
  files: WasiFiles,
  options: { logs: LogWriter; cache: ModuleCache },
): EngineExit {
  const params = parseWasmParams(task.params);
  const { logs, cache } = options;
  const fds: Fd[] = [
    files.input(task.stdinPath),
    new OutputStream((bytes) => logs.write("stdout", bytes)),
    new OutputStream((bytes) => logs.write("stderr", bytes)),
    openRoot(files),
  ];
  const wasi = {
    args: [params.entryModule.slice(params.entryModule.lastIndexOf("/") + 1), ...params.parameters],
    env: Object.keys(task.env).sort().map((name) => `${name}=${task.env[name]}`),
    fds,
  };
  const loader = new ModuleLoader({ tree: files.tree, cache, wasi, memoryBytes: memoryLimitOf(task) });
  const outcome = call(loader, params);
  if (outcome.kind === "exited" && outcome.exitCode === 0) return outcome;
  return explain(outcome, { task, quota: files.quota, modules: loader.all, logs });
}

type Outcome = { kind: "exited"; exitCode: number } | { kind: "trapped"; error: Error };

function call(loader: ModuleLoader, params: WasmParams): Outcome {
  try {
    const entry = loader.loadEntry(params);
    const { start, initialize } = entryPoint(entry, params);
    initialize?.();
    start();
    return { kind: "exited", exitCode: 0 };
  } catch (error) {
    if (error instanceof WASIProcExit) return { kind: "exited", exitCode: error.code };
    const isTrap = error instanceof WebAssembly.RuntimeError || error instanceof RangeError ||
      error instanceof (WebAssembly as unknown as { Exception: typeof Error }).Exception;
    if (isTrap) return { kind: "trapped", error: error as Error };
    throw error;
  }
}

type Start = () => void;

/** A module with another entry point than `_start` is a reactor: `_initialize` runs first, if there is one. */
function entryPoint(entry: LoadedModule, params: WasmParams): { start: Start; initialize?: Start } {
  const exports = entry.instance.exports;
  const start = exports[params.entrypoint];
  if (typeof start !== "function") {
    const names = Object.keys(exports).filter((name) => typeof exports[name] === "function");
    const list = names.length === 0
      ? "it exports no functions"
      : `it exports ${names.slice(0, 10).join(", ")}`;
    throw new AppError(
      "module_invalid",
      `Cannot start module: there is no entry point "${params.entrypoint}", ${list}`,
      {
        hint: "Build a command (with main), or name the function to run as the entry point.",
      },
    );
  }
  if (start.length > 0) {
    throw new AppError(
      "module_invalid",
      `Cannot start module: entry point "${params.entrypoint}" takes ${start.length} arguments`,
      {
        hint: "An entry point takes no arguments: read them by WASI, as main does.",
      },
    );
  }
  const initialize = exports["_initialize"];
  const isReactor = params.entrypoint !== "_start" && typeof initialize === "function";
  return { start: start as Start, ...(isReactor ? { initialize: initialize as Start } : {}) };
}

interface Circumstances {
  readonly task: EngineTask;
  readonly quota: DiskQuota;
  readonly modules: readonly LoadedModule[];
  readonly logs: LogWriter;
}

/** Why the task did not end well: the reason behind a trap or an exit code, where there is one to be seen. */
function explain(outcome: Outcome, seen: Circumstances): EngineExit {
  const exitCode = outcome.kind === "exited" ? outcome.exitCode : EXIT_TRAPPED;
  const trap = outcome.kind === "trapped" ? trapOf(outcome.error) : undefined;
  if (trap !== undefined) seen.logs.write("stderr", new TextEncoder().encode(trap.trace));
  if (isOutOfMemory(outcome, seen.modules)) {
    const mib = Math.floor(memoryLimitOf(seen.task) / 1024 / 1024);
    return {
      kind: "failed",
      code: "memory_exceeded",
      message: `The module used up its memory of ${mib} MiB and ended ${
        trap === undefined ? `with exit code ${exitCode}` : "by a trap"
      }`,
      hint: "Give the task more memory, or let it work on smaller pieces.",
      exitCode,
    };
  }
  if (seen.quota.isExceeded) {
    return {
      kind: "failed",
      code: "disk_exceeded",
      message:
        `The module wrote more than the ${seen.quota.limitBytes} bytes of disk that it may and ended with exit code ${exitCode}`,
      hint: "Give the task more disk, or let it write less into its result folders.",
      exitCode,
    };
  }
  if (trap === undefined) return { kind: "exited", exitCode };
  return {
    kind: "failed",
    code: "module_trapped",
    message: `The module ended by a trap: ${trap.name}`,
    hint: "stderr ends with the functions in which it happened; a module built with debug names says more.",
    exitCode,
  };
}

/** A module whose memory was held back by the limit and has no room for a further step. */
function isOutOfMemory(outcome: Outcome, modules: readonly LoadedModule[]): boolean {
  // A program that ends by itself may well be near its limit for other reasons: then only the last 1/32 counts.
  const share = outcome.kind === "trapped" ? 8 : 32;
  return modules.some(({ compiled, memory }) => {
    if (memory === undefined || !compiled.isLowered) return false;
    const pages = memory.buffer.byteLength / WASM_PAGE_BYTES;
    return compiled.pagesMax - pages <= Math.max(1, compiled.pagesMax / share);
  });
}

function trapOf(error: Error): { name: string; trace: string } {
  const isStack = error instanceof RangeError;
  const isException = !isStack && !(error instanceof WebAssembly.RuntimeError);
  const name = isStack ? "stack overflow" : isException ? "an exception that nothing caught" : error.message;
  const frames = (error.stack ?? "").split("\n").map(frameOf).filter((frame) => frame !== undefined);
  return { name, trace: `wasm trap: ${name}\n${frames.slice(0, TRAP_FRAMES_MAX).join("")}` };
}

/** A frame of the module as a line. Offsets are those after the limit was put in: a few bytes beyond the file's. */
function frameOf(line: string): string | undefined {
  const match = /^ *at (?:(.+) \()?wasm:.*?(?::0x([0-9a-f]+)|:1:(\d+))\)?$/.exec(line);
  if (match === null) return undefined;
  const [, name = "<anonymous>", hex, column] = match;
  if (name !== "<anonymous>") return `  at ${name}\n`;
  return `  at an unnamed function, near byte 0x${hex ?? (Number(column) - 1).toString(16)}\n`;
}

function failed(error: AppError): EngineExit {
  return {
    kind: "failed",
    code: error.code,
    message: error.message,
    hint: error.hint,
    exitCode: EXIT_TRAPPED,
  };
}

/** A failure of the engine's own surroundings, such as a disk that is full. */
export function failedBy(error: unknown): EngineExit {
  const text = error instanceof Error ? error.message : String(error);
  const isOs = typeof (error as { code?: unknown } | null)?.code === "string";
  const code: ErrorCode = isOs ? "io" : "internal";
  if (/No space left|os error 28|quota exceeded|os error 122/i.test(text)) {
    return {
      kind: "failed",
      code,
      message: "Cannot run task: the node's disk is full",
      hint: "Free some space on the node, then run the job again.",
    };
  }
  return {
    kind: "failed",
    code,
    message: `Cannot run task: ${text}`,
    hint: "See whether the node's disk is full or read-only.",
  };
}

/** Puts what the task wrote on disk: result folders are new, so that everything in them is the task's. Files in other
 * writable mounts are synced when they are closed. */
function syncFolders(task: EngineTask): void {
  for (const mount of task.results) syncBelow(mount.hostPath);
}
