/**
 * kill -9 at random points of running jobs: nothing acknowledged is lost, and no partition's result is accepted twice.
 * `SKERRY_KILLS` sets how often; the seed is printed, `SKERRY_KILL_SEED` sets it.
 */
import assert from "node:assert/strict";
import { seededRandom } from "../../shared/random.ts";
import { checkJob, submitSome } from "../support/acknowledged.ts";
import { startNodeProcess } from "../support/node_process.ts";
import { family, killAll } from "../support/processes.ts";
import { wasmOf } from "../support/wasm_modules.ts";

const KILLS = Number(Deno.env.get("SKERRY_KILLS") ?? 100);
const SEED = Number(Deno.env.get("SKERRY_KILL_SEED") ?? Date.now() % 1_000_000);
const FLAGS = ["--cpu", "8", "--log-level", "warn"];

/** Prints a line, works for a while, and prints another. */
const WORKING = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "begin\\0aend\\0a")
  (func $say (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (call $say (i32.const 1024) (i32.const 6))
    (i32.store8 (i32.const 136) (i32.const 0))
    (i32.store (i32.const 144) (i32.const 1))
    (i64.store (i32.const 152) (i64.const 120000000))
    (drop (call $poll (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 512)))
    (call $say (i32.const 1030) (i32.const 4))))`;

function jobOf(module: string, count: number): Record<string, unknown> {
  return {
    Type: "batch",
    Count: count,
    Retry: { LostAttempts: 100 },
    Tasks: [{
      Name: "main",
      Engine: { Type: "wasm", Params: { EntryModule: "/main.wasm" } },
      InputSources: [{ Source: { Type: "inline", Params: { URL: module } }, Target: "/main.wasm" }],
      Resources: { CPU: "400m", Memory: "32Mb" },
    }],
  };
}

Deno.test(`${KILLS} times kill -9 at random points loses nothing and accepts nothing twice`, async () => {
  console.log(`seed ${SEED}: SKERRY_KILLS=${KILLS} SKERRY_KILL_SEED=${SEED} deno task test e2e`);
  const random = seededRandom(SEED);
  const dataDir = await Deno.makeTempDir({ prefix: "skerry-kill-" });
  const bytes = await wasmOf(WORKING);
  const module = `data:application/wasm;base64,${btoa(String.fromCharCode(...bytes))}`;
  const acknowledged = new Map<string, number>();
  let machineDeaths = 0;
  for (let round = 0; round < KILLS; round++) {
    const node = await startNodeProcess({ dataDir, flags: FLAGS });
    const submitting = submitSome(node, { jobOf: (count) => jobOf(module, count), random, acknowledged });
    await new Promise((resolve) => setTimeout(resolve, random() * 400));
    // One time in four the machine dies: the modules go with the agent.
    const isMachine = random() < 0.25;
    if (isMachine) {
      machineDeaths++;
      killAll(family(node.pid).slice(1));
    }
    await node.end("SIGKILL");
    await submitting;
  }
  assert.ok(machineDeaths > 0 || KILLS < 20);
  await using node = await startNodeProcess({ dataDir, flags: FLAGS });
  let partitions = 0;
  for (const [id, count] of acknowledged) {
    partitions += count;
    await checkJob(node, { id, count });
  }
  console.log(
    `${acknowledged.size} jobs, ${partitions} partitions, ${KILLS} kills, ${machineDeaths} with all modules`,
  );
  await node.end("SIGTERM");
  await Deno.remove(dataDir, { recursive: true });
});
