import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { digestOf } from "./content.ts";
import { formatSpec } from "./format_job.ts";
import { parseJob } from "./parse_job.ts";

const MODULE = { Source: { Type: "inline", Params: { URL: "data:;base64,AGFzbQ==" } }, Target: "/main.wasm" };

/** A task that is fine, changed. */
const task = (change: object = {}) => ({
  Name: "main",
  Engine: { Type: "wasm", Params: { EntryModule: "/main.wasm" } },
  InputSources: [MODULE],
  ...change,
});
const job = (change: object = {}, taskChange: object = {}) => ({
  Name: "etl",
  Tasks: [task(taskChange)],
  ...change,
});

const docker = (network: object) => ({
  Engine: { Type: "docker", Params: { Image: "a" } },
  Network: network,
});
const bridge = (...ports: object[]) => docker({ Type: "Bridge", Ports: ports });

Deno.test("a network that reaches nothing is warned of", () => {
  const { warnings } = parseJob(job({}, { Network: { Type: "HTTP" } }));
  ok(warnings.some((warning) => /no Domains/.test(warning)), warnings.join());
});

function problemsOf(value: unknown): string {
  try {
    parseJob(value);
  } catch (error) {
    ok(error instanceof AppError, String(error));
    equal(error.code, "invalid");
    return error.message;
  }
  return "";
}

Deno.test("parseJob() fills in what a job does not say", () => {
  const { spec, contents, warnings } = parseJob({ Tasks: [task()] });
  equal(spec.name, "");
  equal(spec.namespace, "default");
  equal(spec.type, "batch");
  equal(spec.count, 1);
  deepEqual(spec.retry, { attempts: 0, lostAttempts: 2 });
  equal(spec.successExitCodes, undefined);
  equal(spec.stopGraceMs, 10_000);
  deepEqual(spec.task.resources, { cpuMillis: 500, memoryBytes: 512_000_000, diskBytes: 0, gpuCount: 0 });
  deepEqual(spec.task.publisher, { type: "local", params: {} });
  deepEqual(spec.task.engine.params, {
    EntryModule: "/main.wasm",
    Entrypoint: "_start",
    Parameters: [],
    ImportModules: [],
  });
  equal(spec.task.inputs[0]?.alias, "/main.wasm");
  equal(contents.size, 0);
  deepEqual(warnings, []);
});

Deno.test("parseJob() reads keys in any casing, nulls as absent, and keeps the names of free maps", () => {
  const { spec } = parseJob({
    NAME: "x",
    labels: { Team: "a", team: "b" },
    constraints: null,
    tasks: [{
      name: null,
      ENGINE: { type: "WASM", params: { entrymodule: "main.wasm", parameters: null, importModules: null } },
      env: { MODE: "fast" },
      inputsources: [{ source: MODULE.Source, target: "main.wasm", alias: null }],
      publisher: { type: "", params: null },
      resources: { cpu: 2, memory: "1GiB", gpu: "1" },
      timeouts: { totaltimeout: "2m", queueTimeout: 30 },
    }],
  });
  deepEqual(spec.labels, { Team: "a", team: "b" });
  equal(spec.task.name, "main");
  equal(spec.task.engine.type, "wasm");
  equal(spec.task.inputs[0]?.target, "/main.wasm");
  deepEqual(spec.task.resources, { cpuMillis: 2000, memoryBytes: 1024 ** 3, diskBytes: 0, gpuCount: 1 });
  deepEqual(spec.task.timeouts, { executionMs: 0, queueMs: 30_000, totalMs: 120_000 });
});

Deno.test("parseJob() ignores what the server owns, with Bacalhau's warnings", () => {
  const owned = {
    ID: "j-1",
    State: { StateType: "Running" },
    Version: 3,
    Revision: 4,
    CreateTime: 1,
    ModifyTime: 2,
    Meta: { "bacalhau.org/client.id": "x", team: "y" },
  };
  const { spec, warnings } = parseJob({ ...owned, Tasks: [task(), { anything: true }] });
  equal(spec.name, "j-1");
  deepEqual(spec.meta, { team: "y" });
  deepEqual(warnings.sort(), [
    "job ID is ignored when submitting a batch job",
    "job create time is ignored when submitting a job",
    'job meta key "bacalhau.org/client.id" is reserved and will be ignored',
    "job modify time is ignored when submitting a job",
    "job revision is ignored when submitting a job",
    "job state is ignored when submitting a job",
    "job version is ignored when submitting a job",
    "only one task is supported per job",
  ]);
  deepEqual(
    parseJob(job({ Version: 0, State: { StateType: "Undefined", Message: "" }, ID: "" })).warnings,
    [],
  );
});

Deno.test("parseJob() refuses names that would be taken for something else", () => {
  for (
    const [name, why] of [
      ["j-9bdafa4b", /Name must not look like an ID, which it would hide, current value is "j-9bdafa4b"/],
      ["e-00000000-again", /must not look like an ID/],
      ["n-12345678", /must not look like an ID/],
      ["team/etl", /Name must not contain "\/" or "\\", current value is "team\/etl"/],
      ["C:\\etl", /must not contain/],
      [" etl", /must not begin or end with white space/],
      ["etl\t", /must not begin or end with white space/],
      ["a\u001b[2J", /must not contain control characters/],
    ] as const
  ) match(problemsOf(job({ Name: name })), why, name);
});

Deno.test("parseJob() takes ordinary names as they are, and a job's own id", () => {
  const names = [
    ...["etl", "etl-2026-03", "My job (2)", "日本の仕事", "j-etl", "e-mail", "n-body", "a.b:c", "deadbeef01"],
    "j-9bdafa4b-1111-4222-8333-444444444444",
  ];
  for (const name of names) equal(parseJob(job({ Name: name })).spec.name, name);
});

Deno.test("parseJob() makes no name of an id that a server has made", () => {
  equal(parseJob(job({ Name: "", ID: "j-9bdafa4b-1111-4222-8333-444444444444" })).spec.name, "");
  equal(parseJob(job({ Name: "", ID: "etl" })).spec.name, "etl");
});

Deno.test("parseJob() says where a field belongs that was written too high", () => {
  for (
    const [field, path] of [
      ["Timeouts", "Tasks\\[\\]\\.Timeouts"],
      ["totaltimeout", "Tasks\\[\\]\\.Timeouts\\.TotalTimeout"],
      ["Resources", "Tasks\\[\\]\\.Resources"],
      ["Env", "Tasks\\[\\]\\.Env"],
    ]
  ) {
    match(
      problemsOf(job({ [field!]: {} })),
      new RegExp(`${field} is not a known field; did you mean "${path}"`),
    );
  }
  match(problemsOf(job({ Zzzzzzzz: 1 })), /known here: ID, Name, /);
});

Deno.test("parseJob() warns of types that this version does not know, and takes the job", () => {
  const source = (Type: string) => ({ Source: { Type, Params: { x: 1 } }, Target: `/${Type}` });
  const warningsOf = (change: object) => parseJob(job({}, change)).warnings;
  deepEqual(
    warningsOf({
      Engine: { Type: "wsam" },
      Publisher: { Type: "lcoal" },
      InputSources: [source("urlDownload"), source("inlin"), MODULE],
    }),
    [
      'the engine type "wsam" is not known to this version; did you mean "wasm"?',
      'the publisher type "lcoal" is not known to this version; did you mean "local"?',
      'the input type "urlDownload" is not known to this version, which has inline, local',
      'the input type "inlin" is not known to this version; did you mean "inline"?',
    ],
  );
  deepEqual(warningsOf({ Engine: { Type: "WASM", Params: { EntryModule: "/main.wasm" } } }), []);
  deepEqual(warningsOf({ Publisher: { Type: "", Params: null } }), []);
});

Deno.test("parseJob() reads Skerry's own fields natively and from Meta", () => {
  const native = parseJob(
    job({ Retry: { Attempts: 2 }, SuccessExitCodes: [3, 0], StopGrace: "5s", Spread: ["rack"] }),
  );
  const meta = parseJob(job({
    Meta: {
      "skerry/retry": '{"attempts":2}',
      "skerry/successExitCodes": "[3,0]",
      "skerry/stopGrace": "5s",
      "skerry/spread": '["rack"]',
    },
  }));
  deepEqual(native.spec, meta.spec);
  deepEqual(native.spec.retry, { attempts: 2, lostAttempts: 2 });
  deepEqual(native.spec.successExitCodes, [0, 3]);
  equal(native.spec.stopGraceMs, 5000);
  deepEqual(native.spec.spread, ["rack"]);
});

Deno.test("parseJob() lets non-zero exits fail once a retry policy is named", () => {
  deepEqual(parseJob(job({ Retry: { Attempts: 0 } })).spec.successExitCodes, [0]);
  deepEqual(parseJob(job({ Meta: { "skerry/stopGrace": "3" } })).spec.stopGraceMs, 3000);
});

Deno.test("parseJob() stores large inline content by digest and keeps small content", () => {
  const bytes = new Uint8Array(LIMITS.inlineBytes + 1).fill(7);
  const url = (size: number) =>
    `data:application/wasm;base64,${btoa(String.fromCharCode(...bytes.subarray(0, size)))}`;
  const input = (Target: string, size: number) => ({
    Source: { Type: "inline", Params: { URL: url(size) } },
    Target,
  });
  const { spec, contents } = parseJob(job({}, {
    InputSources: [input("/main.wasm", bytes.length), input("/small", LIMITS.inlineBytes)],
  }));
  const digest = digestOf(bytes);
  deepEqual(spec.task.inputs[0]?.source.params, {
    Digest: digest,
    SizeBytes: bytes.length,
    MediaType: "application/wasm",
  });
  deepEqual(contents.get(digest), bytes);
  equal(spec.task.inputs[1]?.source.params.URL, url(LIMITS.inlineBytes));
});

Deno.test("parseJob() keeps at most so much inline content in one spec", () => {
  const url = `data:,${"x".repeat(LIMITS.inlineBytes)}`;
  const InputSources = [
    MODULE,
    ...Array.from(
      { length: 5 },
      (_, at) => ({ Source: { Type: "inline", Params: { URL: url } }, Target: `/in${at}` }),
    ),
  ];
  equal(parseJob(job({}, { InputSources })).contents.size, 1);
});

Deno.test("parseJob() translates Bacalhau's older shape of wasm jobs", () => {
  const { spec } = parseJob({
    Tasks: [{
      Engine: {
        Type: "wasm",
        Params: {
          EntryModule: { Source: MODULE.Source, Alias: "", Target: "" },
          EntryPoint: "run",
          ImportModules: [{ Source: MODULE.Source }],
          EnvironmentVariables: { MODE: "fast" },
        },
      },
    }],
  });
  equal(spec.task.engine.params.EntryModule, "/wasm/entry.wasm");
  equal(spec.task.engine.params.Entrypoint, "run");
  deepEqual(spec.task.engine.params.ImportModules, ["/wasm/imports/module_0.wasm"]);
  deepEqual(spec.task.inputs.map(({ target }) => target), [
    "/wasm/entry.wasm",
    "/wasm/imports/module_0.wasm",
  ]);
  deepEqual(spec.task.env, { MODE: "fast" });
});

Deno.test("parseJob() tells every problem at once, each by its field", () => {
  const text = problemsOf(
    job({ Count: -1, Nmespace: "x" }, { Env: { lower: "x", PORT: 80 }, Resources: { CPU: "-4" } }),
  );
  match(text, /^Cannot accept job "etl": 5 problems\n/);
  match(text, /Nmespace is not a known field; did you mean "Namespace"\?/);
  match(text, /Count must be a whole number from 0 to 100000, current value is -1/);
  match(text, /Tasks\[0\]\.Env\.PORT must be a string \(write it in quotes\), current value is 80/);
  match(text, /Tasks\[0\]\.Env\.lower must have a name of upper-case letters/);
  match(
    text,
    /Tasks\[0\]\.Resources\.CPU must be cores like "500m", "2" or "0.5", at most 100000, current value is "-4"/,
  );
});

const input = (Target: string, more: object = {}) => ({ ...MODULE, Target, ...more });
const inputs = (...more: object[]) => ({ InputSources: [MODULE, ...more] });
const local = (Params: object) => inputs({ Source: { Type: "local", Params }, Target: "/data" });
const results = (...ResultPaths: object[]) => ({ ResultPaths });

/** What is refused, and how it is told. */
const REFUSED: readonly (readonly [what: string, value: unknown, why: RegExp])[] = [
  ["no object", 5, /it must be an object with fields like Name and Tasks, current value is 5/],
  ["a list", [], /it must be an object/],
  ["no tasks", {}, /Tasks must be a list with one task, and is missing/],
  ["an empty list of tasks", { Tasks: [] }, /Tasks must be a list with one task/],
  ["an unknown type", job({ Type: "cron" }), /Type must be one of batch, ops, service, daemon, .*"cron"/],
  [
    "a count for every node",
    job({ Type: "daemon", Count: 2 }),
    /Count must not be given for a job of type daemon/,
  ],
  ["a field twice", { ...job(), name: "x" }, /Name must be given once, and is there in two casings/],
  [
    "control characters in a name",
    job({ Name: "a\u0007b" }),
    /Name must not contain control characters, .*"a\\u0007b"/,
  ],
  ["text that turns around", job({ Name: "a\u202eb" }), /control characters, current value is "a\\u202eb"/],
  ["half a character", job({ Name: "a\ud800" }), /control characters/],
  ["a long name", job({ Name: "x".repeat(300) }), /Name must be at most 256 characters long/],
  ["all namespaces", job({ Namespace: "*" }), /Namespace must not be "\*"/],
  ["a negative priority", job({ Priority: -1 }), /Priority must be a whole number from 0/],
  ["half a partition", job({ Count: 1.5 }), /Count must be a whole number/],
  ["a count as text", job({ Count: "3" }), /Count must be a whole number .*current value is "3"/],
  ["an absurd count", job({ Count: 1e9 }), /Count must be a whole number from 0 to 100000/],
  [
    "a constraint without values",
    job({ Constraints: [{ Key: "a", Operator: "in" }] }),
    /Constraints\[0\]\.Values must have/,
  ],
  [
    "an unknown operator",
    job({ Constraints: [{ Key: "a", Operator: "~" }] }),
    /Operator must be one of =, ==/,
  ],
  [
    "a word to compare",
    job({ Constraints: [{ Key: "a", Operator: "gt", Values: ["x"] }] }),
    /must be a whole number/,
  ],
  ["an unknown field of Skerry's", job({ Meta: { "skerry/retri": "1" } }), /did you mean "skerry\/retry"/],
  [
    "no JSON where JSON must be",
    job({ Meta: { "skerry/retry": "two" } }),
    /must be JSON like \{"attempts":2\}/,
  ],
  [
    "a code to retry on",
    job({ Retry: { On: ["no_such_code"] } }),
    /Retry\.On\[0\] must be an exit code, or an error code/,
  ],
  ["a node to retry on", job({ Retry: { Node: "n-1" } }), /Retry\.Node must be one of any, other, same/],
  ["a signal", job({ StopSignal: "SIGFOO" }), /StopSignal must be one of SIGTERM, SIGINT/],
  [
    "a signal for a module",
    job({ StopSignal: "SIGINT" }),
    /StopSignal must not be given for the engine wasm: a module has no signals/,
  ],
  [
    "a check in a module",
    job({ Health: { Exec: { Command: ["true"] } } }),
    /Health\.Exec must not be given for the engine wasm/,
  ],
  ["a check that never ends", job({ Health: { Interval: 0 } }), /Health\.Interval must be from one second/],
  [
    "pauses that contradict each other",
    job({ Restart: { Delay: "2m", MaxDelay: "1m" } }),
    /Restart\.MaxDelay must not be shorter than Delay/,
  ],
  [
    "a restart of what must not run twice",
    job({ Retry: { LostAttempts: 0 }, OnAgentRestart: "restart" }),
    /OnAgentRestart must not be "restart" where Retry\.LostAttempts is 0/,
  ],
  [
    "an update of what ends",
    job({ Update: { MaxParallel: 2 } }),
    /Update must be given for jobs of type service and daemon only/,
  ],
  [
    "no progress at all",
    job({ Type: "service", Update: { ProgressDeadline: 0 } }),
    /Update\.ProgressDeadline must be more than 0/,
  ],
  [
    "a service with a time-out",
    job({ Type: "service" }, { Timeouts: { ExecutionTimeout: 5 } }),
    /Timeouts\.ExecutionTimeout must not be given for a job of type service/,
  ],
  [
    "too many attempts",
    job({ Retry: { Attempts: 1000 } }),
    /Retry\.Attempts must be a whole number from 0 to 100/,
  ],
  ["a long stop", job({ StopGrace: "2h" }), /StopGrace must be from 0 to one hour/],
  [
    "an engine without a name",
    job({}, { Engine: { Type: "" } }),
    /Engine\.Type must be an engine such as "wasm"/,
  ],
  [
    "a module that is no input",
    job({}, inputs().InputSources && { InputSources: [] }),
    /EntryModule must be the Target/,
  ],
  [
    "a path out of the task",
    job({}, inputs(input("/a/../b"))),
    /InputSources\[1\]\.Target must not contain "\.\."/,
  ],
  ["the root as a target", job({}, inputs(input("/"))), /Target must be a path below \//],
  ["one target twice", job({}, inputs(input("/main.wasm"))), /Target must be used by one input/],
  [
    "a target in another",
    job({}, inputs(input("/a"), input("/a/b"))),
    /Target must not overlap another input's/,
  ],
  [
    "an alias twice",
    job({}, inputs(input("/a", { Alias: "x" }), input("/b", { Alias: "x" }))),
    /Alias must be used once/,
  ],
  [
    "no target",
    job({}, inputs({ Source: MODULE.Source })),
    /Target must be a path in the task, and is missing/,
  ],
  [
    "no data URL",
    job({}, inputs(input("/a", { Source: { Type: "inline", Params: { URL: "x" } } }))),
    /must be a data: URL/,
  ],
  [
    "a bad digest",
    job({}, inputs(input("/a", { Source: { Type: "inline", Params: { Digest: "x" } } }))),
    /"sha256:"/,
  ],
  ["a relative local path", job({}, local({ SourcePath: "x" })), /SourcePath must be an absolute path/],
  ["a local path out", job({}, local({ SourcePath: "/a/../../etc" })), /SourcePath must not contain "\.\."/],
  [
    "an unknown local field",
    job({}, local({ SourcePath: "/a", Readwrit: true })),
    /did you mean "ReadWrite"/,
  ],
  ["a relative result path", job({}, results({ Name: "o", Path: "out" })), /Path must be an absolute path/],
  [
    "a result path in an input",
    job({}, { ...inputs(input("/in")), ...results({ Name: "o", Path: "/in/o" }) }),
    /must not be in the input "\/in"/,
  ],
  [
    "a result with a taken name",
    job({}, results({ Name: "stdout", Path: "/o" })),
    /must not be stdout, stderr or exitCode/,
  ],
  [
    "a result of the engine's name",
    job({}, results({ Name: ".engine", Path: "/o" })),
    /must not be .* \.engine/,
  ],
  [
    "a result name that no disk takes",
    job({}, results({ Name: "é".repeat(128), Path: "/o" })),
    /must be at most 255 bytes long/,
  ],
  ["a result name with a slash", job({}, results({ Name: "../x", Path: "/o" })), /usable as a folder name/],
  [
    "two results of one name",
    job({}, results({ Name: "o", Path: "/o" }, { Name: "o", Path: "/p" })),
    /must be used once/,
  ],
  ["absurd memory", job({}, { Resources: { Memory: "2PiB" } }), /Memory must be bytes like .* at most 1PiB/],
  ["a negative GPU", job({}, { Resources: { GPU: "-1" } }), /GPU must be a whole number from 0 to 4096/],
  ["a reserved variable", job({}, { Env: { BACALHAU_X: "1" } }), /does not begin with BACALHAU_/],
  ["an empty variable", job({}, { Env: { X: "" } }), /Env\.X must not be empty/],
  [
    "time-outs that do not add up",
    job({}, { Timeouts: { TotalTimeout: 5, QueueTimeout: 10 } }),
    /0s, 10s and 5s/,
  ],
  ["a negative time-out", job({}, { Timeouts: { TotalTimeout: -1 } }), /TotalTimeout must be whole seconds/],
  [
    "domains without a gateway",
    job({}, { Network: { Domains: ["a.com"] } }),
    /unless the network type is "HTTP"/,
  ],
  [
    "no domain",
    job({}, { Network: { Type: "HTTP", Domains: ["a.org", "localhost"] } }),
    /Domains\[1\] must be a domain/,
  ],
  [
    "a domain with a port that is none",
    job({}, { Network: { Type: "HTTP", Domains: ["a.org:70000"] } }),
    /must have a port up to 65535/,
  ],
  [
    "ports without a network",
    job({}, docker({ Ports: [{ Name: "http" }] })),
    /Ports must be empty unless it is a container with the network type "Bridge" or "Host"/,
  ],
  [
    "a module's ports",
    job({}, { Network: { Type: "Host", Ports: [{ Name: "http" }] } }),
    /Ports must be empty/,
  ],
  ["a port's name", job({}, bridge({ Name: "a-b" })), /Ports\[0\]\.Name must be letters/],
  [
    "two ports of a name",
    job({}, bridge({ Name: "a" }, { Name: "a" })),
    /Ports\[1\]\.Name must be used once/,
  ],
  ["a privileged port", job({}, bridge({ Name: "a", Static: 80 })), /Static must not be below 1024/],
  [
    "a port beyond",
    job({}, bridge({ Name: "a", Target: 65536 })),
    /Target must be a whole number from 0 to 65535/,
  ],
  [
    "a port twice",
    job({}, bridge({ Name: "a", Static: 8080 }, { Name: "b", Static: 8080 })),
    /Ports\[1\]\.Static must be used once/,
  ],
  [
    "a target twice",
    job({}, bridge({ Name: "a", Target: 80 }, { Name: "b", Target: 80 })),
    /Ports\[1\]\.Target must be used once/,
  ],
  [
    "a target in the host's network",
    job({}, docker({ Type: "Host", Ports: [{ Name: "a", Target: 80 }] })),
    /Target must not be set unless the network type is "Bridge"/,
  ],
  [
    "a port's address",
    job({}, bridge({ Name: "a", HostNetwork: "eth0" })),
    /HostNetwork must be an IP address of the node/,
  ],
  [
    "an unknown network",
    job({}, { Network: { Type: "wifi" } }),
    /Network\.Type must be one of Default, None/,
  ],
  [
    "a large spec",
    job({ Meta: { a: "x".repeat(100_000), b: "x".repeat(100_000), c: "x".repeat(100_000) } }),
    /bytes as JSON/,
  ],
  [
    "many values",
    job({ Meta: Object.fromEntries(Array.from({ length: 30_000 }, (_, at) => [`k${at}`, "v"])) }),
    /at most 20000 values/,
  ],
];

for (const [what, value, why] of REFUSED) {
  Deno.test(`parseJob() refuses ${what}`, () => match(problemsOf(value), why));
}

Deno.test("parseJob() refuses deep nesting, circles and values that are not JSON", () => {
  let deep: unknown = {};
  for (let depth = 0; depth < 10_000; depth++) deep = { a: deep };
  match(problemsOf(job({ Meta: deep })), /nested at most 32 deep/);
  const circle: Record<string, unknown> = {};
  circle.Meta = circle;
  match(problemsOf(circle), /nested at most 32 deep/);
  match(problemsOf(job({ Priority: NaN })), /must be a finite number/);
  match(problemsOf(job({ Priority: 1n })), /must be a JSON value, and is a bigint/);
  match(problemsOf(job({ Meta: new Map() })), /must be a plain object/);
  match(
    problemsOf(JSON.parse('{"Meta": {"__proto__": {"x": 1}}, "Tasks": []}')),
    /must not have a field "__proto__"/,
  );
});

Deno.test("parseJob() says where in its text a problem is", () => {
  try {
    parseJob(job({ Count: -1 }), { locate: () => ({ line: 7, column: 3 }) });
    ok(false);
  } catch (error) {
    match(String(error), /Cannot accept job "etl": line 7, column 3: Count must be/);
  }
});

Deno.test("parseJob() guesses a key of Skerry's own in Meta only where one is near", () => {
  match(problemsOf(job({ Meta: { "skerry/retri": "{}" } })), /did you mean "skerry\/retry"\?/);
  match(
    problemsOf(job({ Meta: { "skerry/bogus": "{}" } })),
    /is not a known field; known here: skerry\/retry, /,
  );
});

Deno.test("parseJob() warns of a network that a module is asked for, and does not get", () => {
  const warnings = (Type: string) => parseJob(job({}, { Network: { Type } })).warnings;
  deepEqual(warnings("Bridge"), ['the engine "wasm" gives no network: Network.Type changes nothing']);
  deepEqual([...warnings("None"), ...warnings("Default")], []);
});

Deno.test("parseJob() counts in words", () => {
  const withCommand = (Command: string[]) => job({ Type: "service", Health: { Exec: { Command } } });
  match(problemsOf(withCommand([])), /must be at least 1 item long/);
  match(problemsOf(withCommand(Array(999).fill("x"))), /must be at most \d+ items long/);
});

Deno.test("parseJob() warns of amounts whose unit was forgotten", () => {
  deepEqual(parseJob(job({}, { Resources: { Memory: "512", Disk: "64Mb" } })).warnings, [
    "Resources.Memory is 512 bytes: was a unit meant, such as 512Mb?",
  ]);
});

Deno.test("parseJob() names problems in the order of the text", () => {
  const lines = new Map([["Countt", 9], ["Priority", 2], ["Count", 4]]);
  try {
    parseJob(job({ Count: -1, Countt: 1, Priority: "high" }), {
      locate: ([field]) => ({ line: lines.get(String(field)) ?? 1, column: 1 }),
    });
    ok(false);
  } catch (error) {
    match(String(error), /line 2.*Priority[^]*line 4.*Count [^]*line 9.*Countt/);
  }
});

Deno.test("parseJob() names what a container cannot be started with", () => {
  const withParams = (Params: unknown) => job({ Tasks: [{ Engine: { Type: "docker", Params } }] });
  match(problemsOf(withParams({})), /Tasks\[0\].Engine.Params.Image must be the name of an image/);
  const problems = problemsOf(withParams({ image: "BAD", Paramaters: ["x"], Entrypoint: "sh", User: 1000 }));
  match(problems, /Params.Image must be written as \[REGISTRY/);
  match(problems, /Params.Paramaters is not a known field; did you mean "Parameters"/);
  match(problems, /Params.Entrypoint must be a list of strings/);
  doesNotMatch(problems, /User/);
});

Deno.test("parseJob() accepts what Bacalhau's own client sends for a wasm job", () => {
  const { warnings } = parseJob({
    ID: "",
    Name: "",
    Namespace: "default",
    Type: "batch",
    Priority: 0,
    Count: 1,
    Constraints: null,
    Meta: null,
    Labels: null,
    Tasks: [{
      Name: "main",
      Engine: {
        Type: "wasm",
        Params: { EntryModule: "main.wasm", Entrypoint: "_start", ImportModules: [], Parameters: [] },
      },
      Publisher: { Type: "" },
      InputSources: [{ Source: MODULE.Source, Alias: "", Target: "main.wasm" }],
      Resources: {},
      Network: { Type: "Default" },
      Timeouts: {},
    }],
    State: { StateType: "Undefined" },
    Version: 0,
    Revision: 0,
    CreateTime: 0,
    ModifyTime: 0,
  });
  deepEqual(warnings, []);
});

Deno.test("what a node does by itself is read, complete, and written as it was", () => {
  const docker = { Engine: { Type: "docker", Params: { Image: "web" } } };
  const network = { Type: "Bridge", Ports: [{ Name: "web", Target: 80 }] };
  const { spec } = parseJob(job({
    Type: "daemon",
    Restart: { Delay: "2m" },
    OnAgentRestart: "Restart",
    StopSignal: "quit",
    Health: { HTTP: { Port: "web" }, Exec: { Command: ["check", "-q"] }, Retries: 2 },
  }, { ...docker, Network: network }));
  deepEqual(spec.restart, {
    attempts: 10,
    intervalMs: 600_000,
    delayMs: 120_000,
    maxDelayMs: 120_000,
    mode: "delay",
  });
  deepEqual([spec.onAgentRestart, spec.stopSignal], ["restart", "SIGQUIT"]);
  deepEqual(spec.health, {
    minHealthyMs: 10_000,
    startPeriodMs: 0,
    intervalMs: 10_000,
    timeoutMs: 5_000,
    retries: 2,
    http: { port: "web", path: "/" },
    exec: { command: ["check", "-q"] },
  });
  deepEqual(parseJob(formatSpec(spec)).spec, spec);
  deepEqual(parseJob(job({ Restart: { Attempts: 2 } })).spec.successExitCodes, [0]);
});

Deno.test("a check by HTTP needs a network that can be reached, and a port that is there", () => {
  const docker = { Engine: { Type: "docker", Params: { Image: "web" } } };
  const why = (network: unknown, http: unknown) => {
    try {
      parseJob(job({ Type: "service", Health: { HTTP: http } }, { ...docker, Network: network }));
    } catch (error) {
      return (error as Error).message;
    }
  };
  match(
    why({ Type: "None" }, { Port: 80 }) ?? "",
    /Health\.HTTP must not be given with the network None/,
  );
  match(
    why({ Type: "Bridge" }, { Port: "web" }) ?? "",
    /Health\.HTTP\.Port must be a port, or the name/,
  );
  match(
    why({ Type: "Bridge" }, { Port: 80, Path: "x" }) ?? "",
    /Health\.HTTP\.Path must begin with \//,
  );
  equal(why({ Type: "Bridge" }, { Port: 80, Path: "/healthz" }), undefined);
});
