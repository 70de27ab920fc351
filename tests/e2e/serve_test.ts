/** A node as an operator runs it: its settings, its ready line, its log, its end and its next start. */
import assert from "node:assert/strict";
import { exists } from "../../shared/disk.ts";
import { VERSION } from "../../shared/version.ts";
import { type NodeProcess, skerry, skerryCommand, startNodeProcess } from "../support/node_process.ts";
import { tinyJob } from "../support/tiny_module.ts";
import { waitUntil } from "../support/wait_until.ts";
import { command, dataAt1024, wasmOf } from "../support/wasm_modules.ts";

const LOG_BYTES = 16 * 1024 * 1024;
/** What a supervisor such as systemd would wait at least. */
const END_MS = 5_000;

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-serve-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** `agent config`: what a running node runs on. */
async function shownBy(node: NodeProcess, key: string): Promise<string> {
  const { code, stdout, stderr } = await skerry(["agent", "config", "--output", "json"], {
    env: { SKERRY_API: node.url },
  });
  assert.equal(code, 0, stderr);
  return JSON.stringify(find(JSON.parse(stdout), key));
}

function find(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, entry] of Object.entries(value)) {
    if (name.replaceAll("_", "").toLowerCase() === key) return entry;
    const deeper = find(entry, key);
    if (deeper !== undefined) return deeper;
  }
}

Deno.test("flags beat the environment, which beats the config file", () =>
  withFolder(async (folder) => {
    const config = `${folder}/config.yaml`;
    await Deno.writeTextFile(config, "name: file\nlabels: {rack: file}\ncpu: 100m\n");
    const nodes: [flags: string[], env: Record<string, string>, name: string, rack: string][] = [
      [[], {}, "file", "file"],
      [[], { SKERRY_NAME: "env", SKERRY_LABELS: "rack=env,zone=env" }, "env", "env"],
      [
        ["--name", "flag", "--labels", "rack=flag,zone=z", "--labels", "door=d"],
        { SKERRY_NAME: "env", SKERRY_LABELS: "rack=env" },
        "flag",
        "flag",
      ],
    ];
    for (const [flags, env, name, rack] of nodes) {
      await using node = await startNodeProcess({ flags: ["--config", config, ...flags], env });
      const [shown] = await waitUntil("the node knows itself", () => nodeList(node));
      assert.equal(shown!.Info.Labels.name, name);
      assert.equal(shown!.Info.Labels.rack, rack);
      assert.equal(shown!.Info.ComputeNodeInfo.MaxCapacity.CPU, 0.1, "the file's, which nothing beats");
      if (name === "flag") assert.deepEqual([shown!.Info.Labels.zone, shown!.Info.Labels.door], ["z", "d"]);
      assert.equal(await shownBy(node, "name"), JSON.stringify(name));
    }
  }));

interface ShownNode {
  readonly Info: {
    readonly Labels: Readonly<Record<string, string>>;
    readonly ComputeNodeInfo: { readonly MaxCapacity: { readonly CPU: number } };
  };
}

async function nodeList(node: NodeProcess): Promise<ShownNode[] | undefined> {
  const { stdout } = await skerry(["node", "list", "--output", "json"], { env: { SKERRY_API: node.url } });
  const nodes: ShownNode[] = JSON.parse(stdout);
  return nodes.length > 0 ? nodes : undefined;
}

/** Prints its environment. */
const ENVIRONMENT = `(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4))) (drop (call $get (i32.const 100) (i32.const 5000)))
    (i32.store (i32.const 8) (i32.const 5000)) (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))))`;

Deno.test("a job is given the variables of the node that its owner allows, and no others", async () => {
  await using node = await startNodeProcess({
    flags: ["--allow-env", "SEA_*"],
    env: { SEA_LEVEL: "3 m", SECRET: "x" },
  });
  const run = async (value: string) => {
    const URL = `data:application/wasm;base64,${btoa(String.fromCharCode(...await wasmOf(ENVIRONMENT)))}`;
    const job = {
      Type: "batch",
      Count: 1,
      Tasks: [{
        Name: "main",
        Engine: { Type: "wasm", Params: { EntryModule: "/main.wasm" } },
        InputSources: [{ Source: { Type: "inline", Params: { URL } }, Target: "/main.wasm" }],
        Env: { LEVEL: value },
      }],
    };
    return await skerry(["job", "run", "--follow", "-"], {
      stdin: JSON.stringify(job),
      env: { SKERRY_API: node.url },
    });
  };
  const given = await run("env:SEA_LEVEL");
  assert.match(given.stdout, /LEVEL=3 m\0/, given.stderr);
  assert.match((await run("env:SECRET")).stderr, /does not forward the variable "SECRET"/);
  assert.match((await run("env:SEA_SIDE")).stderr, /this node has no variable "SEA_SIDE"/);
});

Deno.test("node list shows a node by its name, and wide its labels", async () => {
  await using node = await startNodeProcess({ flags: ["--name", "lab-7", "--labels", "rack=west"] });
  await waitUntil("the node knows itself", () => nodeList(node));
  const env = { SKERRY_API: node.url };
  const short = await skerry(["node", "list"], { env });
  assert.match(short.stdout, /^n-[0-9a-f]{8} +lab-7 +connected +\d+s ago/m);
  const wide = await skerry(["node", "list", "--output", "wide"], { env });
  assert.match(wide.stdout, /rack=west/);
  const described = await skerry(["node", "describe", "lab-7"], { env });
  assert.equal(described.code, 0, described.stderr);
  assert.match(described.stdout, /rack.*west/);
});

Deno.test("the ready line says where the API is, once it answers; nothing else goes to stdout", () =>
  withFolder(async (folder) => {
    const dataDir = `${folder}/data`;
    const [program, args] = skerryCommand(undefined, [
      "serve",
      "--data-dir",
      dataDir,
      "--listen",
      "127.0.0.1:0",
    ]);
    const child = new Deno.Command(program, { args, stdout: "piped", stderr: "null", stdin: "null" }).spawn();
    const [mine, all] = child.stdout.tee();
    const text = new Response(all).text();
    let ready = "";
    for await (const chunk of mine.pipeThrough(new TextDecoderStream())) {
      ready += chunk;
      if (ready.includes("\n")) break;
    }
    const url = /listens on (\S+)/.exec(ready)?.[1];
    const answer = await fetch(`${url}/api/v1/agent/alive`);
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
    const { nodeId } = JSON.parse(await Deno.readTextFile(`${dataDir}/node.json`));
    assert.equal(
      await text,
      `Skerry ${VERSION} listens on ${url} (node ${nodeId.slice(0, 10)}, data in ${dataDir})\n`,
    );
  }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends a node in seconds; what runs goes on and is collected by the next start`, () =>
    withFolder(async (dataDir) => {
      const job = await sleepingJob();
      const first = await startNodeProcess({ dataDir });
      const submitted = await skerry(["job", "run", "--wait=false", "-"], {
        stdin: JSON.stringify(job),
        env: { SKERRY_API: first.url },
      });
      assert.equal(submitted.code, 0, submitted.stderr);
      await waitUntil("it runs", () => outputOf(dataDir).includes("begin"));
      const startedAtMs = performance.now();
      assert.equal(await first.end(signal), 0, first.log());
      assert.ok(performance.now() - startedAtMs < END_MS, "it waited for the module");
      assert.doesNotMatch(outputOf(dataDir), /end/);

      await waitUntil("the module ends without a node", () => outputOf(dataDir).includes("end"), {
        deadlineMs: 30_000,
      });
      await using second = await startNodeProcess({ dataDir });
      const env = { SKERRY_API: second.url };
      const waited = await skerry(["job", "wait", "sleeper"], { env });
      assert.equal(waited.code, 0, waited.stderr);
      const { stdout } = await skerry(["job", "logs", "sleeper"], { env });
      assert.equal(stdout, "begin\nend\n");
      const { Items } = await (await fetch(`${second.url}/api/v1/orchestrator/jobs/sleeper/executions`))
        .json();
      assert.equal(Items.length, 1, "it ran once");
    }));
}

/** Says "begin", waits two seconds, says "end". */
async function sleepingJob(): Promise<Record<string, unknown>> {
  const bytes = await wasmOf(command(
    `(call $print (i32.const 1) (i32.const 1024) (i32.const 6))
     (call $sleep (i64.const 2000))
     (call $print (i32.const 1) (i32.const 1030) (i32.const 4))`,
    { parts: dataAt1024("begin\nend\n") },
  ));
  const job = tinyJob() as { Name?: string; Tasks: { InputSources: { Source: unknown }[] }[] };
  job.Name = "sleeper";
  const URL = `data:application/wasm;base64,${bytes.toBase64()}`;
  job.Tasks[0]!.InputSources[0]!.Source = { Type: "inline", Params: { URL } };
  return { ...job };
}

/** What the only execution has printed so far, read from the node's folder. */
function outputOf(dataDir: string): string {
  const executions = `${dataDir}/agent/executions`;
  try {
    for (const { name } of Deno.readDirSync(executions)) {
      return Deno.readTextFileSync(`${executions}/${name}/stdout`);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return "";
}

Deno.test("the node's log goes to a file as JSON lines, and is rotated", () =>
  withFolder(async (folder) => {
    const path = `${folder}/node.log`;
    await Deno.writeFile(path, new Uint8Array(LOG_BYTES - 10).fill(0x2e));
    await Deno.writeTextFile(`${path}.1`, "older");
    const node = await startNodeProcess({
      dataDir: `${folder}/data`,
      flags: ["--log-file", path, "--log-format", "json", "--log-level", "debug"],
    });
    assert.equal(await node.end("SIGTERM"), 0);
    assert.equal(node.log(), "", "nothing to stderr");
    assert.equal((await Deno.stat(`${path}.1`)).size, LOG_BYTES - 10);
    assert.equal(await Deno.readTextFile(`${path}.2`), "older");
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.length > 0);
    for (const { time, level, message } of lines) {
      assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
      assert.ok(["debug", "info", "warn", "error"].includes(level), level);
      assert.equal(typeof message, "string");
    }
    assert.ok(lines.some(({ message, signal }) => message.startsWith("Stopping") && signal === "SIGTERM"));
  }));

Deno.test("a node that is told to end while it starts ends in order", () =>
  withFolder(async (dataDir) => {
    const [program, args] = skerryCommand(undefined, [
      "serve",
      "--data-dir",
      dataDir,
      "--listen",
      "127.0.0.1:0",
    ]);
    const child = new Deno.Command(program, { args, stdout: "null", stderr: "null", stdin: "null" }).spawn();
    await waitUntil("it has begun", () => exists(`${dataDir}/lock`));
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
    assert.ok(await exists(`${dataDir}/agent/agent.db`));
  }));

Deno.test("the node's log level keeps lesser lines out", async () => {
  const node = await startNodeProcess({ flags: ["--log-level", "error"] });
  const { dataDir } = node;
  assert.equal(await node.end("SIGTERM"), 0);
  assert.equal(node.log(), "");
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("a node whose stdout and stderr nobody reads goes on", async () => {
  await withFolder(async (folder) => {
    const listen = `127.0.0.1:${freePort()}`;
    const [program, args] = skerryCommand(undefined, [
      ...["serve", "--data-dir", `${folder}/data`, "--listen", listen, "--log-level", "debug"],
    ]);
    const child = new Deno.Command(program, { args, stdout: "piped", stderr: "piped", stdin: "null" })
      .spawn();
    await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
    const { code, stderr } = await waitUntil("a job runs on it", async () => {
      const ran = await skerry(["job", "run", "-"], {
        stdin: JSON.stringify(tinyJob()),
        env: { SKERRY_API: `http://${listen}` },
      });
      return ran.code === 5 ? undefined : ran;
    }, { deadlineMs: 30_000 });
    assert.equal(code, 0, stderr);
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
  });
});

Deno.test("a server that cannot be reached is exit 5 within seconds", async (t) => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const cases: [what: string, args: string[], says: RegExp][] = [
    [
      "nobody listens",
      ["--api", `http://127.0.0.1:${freePort()}`],
      /connection refused\nHint: Start one with `skerry serve`/,
    ],
    [
      "nobody answers",
      ["--api", `http://127.0.0.1:${port}`, "--api-timeout", "1s"],
      /no answer in time\nHint: /,
    ],
    [
      "nobody has the name",
      ["--api", "http://nobody.invalid:1234"],
      /Cannot reach the server at http:\/\/nobody\.invalid/,
    ],
  ];
  for (const [what, args, says] of cases) {
    await t.step(what, async () => {
      for (const verb of [["job", "list"], ["node", "list"], ["job", "describe", "x"]]) {
        const startedAtMs = performance.now();
        const { code, stdout, stderr } = await skerry([...verb, ...args]);
        assert.equal(code, 5, stderr);
        assert.equal(stdout, "");
        assert.match(stderr, says);
        assert.ok(
          performance.now() - startedAtMs < END_MS,
          `${Math.round(performance.now() - startedAtMs)} ms`,
        );
      }
    });
  }
  await t.step("and a submission, which is tried again for a while", async () => {
    const startedAtMs = performance.now();
    const { code, stderr } = await skerry(["job", "run", "-", "--api", `http://127.0.0.1:${freePort()}`], {
      stdin: JSON.stringify(tinyJob()),
    });
    assert.equal(code, 5, stderr);
    assert.ok(performance.now() - startedAtMs < 2 * END_MS);
  });
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
