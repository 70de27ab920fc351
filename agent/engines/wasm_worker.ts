/**
 * The thread of a child that runs modules. It reads orders and writes replies itself, synchronously, so that nothing but
 * the module takes time; the main thread only watches.
 */
import { AppError } from "../../shared/errors.ts";
import type { EngineExit, EngineTask } from "./engine.ts";
import { writeExit, writeStart } from "./execution_file.ts";
import { LogWriter } from "./log_files.ts";
import { ModuleCache } from "./wasm_cache.ts";
import { LINE_BYTES_MAX, LOG_DEFAULT_BYTES, RESIDENT_RECYCLE_BYTES, TRAP_FRAMES_MAX } from "./wasm_limits.ts";
import type { WasmOrder, WasmReply } from "./wasm_protocol.ts";
import { failedBy, memoryLimitOf, runTask } from "./wasm_run.ts";
import { ChildState } from "./wasm_watch.ts";

/** The part of a worker's global scope that is used here. */
const scope = globalThis as unknown as {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent<SharedArrayBuffer>) => void) | null;
};

scope.onmessage = (event) => {
  scope.onmessage = null;
  runOrders(new ChildState(event.data));
  scope.postMessage("done");
};

function runOrders(state: ChildState): void {
  Error.stackTraceLimit = TRAP_FRAMES_MAX + 10;
  const cache = new ModuleCache();
  const idleResident = Deno.memoryUsage().rss;
  reply({ kind: "ready" });
  for (const line of readLines()) {
    const order = JSON.parse(line) as WasmOrder;
    const { task } = order;
    if (!recordStart(order)) continue;
    const run = state.enter(task, memoryLimitOf(task));
    reply({ kind: "started", executionId: task.executionId });
    const exit = execute(task, cache);
    // The watching thread may have decided meanwhile that it ended otherwise; then it ends the process.
    if (!state.settle(run)) return;
    try {
      writeExit(task.folder, exit, { run: task.run });
    } catch (error) {
      // Without a record, nobody could tell a child that is done from one that still runs: it must not live on.
      reply({ kind: "ended", executionId: task.executionId, exit: failedBy(error), isSpent: true });
      return;
    }
    const isSpent = Deno.memoryUsage().rss > idleResident + RESIDENT_RECYCLE_BYTES;
    state.leave();
    reply({ kind: "ended", executionId: task.executionId, exit, isSpent });
    if (isSpent) return;
  }
}

function recordStart({ task, process }: WasmOrder): boolean {
  try {
    writeStart(task.folder, { executionId: task.executionId, run: task.run, process });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) reply({ kind: "held", executionId: task.executionId });
    else reply({ kind: "refused", executionId: task.executionId, message: String((error as Error).message) });
    return false;
  }
}

function execute(task: EngineTask, cache: ModuleCache): EngineExit {
  try {
    const limits = { limitBytes: task.logBytes > 0 ? task.logBytes : LOG_DEFAULT_BYTES };
    const logs = task.run > 0 ? LogWriter.append(task.folder, limits) : new LogWriter(task.folder, limits);
    const exit = runTask(task, { logs, cache });
    logs.close({ isDurable: true });
    return exit;
  } catch (error) {
    return failedBy(error);
  }
}

const ENCODER = new TextEncoder();

/** Writes one line. A parent that is gone is no reason to stop. */
function reply(value: WasmReply): void {
  try {
    const bytes = ENCODER.encode(`${JSON.stringify(value)}\n`);
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Lines of stdin, until it ends. */
function* readLines(): Generator<string> {
  const chunk = new Uint8Array(64 * 1024);
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const count = Deno.stdin.readSync(chunk);
    if (count === null) return;
    rest += decoder.decode(chunk.subarray(0, count), { stream: true });
    if (rest.length > LINE_BYTES_MAX) {
      throw new AppError("too_large", "Cannot read order: the line is too long");
    }
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      yield line;
    }
  }
}
