/**
 * kill -9 at random points of running jobs: nothing acknowledged is lost, and no partition's result is accepted twice.
 * `SKERRY_KILLS` sets how often; the seed is printed, `SKERRY_KILL_SEED` sets it.
 */
import assert from "node:assert/strict";
import { seededRandom } from "../../shared/random.ts";
import { type NodeProcess, startNodeProcess } from "../support/node_process.ts";
import { waitUntil } from "../support/wait_until.ts";
import { wasmOf } from "../support/wasm_modules.ts";

const KILLS = Number(Deno.env.get("SKERRY_KILLS") ?? 100);
const SEED = Number(Deno.env.get("SKERRY_KILL_SEED") ?? Date.now() % 1_000_000);
const FLAGS = ["--cpu", "8", "--log-level", "warn"];

interface Execution {
  readonly ID: string;
  readonly PartitionIndex?: number;
  readonly ComputeState: { readonly StateType: number };
  readonly RunOutput?: { readonly Stdout: string; readonly ExitCode: number };
}
const COMPLETED = 9;

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

/** Submits until the connection breaks; what was acknowledged is noted at once. */
async function submitSome(
  node: NodeProcess,
  options: { module: string; random: () => number; acknowledged: Map<string, number> },
) {
  const { module, random, acknowledged } = options;
  const known = [...acknowledged.keys()];
  while (acknowledged.size < known.length + 6) {
    const count = 1 + Math.floor(random() * 4);
    let answer: Response;
    try {
      answer = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ Job: jobOf(module, count), IdempotencyToken: crypto.randomUUID() }),
      });
    } catch {
      return; // the node was killed: what it did not acknowledge may be lost
    }
    const text = await answer.text().catch(() => "");
    if (text === "") return;
    assert.equal(answer.status, 200, text);
    acknowledged.set(JSON.parse(text).JobID, count);
  }
}

/** The whole process tree of the node. */
function family(pid: number): number[] {
  try {
    const children = [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name }) =>
      Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`).split(" ").filter(Boolean).map(Number)
    );
    return [pid, ...children.flatMap(family)];
  } catch {
    return []; // it has just ended
  }
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
    const submitting = submitSome(node, { module, random, acknowledged });
    await new Promise((resolve) => setTimeout(resolve, random() * 400));
    // One time in four the machine dies: the modules go with the agent.
    const isMachine = random() < 0.25;
    if (isMachine) {
      machineDeaths++;
      for (const pid of family(node.pid).slice(1)) Deno.kill(pid, "SIGKILL");
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

async function checkJob(node: NodeProcess, { id, count }: { id: string; count: number }): Promise<void> {
  const url = `${node.url}/api/v1/orchestrator/jobs/${id}`;
  const { Job } = await waitUntil(`job ${id} ends`, async () => {
    const answer = await (await fetch(`${url}?wait=terminal&wait_ms=5000`)).json();
    if (answer.Job === undefined) {
      throw new Error(`acknowledged job ${id} is gone: ${JSON.stringify(answer)}`);
    }
    return ["Completed", "Failed", "Stopped"].includes(answer.Job.State.StateType) && answer;
  }, { deadlineMs: 120_000 });
  assert.equal(Job.State.StateType, "Completed", JSON.stringify(Job.State));
  const { Items } = await (await fetch(`${url}/executions?limit=1000`)).json() as { Items: Execution[] };
  const accepted = Items.filter(({ ComputeState }) => ComputeState.StateType === COMPLETED);
  const indexes = accepted.map(({ PartitionIndex }) => PartitionIndex ?? 0).sort((a, b) => a - b);
  assert.deepEqual(indexes, Array.from({ length: count }, (_, index) => index), `results of ${id}`);
  for (const { ID, RunOutput } of accepted) {
    assert.equal(RunOutput?.Stdout, "begin\nend\n", `output of ${ID}`);
  }
}
