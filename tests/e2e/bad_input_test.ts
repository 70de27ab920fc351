/** Jobs that cannot be: each is refused with what is wrong and what to do, nothing is stored and nothing runs. */
import assert from "node:assert/strict";
import { stringify } from "yaml";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { TINY_MODULE, tinyJob } from "../support/tiny_module.ts";
import { waitUntil } from "../support/wait_until.ts";

const MIB = 1024 * 1024;
const BODY_BYTES_MAX = 10 * MIB;

/** A spec with one mistake, and what the refusal must say. */
interface Bad {
  readonly what: string;
  /** Changed in place, or another document. */
  readonly job: (job: Job) => unknown;
  /** The field that is wrong. */
  readonly field: string;
  readonly says: string;
  /** What is said instead, without the field, where the text itself cannot be read. */
  readonly saysOfFile?: string;
}
interface Job {
  [field: string]: unknown;
  Tasks: { [field: string]: unknown; InputSources: { [field: string]: unknown }[] }[];
}

const change = (fields: Record<string, unknown>) => (job: Job) => Object.assign(job, fields);
const changeTask = (fields: Record<string, unknown>) => (job: Job) => {
  Object.assign(job.Tasks[0]!, fields);
  return job;
};

const BAD: readonly Bad[] = [
  { what: "nothing in it", job: () => ({}), field: "Tasks", says: "must be a list with one task" },
  { what: "a list instead of an object", job: (job) => [job], field: "it", says: "must be an object" },
  { what: "no task", job: change({ Tasks: [] }), field: "Tasks", says: "must be a list with one task" },
  { what: "a number as its name", job: change({ Name: 7 }), field: "Name", says: "must be a string" },
  { what: "a text as its count", job: change({ Count: "3" }), field: "Count", says: "whole number from 0" },
  { what: "a text as its tasks", job: change({ Tasks: "x" }), field: "Tasks", says: "must be a list with" },
  {
    what: "half a partition",
    job: change({ Count: 0.5 }),
    field: "Count",
    says: "whole number from 0 to 100000",
  },
  { what: "a negative count", job: change({ Count: -1 }), field: "Count", says: "current value is -1" },
  {
    what: "a billion partitions",
    job: change({ Count: 1e9 }),
    field: "Count",
    says: "current value is 1000000000",
  },
  { what: "a mistyped field", job: change({ Conut: 3 }), field: "Conut", says: 'did you mean "Count"' },
  {
    what: "an unknown field in its task",
    job: changeTask({ Resource: {} }),
    field: "Tasks[0].Resource",
    says: 'did you mean "Resources"',
  },
  {
    what: "a negative amount of CPU",
    job: changeTask({ Resources: { CPU: "-1" } }),
    field: "Tasks[0].Resources.CPU",
    says: 'current value is "-1"',
  },
  {
    what: "a CPU that is no number",
    job: changeTask({ Resources: { CPU: "NaN" } }),
    field: "Tasks[0].Resources.CPU",
    says: 'must be cores like "500m"',
  },
  {
    what: "more memory than there is in the world",
    job: changeTask({ Resources: { Memory: "900000PiB" } }),
    field: "Tasks[0].Resources.Memory",
    says: "at most 1PiB",
  },
  {
    what: "memory of 1e400 bytes",
    job: changeTask({ Resources: { Memory: "1e400" } }),
    field: "Tasks[0].Resources.Memory",
    says: 'must be bytes like "512Mb"',
  },
  {
    what: "a GPU of hexadecimal number",
    job: changeTask({ Resources: { GPU: "0x10" } }),
    field: "Tasks[0].Resources.GPU",
    says: "must be a whole number",
  },
  {
    what: "a time-out before now",
    job: changeTask({ Timeouts: { ExecutionTimeout: -5 } }),
    field: "Tasks[0].Timeouts.ExecutionTimeout",
    says: "must be whole seconds",
  },
  {
    what: "control characters in its name",
    job: change({ Name: "a\u0007b\n\u0000" }),
    field: "Name",
    says: "must not contain control characters",
  },
  {
    what: "a terminal's orders in its name",
    job: change({ Name: "\u001b[2J\u001b]0;owned\u0007" }),
    field: "Name",
    says: "must not contain control characters",
  },
  {
    what: "turned-around text in its name",
    job: change({ Name: "safe\u202egpj.exe" }),
    field: "Name",
    says: "must not contain control characters",
  },
  {
    what: "a name of 1 MB",
    job: change({ Name: "n".repeat(1e6) }),
    field: "Name",
    says: "must be at most 256 characters",
  },
  {
    what: "a label with a key of 1 MB",
    job: change({ Labels: { ["k".repeat(1e6)]: "v" } }),
    field: "Labels",
    says: "at most 256 characters",
  },
  {
    what: "__proto__ as a field",
    job: (job) => JSON.parse(JSON.stringify(job).replace("{", '{"__proto__":{"Count":5},')),
    field: "it",
    says: "__proto__",
  },
  {
    what: "__proto__ as a label",
    job: change({ Labels: JSON.parse('{"__proto__":"x"}') }),
    field: "Labels",
    says: "__proto__",
  },
  {
    what: "an input whose target climbs out",
    job: (job) => {
      job.Tasks[0]!.InputSources[0]!.Target = "/../../etc/cron.d/x";
      return job;
    },
    field: "Tasks[0].InputSources[0].Target",
    says: 'must not contain ".."',
  },
  {
    what: "a result path that climbs out",
    job: changeTask({
      ResultPaths: [{ Name: "out", Path: "/outputs/../../etc" }],
      Publisher: { Type: "local" },
    }),
    field: "Tasks[0].ResultPaths[0].Path",
    says: 'must not contain ".."',
  },
  {
    what: "a result whose name is a path",
    job: changeTask({ ResultPaths: [{ Name: "../../x", Path: "/outputs" }], Publisher: { Type: "local" } }),
    field: "Tasks[0].ResultPaths[0].Name",
    says: "must be usable as a folder name",
  },
  {
    what: "a local input whose path climbs",
    job: (job) => {
      const Source = { Type: "local", Params: { SourcePath: "/data/../etc" } };
      job.Tasks[0]!.InputSources.push({ Source, Target: "/inputs" });
      return job;
    },
    field: "Tasks[0].InputSources[1].Source.Params.SourcePath",
    says: 'must not contain ".."',
  },
  {
    what: "a hundred thousand levels",
    job: change({ Meta: "DEEP" }),
    field: "Meta",
    says: "must be nested at most 32 deep",
    saysOfFile: "it is nested too deep",
  },
  {
    what: "a hundred thousand labels",
    job: change({ Labels: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, "v"])) }),
    field: "it",
    says: "must hold at most 20000 values",
  },
  {
    what: "Meta of 1 MB",
    job: change({
      Meta: Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`k${at}`, "v".repeat(1e5)])),
    }),
    field: "it",
    says: "must be at most 262144 bytes",
  },
];

Deno.test("a job that cannot be is refused with the field, what it must be and what it is", async (t) => {
  await using node = await startNodeProcess();
  for (const bad of BAD) {
    await t.step(`over HTTP: ${bad.what}`, async () => {
      const text = asText(bad);
      const { status, envelope } = await put(node, `{"Job":${text}}`);
      assert.equal(status, 400, envelope.Message);
      assert.equal(envelope.Code, "ValidationError");
      assert.equal(envelope.Details.code, "invalid");
      assertSays(envelope.Message, bad);
      assert.ok(envelope.Message.length < 1000, `a message of ${envelope.Message.length} characters`);
      assert.ok(
        Object.keys(envelope.Details).some((key) => key.startsWith(bad.field)),
        "Details name the field",
      );
    });
  }
  await assertNothingStored(node);
});

Deno.test("a job file that cannot be is refused with its line, in JSON and in YAML", async (t) => {
  await using node = await startNodeProcess();
  const env = { SKERRY_API: node.url };
  for (const bad of BAD) {
    await t.step(bad.what, async () => {
      const json = asText(bad);
      const yaml = json.includes("[[[[") ? json : stringify(JSON.parse(json));
      const [validated, run] = await Promise.all([
        skerry(["job", "validate", "-"], { stdin: json, env }),
        skerry(["job", "run", "-"], { stdin: yaml, env }),
      ]);
      for (const { code, stdout, stderr } of [validated, run]) {
        assert.equal(code, 2, stderr);
        assert.equal(stdout, "");
        assert.match(stderr, /^Error: Cannot (accept|read) .*line \d+, column \d+: /s);
        if (bad.saysOfFile === undefined) assertSays(stderr, bad);
        else assert.ok(stderr.includes(bad.saysOfFile), stderr);
        assertHarmless(stderr);
      }
    });
  }
  await assertNothingStored(node);
});

Deno.test("text that is no job file is refused with what it must be", async (t) => {
  const cases: [what: string, text: string, says: RegExp][] = [
    ["an empty file", "", /it is empty\nHint: A job file is one YAML or JSON object/],
    ["white space", " \n\t\n", /it is empty|line 2/],
    ["a comment", "# nothing\n", /nothing but comments\nHint: /],
    ["a word", "hello", /must be an object with fields like Name and Tasks, current value is "hello"/],
    ["half of an object", '{"Name": "x"', /line 1, column \d+: .*\nHint: /],
    ["two documents", "Name: a\n---\nName: b\n", /line \d, column \d+: .*\nHint: /],
    ["a key twice", "Name: a\nName: b\n", /line 2, column 1: .*\nHint: /],
    ["bytes of no text", "\u0000\u0001\ufffd\u0002", /Cannot (read|accept) the job/],
    ["a bomb of aliases", aliasBomb(), /alias/i],
    [
      "numbers that are none",
      "Count: .nan\nPriority: .inf\nTasks: []\n",
      /line 1, column \d+: Count must be a finite/,
    ],
    [
      "a number beyond all",
      '{"Count": 1e400, "Tasks": []}',
      /line 1, column \d+: Count must be a finite number/,
    ],
    ["a tag that makes objects", "Name: !!js/function 'x'\nTasks: []\n", /line 1, column \d+: .*\nHint: /],
  ];
  for (const [what, text, says] of cases) {
    await t.step(what, async () => {
      const { code, stdout, stderr } = await skerry(["job", "validate", "-"], { stdin: text });
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assertHarmless(stderr);
    });
  }
  await t.step("a file that is not there", async () => {
    const { code, stderr } = await skerry(["job", "run", "/nowhere/job.yaml"]);
    assert.equal(code, 3);
    assert.match(stderr, /^Error: Cannot read the job file "\/nowhere\/job.yaml": there is no such file/);
  });
});

Deno.test("a body that is no job is refused with what it must be", async (t) => {
  await using node = await startNodeProcess();
  const cases: [what: string, body: BodyInit, status: number, says: RegExp][] = [
    ["nothing", "", 400, /must be a JSON object, it is empty/],
    ["null", "null", 400, /must be a JSON object, it is null/],
    ["no job in it", "{}", 400, /must have a field "Job"/],
    ["YAML", "Job:\n  Name: x\n", 400, /must be JSON/],
    ["NaN", '{"Job":{"Count":NaN}}', 400, /must be JSON/],
    ["1e400", '{"Job":{"Count":1e400,"Tasks":[]}}', 400, /Count must be a finite number/],
    ["bytes that are no text", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 400, /must be UTF-8/],
    ["a million brackets", `{"Job":${"[".repeat(1e6)}`, 400, /must be JSON|nested/],
    [
      "a token of control characters",
      JSON.stringify({ Job: tinyJob(), IdempotencyToken: "\u001b[2J" }),
      400,
      /IdempotencyToken/,
    ],
  ];
  for (const [what, body, status, says] of cases) {
    await t.step(what, async () => {
      const answer = await put(node, body);
      assert.equal(answer.status, status, answer.envelope.Message);
      assert.match(answer.envelope.Message, says);
      assertHarmless(answer.envelope.Message);
    });
  }
  await assertNothingStored(node);
});

Deno.test("a body of 10 MB is read, a larger one is refused with the limit", async (t) => {
  await using node = await startNodeProcess();
  await t.step("over HTTP, with its length told", async () => {
    const { status, envelope } = await put(node, sizedJob(BODY_BYTES_MAX + 1));
    assert.equal(status, 413);
    assert.equal(envelope.Details.code, "too_large");
    assert.match(envelope.Message, /must be at most 10485760 bytes, current value is 10485761/);
    assert.match(envelope.Hint ?? "", /inputs by path or URL/);
  });
  await t.step("over HTTP, in pieces of unknown number", async () => {
    const piece = new TextEncoder().encode(" ".repeat(MIB));
    let left = 14;
    const body = new ReadableStream({
      pull: (stream) => left-- > 0 ? stream.enqueue(piece) : stream.close(),
    });
    const { status, envelope } = await put(node, body);
    assert.equal(status, 413, envelope.Message);
  });
  await t.step("from a file", async () => {
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, jobOf(sizedJob(BODY_BYTES_MAX + 100)));
      const { code, stderr } = await skerry(["job", "run", path], { env: { SKERRY_API: node.url } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /more than 10485760 bytes\nHint: Give large inputs by path or URL/);
    } finally {
      await Deno.remove(path);
    }
  });
  await assertNothingStored(node);
  await t.step("just below, and it runs", async () => {
    const { status, envelope, JobID } = await put(node, sizedJob(BODY_BYTES_MAX));
    assert.equal(status, 200, envelope.Message);
    const { code, stderr } = await skerry(["job", "wait", JobID!], { env: { SKERRY_API: node.url } });
    assert.equal(code, 0, stderr);
  });
});

const NO_MODULES: readonly [what: string, bytes: Uint8Array, says: RegExp][] = [
  ["random bytes", crypto.getRandomValues(new Uint8Array(5000)), /not? WebAssembly/],
  ["nothing", new Uint8Array(), /not? WebAssembly/],
  ["a text", new TextEncoder().encode("#!/bin/sh\necho owned\n"), /not? WebAssembly/],
  ["half a module", TINY_MODULE.slice(0, 30), /./],
  ["a component", new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 0, 0, 0]), /component/],
];

Deno.test("wasm run tells of a file that is no WASI module, and what to do", async (t) => {
  await using node = await startNodeProcess();
  const path = await Deno.makeTempFile({ suffix: ".wasm" });
  const run = () => skerry(["wasm", "run", path], { env: { SKERRY_API: node.url } });
  try {
    for (const [what, bytes, says] of NO_MODULES) {
      await t.step(what, async () => {
        await Deno.writeFile(path, bytes);
        const { code, stdout, stderr } = await run();
        assert.ok([2, 6].includes(code), `exit code ${code}: ${stderr}`);
        assert.match(stderr, says);
        assert.match(stderr, /Hint: /);
        assertHarmless(stdout + stderr);
      });
    }
    await t.step("the next good one runs", async () => {
      await Deno.writeFile(path, TINY_MODULE);
      const { code, stderr } = await run();
      assert.equal(code, 0, stderr);
    });
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a job of what is no WASI module fails with the reason and a hint, and hurts nobody", async (t) => {
  await using node = await startNodeProcess();
  for (const [what, bytes, says] of NO_MODULES) {
    await t.step(what, async () => {
      const { status, envelope, JobID } = await put(node, JSON.stringify({ Job: moduleJob(bytes) }));
      assert.equal(status, 200, envelope.Message);
      const { code, stderr } = await skerry(["job", "wait", JobID!], { env: { SKERRY_API: node.url } });
      assert.equal(code, 6, stderr);
      assert.match(stderr, says);
      assert.match(stderr, /Hint: /);
      assertHarmless(stderr);
      const { Items } = await (await fetch(`${node.url}/api/v1/orchestrator/jobs/${JobID}/executions`))
        .json();
      assert.equal(Items.length, 1, "it is not tried again");
      assert.equal(Items[0].ComputeState.Details.ErrorCode, "module_invalid");
    });
  }
  await t.step("the next good one runs", async () => {
    const { JobID } = await put(node, JSON.stringify({ Job: moduleJob(TINY_MODULE) }));
    const { code, stderr } = await skerry(["job", "wait", JobID!], { env: { SKERRY_API: node.url } });
    assert.equal(code, 0, stderr);
  });
});

Deno.test("text from a job that was accepted does nothing to a terminal", async () => {
  await using node = await startNodeProcess();
  const env = { SKERRY_API: node.url };
  const hostile = "\u001b[2J\u001b]0;owned\u0007\u202e\r";
  const Job = Object.assign(tinyJob() as Job, { Name: "hostile", Meta: { note: hostile } });
  Job.Tasks[0]!.Env = { NOTE: hostile };
  const { status, envelope } = await put(node, JSON.stringify({ Job }));
  assert.equal(status, 200, envelope.Message);
  for (const args of [["job", "list"], ["job", "describe", "hostile"], ["job", "history", "hostile"]]) {
    const { code, stdout, stderr } = await skerry(args, { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /hostile|Created|Submitted/i);
    assertHarmless(stdout + stderr);
  }
});

function moduleJob(bytes: Uint8Array): Job {
  const job = tinyJob() as Job;
  const URL = `data:application/wasm;base64,${btoa(String.fromCharCode(...bytes))}`;
  job.Tasks[0]!.InputSources[0]!.Source = { Type: "inline", Params: { URL } };
  return job;
}

function asText({ job }: Bad): string {
  const text = JSON.stringify(job(tinyJob() as Job));
  return text.replace('"DEEP"', `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
}

/** A submission of exactly so many bytes: an inline input fills it up. */
function sizedJob(bytes: number): string {
  const job = tinyJob() as Job;
  const make = (fill: string) => {
    const Source = { Type: "inline", Params: { URL: `data:text/plain,${fill}` } };
    const [first] = job.Tasks[0]!.InputSources;
    job.Tasks[0]!.InputSources = [first!, { Source, Target: "/fill" }];
    return JSON.stringify({ Job: job });
  };
  return make("x".repeat(bytes - make("").length));
}

const jobOf = (submission: string) => submission.slice('{"Job":'.length, -1);

/** A few lines that would become a billion values. */
function aliasBomb(): string {
  const lines = ["Name: x", "Tasks: []", 'a: &a ["x","x","x","x","x","x","x","x","x"]'];
  for (const [at, name] of [..."bcdefghi"].entries()) {
    const before = "abcdefgh"[at];
    lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(",")}]`);
  }
  return lines.join("\n");
}

interface Answer {
  readonly status: number;
  readonly envelope: {
    readonly Code: string;
    readonly Message: string;
    readonly Hint?: string;
    readonly Details: Readonly<Record<string, string>>;
  };
  readonly JobID?: string;
}

async function put(node: NodeProcess, body: BodyInit): Promise<Answer> {
  const response = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body,
  });
  const envelope = await response.json();
  return { status: response.status, envelope, JobID: envelope.JobID };
}

function assertSays(text: string, { field, says }: Bad): void {
  if (field !== "it") assert.ok(text.includes(field), `"${field}" is not named: ${text}`);
  assert.ok(text.includes(says), `"${says}" is not said: ${text}`);
}

/** No stack, no talk of a bug, nothing that a terminal obeys. */
function assertHarmless(text: string): void {
  assert.doesNotMatch(text, /\n\s+at /, "a stack trace");
  assert.doesNotMatch(text, /bug in Skerry/);
  assert.doesNotMatch(text, /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/u, "a terminal's orders");
}

/** Neither job nor execution, and the node still takes work. */
async function assertNothingStored(node: NodeProcess): Promise<void> {
  const list = await (await fetch(`${node.url}/api/v1/orchestrator/jobs`)).json();
  assert.deepEqual(list.Items, []);
  const { stdout } = await skerry(["job", "list", "--output", "json"], { env: { SKERRY_API: node.url } });
  assert.deepEqual(JSON.parse(stdout), []);
  const folders = [...Deno.readDirSync(`${node.dataDir}/agent`)].some(({ name }) => name === "executions")
    ? [...Deno.readDirSync(`${node.dataDir}/agent/executions`)]
    : [];
  assert.deepEqual(folders, [], "an execution was made");
  const alive = await waitUntil("the node answers", () => fetch(`${node.url}/api/v1/agent/alive`));
  await alive.body?.cancel();
  assert.equal(alive.status, 200);
}
