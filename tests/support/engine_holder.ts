/**
 * Stands for an agent that is killed: opens the engine, starts the tasks given as JSON, says so, and holds on until its
 * stdin ends. With a socket's path as a second argument the engine is `docker`.
 */
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import { openWasmEngine } from "../../agent/engines/wasm_engine.ts";
import { wasmChildCommand } from "../../agent/engines/wasm_protocol.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";

const [tasks = "", socketPath] = Deno.args;
const engine = socketPath === undefined
  ? await openWasmEngine({ command: wasmChildCommand() })
  : openDockerEngine({ socketPath, nodeId: "n-test", policy: POLICY_DEFAULT });
for (const task of JSON.parse(tasks) as EngineTask[]) await engine.start(task);
console.log("started");
await Deno.stdin.read(new Uint8Array(1));
await engine.close();
