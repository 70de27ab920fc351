/**
 * Stands for an agent that is killed: opens the engine, starts the tasks given as JSON, says so, and holds on until its
 * stdin ends.
 */
import { openWasmEngine } from "../../agent/engines/wasm_engine.ts";
import { wasmChildCommand } from "../../agent/engines/wasm_protocol.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";

const engine = await openWasmEngine({ command: wasmChildCommand() });
for (const task of JSON.parse(Deno.args[0]!) as EngineTask[]) await engine.start(task);
console.log("started");
await Deno.stdin.read(new Uint8Array(1));
await engine.close();
