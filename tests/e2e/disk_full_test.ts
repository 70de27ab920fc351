/** A node whose disk gets full: nothing that it accepted is lost, and it says why it takes no more. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { freeBytes } from "../../shared/disk.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tinyJob } from "../support/tiny_module.ts";
import { waitUntil } from "../support/wait_until.ts";
import { command, dataAt1024, printing, wasmOf } from "../support/wasm_modules.ts";

const MIB = 1024 * 1024;
/** Room for the reserve below which no work is taken, and for some work above it. */
const DISK_BYTES = LIMITS.diskReserveBytes + 160 * MIB;
const TAKES_WORK_MS = 30_000;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (node: NodeProcess, args: readonly string[], stdin?: string): Promise<Ran> =>
  skerry(args, { stdin, env: { SKERRY_API: node.url } });

interface Job {
  Name?: string;
  Tasks: { [field: string]: unknown; InputSources: { Source: unknown }[] }[];
}

/** A job of the module in text form. */
async function jobOf(name: string, wat: string, task: Record<string, unknown> = {}): Promise<string> {
  const job = tinyJob() as unknown as Job;
  const URL = `data:application/wasm;base64,${(await wasmOf(wat)).toBase64()}`;
  job.Name = name;
  job.Tasks[0]!.InputSources[0]!.Source = { Type: "inline", Params: { URL } };
  Object.assign(job.Tasks[0]!, task);
  return JSON.stringify(job);
}

const sleeping = (name: string, ms: number) => jobOf(name, command(`(call $sleep (i64.const ${ms}))`));

async function phaseOf(node: NodeProcess, name: string): Promise<string> {
  const { stdout } = await run(node, ["job", "list", "--output", "json"]);
  const jobs: { Name: string; State: { StateType: string } }[] = JSON.parse(stdout);
  return jobs.find(({ Name }) => Name === name)!.State.StateType.toLowerCase();
}

/** The first submission that is refused: a node looks at its disk once a second. */
function refusal(node: NodeProcess): Promise<Ran> {
  return waitUntil("work is refused", async () => {
    const ran = await run(node, ["job", "run", "--wait=false", "-"], JSON.stringify(tinyJob()));
    return ran.code === 5 && /Cannot take new work/.test(ran.stderr) ? ran : undefined;
  });
}

async function jobCount(node: NodeProcess): Promise<number> {
  return JSON.parse((await run(node, ["job", "list", "--output", "json"])).stdout).length;
}

/** Work is taken again once the node has looked at its disk. */
async function assertTakesWork(node: NodeProcess, name: string): Promise<void> {
  const { code, stderr } = await waitUntil("the node takes work again", async () => {
    const ran = await run(node, ["job", "run", "-"], JSON.stringify({ ...tinyJob(), Name: name }));
    return ran.code === 5 ? undefined : ran;
  }, { deadlineMs: TAKES_WORK_MS });
  assert.equal(code, 0, stderr);
}

Deno.test("new work is refused with the reason before the disk is full, and taken again when it is not", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  await using node = await startNodeProcess({ dataDir: `${disk.path}/data` });
  await assertTakesWork(node, "before");
  const fill = disk.fill(LIMITS.diskReserveBytes - 20 * MIB);

  const refused = await refusal(node);
  assert.match(
    refused.stderr,
    /^Error: Cannot take new work: at least 256 MiB must be free .*, currently 2\d\d MiB are\nHint: Free/,
  );
  const before = await jobCount(node);
  const answer = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ Job: tinyJob() }),
  });
  const envelope = await answer.json();
  assert.equal(answer.status, 507);
  assert.equal(envelope.Details.code, "disk_full");
  assert.match(envelope.Message, /256 MiB must be free/);
  assert.equal(await jobCount(node), before, "nothing was stored");

  await Deno.remove(fill);
  await assertTakesWork(node, "after");
});

Deno.test("a job whose node's disk is filled to the last byte ends with a reason that is kept", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  await using node = await startNodeProcess({ dataDir: `${disk.path}/data` });
  const submitted = await run(node, ["job", "run", "--wait=false", "-"], await sleeping("sleeper", 2000));
  assert.equal(submitted.code, 0, submitted.stderr);
  await waitUntil("it runs", async () => await phaseOf(node, "sleeper") === "running");
  const fill = disk.fill();

  const waited = await run(node, ["job", "wait", "sleeper", "--timeout", "30s"]);
  assert.equal(waited.code, 6, waited.stderr + node.log());
  assert.match(
    waited.stderr,
    /partition 0: Cannot run task: the node's disk is full\n +Hint: Free some space/,
  );
  assert.ok(freeBytes(disk.path) > 0, "the reserve was given up for it");
  assert.equal(await phaseOf(node, "sleeper"), "failed");

  await Deno.remove(fill);
  await assertTakesWork(node, "after");
  assert.equal(await phaseOf(node, "sleeper"), "failed");
});

Deno.test("a job that fills the disk itself is told so, ends, and keeps what it wrote", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  await using node = await startNodeProcess({ dataDir: `${disk.path}/data`, flags: ["--disk", "2Gb"] });
  const job = await jobOf("filler", filling(), {
    ResultPaths: [{ Name: "outputs", Path: "/outputs" }],
    Publisher: { Type: "local" },
    Resources: { CPU: "100m", Memory: "64Mb", Disk: "1Gb" },
  });
  const ran = await run(node, ["job", "run", "--wait-timeout", "60s", "-"], job);
  assert.equal(ran.code, 6, ran.stderr + node.log());
  assert.ok(["completed", "failed"].includes(await phaseOf(node, "filler")), ran.stderr);
  // 51 is ENOSPC of WASI: the program could have acted on it.
  assert.match(ran.stdout + ran.stderr, /exit code 51|disk is full/, ran.stderr);

  await refusal(node);
  const [execution] = [...Deno.readDirSync(`${disk.path}/data/agent/executions`)];
  await Deno.remove(`${disk.path}/data/agent/executions/${execution!.name}`, { recursive: true });
  await assertTakesWork(node, "after");
});

/** Writes into a result until it cannot, and ends with the error. */
function filling(): string {
  const path = "outputs/all";
  return command(
    `(local $file i32) (local $error i32)
     (local.set $file (call $append (i32.const 1024) (i32.const ${path.length})))
     (i32.store (i32.const 0) (i32.const 4096))
     (i32.store (i32.const 4) (i32.const 1048576))
     (loop $again
       (local.set $error (call $fd_write (local.get $file) (i32.const 0) (i32.const 1) (i32.const 8)))
       (br_if $again (i32.eqz (local.get $error))))
     (call $proc_exit (local.get $error))`,
    { memory: "20", parts: dataAt1024(path) },
  );
}

Deno.test("on a full disk old results go when they were fetched, and only then", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  await using out = await folder();
  const dataDir = `${disk.path}/data`;
  const publisher = { Publisher: { Type: "local" } };
  {
    await using node = await startNodeProcess({ dataDir });
    for (const name of ["fetched", "kept"]) {
      const ran = await run(
        node,
        ["job", "run", "-"],
        await jobOf(name, printing(`of ${name}\n`), publisher),
      );
      assert.equal(ran.code, 0, ran.stderr);
    }
    const got = await run(node, ["job", "get", "fetched", "--output-dir", `${out.path}/fetched`]);
    assert.equal(got.code, 0, got.stderr);
  }
  const executions = () => [...Deno.readDirSync(`${dataDir}/agent/executions`)].map(({ name }) => name);
  assert.equal(executions().length, 2);
  fetchedEarlier(`${dataDir}/agent/agent.db`, LIMITS.resultsFetchedKeptMs);
  disk.fill(20 * MIB);
  await using node = await startNodeProcess({ dataDir });
  await waitUntil("the fetched one is swept away", () => executions().length === 1);
  const got = await run(node, ["job", "get", "kept", "--output-dir", `${out.path}/kept`]);
  assert.equal(got.code, 0, got.stderr);
  assert.equal(await Deno.readTextFile(`${out.path}/kept/stdout`), "of kept\n");
  const gone = await run(node, ["job", "get", "fetched", "--output-dir", `${out.path}/again`]);
  assert.ok(gone.code !== 0, "it is gone");
  assert.match(gone.stderr, /^Error: [^\n]+/m);
  assert.doesNotMatch(gone.stderr, /bug in Skerry|\n\s+at /);
});

/** As if the node had run for so long since. */
function fetchedEarlier(path: string, ms: number): void {
  using database = new DatabaseSync(path);
  database.exec(`UPDATE executions SET fetched_lifetime_ms = fetched_lifetime_ms - ${ms}`);
}

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("a node that is killed and starts again on a full disk records what ended meanwhile", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  const dataDir = `${disk.path}/data`;
  const first = await startNodeProcess({ dataDir });
  const submitted = await run(first, ["job", "run", "--wait=false", "-"], await sleeping("sleeper", 1500));
  assert.equal(submitted.code, 0, submitted.stderr);
  await waitUntil("it runs", async () => await phaseOf(first, "sleeper") === "running");
  await first.end("SIGKILL");
  await waitUntil("it ends without a node", () => {
    const [{ name } = { name: "" }] = Deno.readDirSync(`${dataDir}/agent/executions`);
    return Deno.readTextFileSync(`${dataDir}/agent/executions/${name}/.engine`).includes('"exit"');
  });
  const fill = disk.fill();

  await using node = await startNodeProcess({ dataDir });
  const waited = await run(node, ["job", "wait", "sleeper", "--timeout", "30s"]);
  assert.equal(waited.code, 0, waited.stderr + node.log());
  await refusal(node);
  await Deno.remove(fill);
  await assertTakesWork(node, "after");
});

Deno.test("a node whose log is on the full disk goes on", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
  if (disk === undefined) return;
  const flags = ["--log-file", `${disk.path}/log`, "--log-level", "debug"];
  await using node = await startNodeProcess({ dataDir: `${disk.path}/data`, flags });
  const submitted = await run(node, ["job", "run", "--wait=false", "-"], await sleeping("sleeper", 1000));
  assert.equal(submitted.code, 0, submitted.stderr);
  const fill = disk.fill();
  const waited = await run(node, ["job", "wait", "sleeper", "--timeout", "30s"]);
  assert.ok([0, 6].includes(waited.code), waited.stderr);
  await Deno.remove(fill);
  await assertTakesWork(node, "after");
});
