/**
 * A child of the engine `wasm`: gives up its rights, starts the thread that runs modules, and watches its memory. It
 * ends when the agent has gone and no module runs any more, and outlives an agent that is killed while one does.
 */
import { writeExit } from "./execution_file.ts";
import { endLogs } from "./log_files.ts";
import { RESIDENT_ALLOWANCE_BYTES, RESIDENT_CHECK_MS } from "./wasm_limits.ts";
import type { WasmReply } from "./wasm_protocol.ts";
import { ChildState, type WatchedExecution } from "./wasm_watch.ts";
import type { EngineExit } from "./engine.ts";

/** Runs until there is nothing more to do, then ends the process: it never returns. */
export function runWasmChild(): Promise<never> {
  for (const name of ["net", "run", "ffi", "sys", "env"] as const) Deno.permissions.revokeSync({ name });
  outliveTerminal();
  const state = new ChildState();
  // `Worker` is looked up by this literal form when the program is compiled.
  const worker = new Worker(new URL("./wasm_worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = () => Deno.exit(0);
  worker.onerror = (event) => {
    console.error(event.message);
    Deno.exit(70);
  };
  worker.postMessage(state.buffer);
  watchMemory(state);
  return new Promise(() => {});
}

/** Ctrl-C and a closed terminal are for the agent: it says what becomes of its executions. */
function outliveTerminal(): void {
  if (Deno.build.os === "windows") return;
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGHUP", () => {});
}

function watchMemory(state: ChildState): void {
  let idleBytes = Deno.memoryUsage().rss;
  setInterval(() => {
    const resident = Deno.memoryUsage().rss;
    const current = state.current();
    if (current === undefined) idleBytes = resident;
    else if (
      resident > idleBytes + current.memoryBytes + RESIDENT_ALLOWANCE_BYTES && state.settle(current.run)
    ) {
      endForMemory(state.settled(), { resident, memoryBytes: current.memoryBytes });
    }
  }, RESIDENT_CHECK_MS);
}

function endForMemory(running: WatchedExecution, seen: { resident: number; memoryBytes: number }): void {
  const mib = (bytes: number) => Math.ceil(bytes / 1024 / 1024);
  const exit: EngineExit = {
    kind: "failed",
    code: "memory_exceeded",
    message: `The module was ended: its process held ${mib(seen.resident)} MiB for a task of ${
      mib(seen.memoryBytes)
    } MiB`,
    hint: "Give the task more memory, or let it work on smaller pieces.",
  };
  try {
    endLogs(running.folder, Date.now());
    writeExit(running.folder, exit, { isDying: true, run: running.run });
    const reply: WasmReply = { kind: "ended", executionId: running.executionId, exit, isSpent: true };
    Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(reply)}\n`));
  } finally {
    Deno.exit(71);
  }
}
