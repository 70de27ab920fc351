/** What the command line makes of answers: lists, descriptions, and how hostile text is shown. */
import { describeJob } from "../../cli/job_describe.ts";
import { columns as historyColumns } from "../../cli/job_history.ts";
import type { LastOutput } from "../../cli/last_output.ts";
import { columns as jobColumns } from "../../cli/job_list.ts";
import { describeNode } from "../../cli/node_describe.ts";
import { formatTable } from "../../cli/table.ts";
import { readEvent, readExecution, readJob, readNode } from "../../cli/wire.ts";
import { assertGolden } from "../support/golden.ts";
import { aTerminal } from "../support/terminal.ts";

const NOW_MS = Date.UTC(2026, 2, 1, 12);
const terminal = aTerminal();
/** Nanoseconds of so many seconds ago, as a server tells them. */
const ago = (seconds: number) => BigInt(NOW_MS - seconds * 1000) * 1_000_000n;
const time = (seconds: number) => new Date(NOW_MS - seconds * 1000).toISOString();
const id = (kind: string, number: number) => `${kind}-0000000${number}-0000-4000-8000-000000000000`;

const aJob = (number: number, change: Record<string, unknown> = {}) =>
  readJob({
    ID: id("j", number),
    Name: `etl-${number}`,
    Namespace: "default",
    Type: "batch",
    Count: 3,
    Priority: 0,
    State: { StateType: "Running" },
    Tasks: [{ Engine: { Type: "wasm" } }],
    CreateTime: ago(3700),
    ModifyTime: ago(42),
    ...change,
  });

const anExecution = (number: number, change: Record<string, unknown> = {}) =>
  readExecution({
    ID: id("e", number),
    JobID: id("j", 1),
    NodeID: id("n", 1),
    PartitionIndex: number,
    ComputeState: { StateType: 6, Details: { Phase: "running" } },
    DesiredState: { StateType: 1 },
    CreateTime: ago(100),
    ModifyTime: ago(40 - number),
    ...change,
  });

const ended = (Phase: string, ExitCode: number, more: Record<string, unknown> = {}) => ({
  ComputeState: { StateType: 9, Message: more.Message, Details: { Phase, Hint: more.Hint } },
  RunOutput: { ExitCode, Stdout: more.Stdout ?? "", stderr: more.stderr ?? "" },
});

const EVENTS = [
  ["Submission", "Job submitted", undefined],
  ["Scheduling", "Requested execution on n-00000001", id("e", 0)],
  ["State Update", "Running", undefined],
].map(([Topic, Message, ExecutionID], at) =>
  readEvent({
    Type: ExecutionID ? "ExecutionLevel" : "JobLevel",
    ExecutionID,
    Time: time(100 - at * 10),
    Event: { Topic, Message, Details: at === 1 ? { Hint: "See the node" } : undefined },
  })
);

Deno.test("a list of jobs", async () => {
  const rows = [
    aJob(1),
    aJob(2, { State: { StateType: "Failed", Message: "not enough nodes\nn-1: no" }, Labels: { team: "a" } }),
    aJob(3, {
      Name: "日本の\x1b[31m仕事\n",
      State: { StateType: "Completed" },
      ModifyTime: ago(200_000),
      Count: 1200,
    }),
  ];
  const wide = formatTable(rows, { columns: jobColumns(terminal, NOW_MS), terminal });
  const usual = jobColumns(terminal, NOW_MS).filter((column) => !("isWide" in column));
  const narrow = formatTable(rows, { columns: usual, terminal: aTerminal({ columns: 60 }) });
  await assertGolden("cli/job_list.txt", `${narrow}\n\n${wide}\n`);
});

Deno.test("descriptions of jobs: running, waiting, completed with bad exit codes, failed", async () => {
  const describe = (
    job: ReturnType<typeof aJob>,
    executions: ReturnType<typeof anExecution>[],
    last?: LastOutput,
    isWide = false,
  ) => describeJob({ job, executions, events: EVENTS, last, terminal, nowMs: NOW_MS, isWide });
  const task = {
    Name: "main",
    Engine: {
      Type: "wasm",
      Params: {
        EntryModule: "/main.wasm",
        Entrypoint: "_start",
        Parameters: ["--name", "Ada L.", "it's"],
        ImportModules: [],
      },
    },
    Publisher: { Type: "local", Params: {} },
    Env: { MODE: "fast", TEXT: "a\x1b[2Jb" },
    InputSources: [
      { Source: { Type: "local", Params: { SourcePath: "/srv/data", ReadWrite: true } }, Target: "/inputs" },
      {
        Source: { Type: "inline", Params: { Digest: "sha256:00", SizeBytes: 120_000 } },
        Target: "/main.wasm",
      },
    ],
    ResultPaths: [{ Name: "outputs", Path: "/outputs" }],
    Resources: { CPU: "200m", Memory: "64MB" },
    Network: { Type: "HTTP", Domains: ["example.org"] },
    Timeouts: { ExecutionTimeout: 90, TotalTimeout: 3600 },
  };
  const asks = {
    Tasks: [task],
    Constraints: [{ Key: "region", Operator: "in", Values: ["eu", "us"] }, {
      Key: "old",
      Operator: "!",
      Values: [],
    }],
    Retry: { Attempts: 2, LostAttempts: 2 },
    SuccessExitCodes: [0, 3],
    StopGrace: "30s",
    Meta: { team: "a" },
  };
  const waiting = { StateType: "Queued", Message: "not enough nodes with room: 1 of 1 is busy" };
  const failed = {
    StateType: "Failed",
    Message: "partition 1: The module ended by a trap",
    Details: { Hint: "See stderr" },
  };
  const texts = [
    describe(aJob(1), [
      anExecution(0, ended("completed", 0)),
      anExecution(1),
      anExecution(2, { ComputeState: { StateType: 5, Details: { Phase: "queued" } } }),
    ], { partition: 0, stdout: "hello\nworld\n", stderr: "" }),
    describe(aJob(5, { State: { StateType: "Pending" }, Count: 1 }), [
      anExecution(0, { ComputeState: { StateType: 5, Details: { Phase: "queued" } } }),
    ]),
    describe(aJob(2, { State: waiting, Labels: { team: "a" }, Priority: 5 }), []),
    describe(aJob(3, { State: { StateType: "Completed" } }), [
      anExecution(0, ended("completed", 0)),
      anExecution(1, ended("completed", 3)),
      anExecution(2, ended("completed", 3)),
    ], { partition: 1, stdout: "", stderr: "bad \x1b[2Jinput\n" }),
    describe(aJob(4, { State: failed, Version: 2 }), [
      anExecution(0, { ...ended("stopped", -1, { Message: "Execution stopped due to job failure" }) }),
      anExecution(1, ended("failed", 1, { Message: "The module ended by a trap", Hint: "See stderr" })),
      anExecution(2, { ...ended("stopped", -1, { Message: "Execution stopped due to job failure" }) }),
    ]),
    describe(aJob(6, asks), [], undefined, true),
  ];
  await assertGolden("cli/job_describe.txt", texts.join("\n\n---\n\n") + "\n");
});

Deno.test("a history", async () => {
  await assertGolden(
    "cli/job_history.txt",
    `${formatTable(EVENTS, { columns: historyColumns(NOW_MS), terminal })}\n`,
  );
});

Deno.test("a node", async () => {
  const node = readNode({
    Info: {
      NodeID: id("n", 1),
      Labels: { name: "pier-7", os_type: "linux" },
      SkerryVersion: "0.1.0",
      Absent: { docker: "no engine answers at /var/run/docker.sock" },
      ComputeNodeInfo: {
        ExecutionEngines: ["wasm"],
        StorageSources: ["inline", "local"],
        Publishers: ["local"],
        MaxCapacity: { CPU: 1.6, Memory: 4e9, Disk: 2e10, GPU: 1 },
        AvailableCapacity: { CPU: 1, Memory: 3.5e9, Disk: 2e10 },
        RunningExecutions: 1,
      },
    },
    Membership: "APPROVED",
    Drain: { State: "draining", Since: time(60), DeadlineLeftMs: 540_000, Reason: "new kernel" },
    Connection: "DISCONNECTED",
    ConnectionState: { LastHeartbeat: time(300), DisconnectedSince: time(240), LastError: "link lost" },
  });
  await assertGolden("cli/node_describe.txt", `${describeNode(node, { terminal, nowMs: NOW_MS })}\n`);
});
