/** `job explain`: its HTTP answers on a whole node, and what the command line makes of them. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { describeExplanation } from "../../cli/job_explain.ts";
import { asRecord } from "../../cli/wire.ts";
import * as shapes from "../../orchestrator/http/explain_shapes.ts";
import { assertGolden } from "../support/golden.ts";
import { aTerminal } from "../support/terminal.ts";
import { waitUntil } from "../support/wait_until.ts";
import { type HttpNode, scriptedJob, startHttpNode } from "./http_node.ts";

async function submit(node: HttpNode, job: Record<string, unknown>): Promise<string> {
  const { status, json } = await node.ask("PUT", "/orchestrator/jobs", { body: { Job: job } });
  equal(status, 200, JSON.stringify(json));
  return json.JobID;
}

async function explained(node: HttpNode, id: string, query = "") {
  const { status, json } = await node.ask("GET", `/orchestrator/jobs/${id}/explain${query}`);
  equal(status, 200, JSON.stringify(json));
  shapes.JobExplanation.parse(json);
  return json;
}

Deno.test("an explanation: where it runs and why there, by name, id or the beginning of an id", async () => {
  await using node = await startHttpNode();
  const id = await submit(node, scriptedJob(["hold"], { Name: "here" }));
  await waitUntil("the task runs", () => node.engine.running.length === 1);
  const json = await waitUntil("it is known", async () => {
    const told = await explained(node, "here");
    return told.Executions.Items[0]?.State === "running" ? told : undefined;
  });
  equal(json.Job.ID, id);
  const [execution] = json.Executions.Items;
  match(execution.Why, /^the only node that fitted, of 1 known: it had room at once; /);
  ok(execution.AgeMs >= 0 && json.NodeItems[0].AgeMs >= 0 && json.Job.AgeMs >= 0);
  deepEqual([json.Nodes.Known, json.NodeItems[0].Verdict, json.NextToken], [1, "fits", ""]);
  equal((await explained(node, id.slice(0, 10))).Job.ID, id);
  const missing = await node.ask("GET", "/orchestrator/jobs/nothing/explain");
  equal(missing.status, 404);
});

Deno.test("an explanation of what waits: reasons with figures, what would change them, when it gives up", async () => {
  await using node = await startHttpNode();
  const [task] = scriptedJob().Tasks as Record<string, unknown>[];
  const Tasks = [{ ...task, Resources: { CPU: "9" }, Timeouts: { QueueTimeout: 600 } }];
  const id = await submit(node, { Tasks, Constraints: [{ Key: "zone", Operator: "=", Values: ["b"] }] });
  const json = await waitUntil("it is blocked", async () => {
    const told = await explained(node, id);
    return told.Waiting?.Status === "blocked" ? told : undefined;
  });
  ok(json.Waiting.FailsInMs > 500_000 && json.Waiting.AgeMs >= 0);
  deepEqual([json.Waiting.Unplaced, json.Waiting.Partitions, json.Waiting.AheadCount], [1, [0], 0]);
  const [only] = json.NodeItems;
  equal(only.Verdict, "cannot");
  deepEqual(
    only.Reasons.map(({ Filter, Reason, IsLasting }: Record<string, unknown>) => [Filter, Reason, IsLasting]),
    [
      ["constraints", "labels don't match required selectors zone=b (zone=a)", true],
      ["size", "job requires more CPU (9) than the maximum available (4)", true],
    ],
  );
  equal((await explained(node, id, "?limit=0")).NodeItems.length, 0);
});

const id = (kind: string, number: number) => `${kind}-0000000${number}-0000-4000-8000-000000000000`;
const aged = (seconds: number) => ({ AgeMs: seconds * 1000, ObservedAt: "2026-03-01T12:00:00.000Z" });

const aReason = (Filter: string, Reason: string, Remedy: string) => ({
  Filter,
  Reason,
  Remedy,
  IsLasting: true,
});
const ROOM = aReason("room", "asks for 4 GiB memory, 1.9 GiB free of 8 GiB", "Earlier work there ends");
const SIZE = aReason("size", "job requires more CPU (8) than the maximum available (4)", "Ask for less");

const anExecution = (number: number, change: Record<string, unknown>) => ({
  ID: id("e", number),
  ...{ JobVersion: 2, PartitionIndex: number, Attempt: 0, NodeID: id("n", 1), NodeName: "pier-7" },
  ...{ State: "running", IsToStop: false, Message: "", Hint: "", PlacedAt: "2026-03-01T11:00:00.000Z" },
  Why: "the only node that fitted, of 2 known: it had room at once",
  ...aged(90),
  ...change,
});

const aJob = (change: Record<string, unknown>) => ({
  ...{ ID: id("j", 1), Name: "etl", Namespace: "default", Type: "batch", Version: 2, Count: 3, Completed: 0 },
  ...{ State: "Running", Message: "", Hint: "", ...aged(42), ...change },
});

Deno.test("an explanation as people read it", async () => {
  const show = (wire: Record<string, unknown>, change = {}) => {
    shapes.JobExplanation.parse(wire);
    return describeExplanation(asRecord(wire), {
      ...{ terminal: aTerminal({ columns: 130 }), isWide: false, hasAllNodes: false },
      ...change,
    });
  };
  const nodes = [
    { NodeID: id("n", 2), Name: "", Verdict: "cannot", Reasons: [SIZE, ROOM], ...aged(7000) },
    { NodeID: id("n", 1), Name: "pier-7", Verdict: "full", Reasons: [ROOM], LeftAloneMs: 4000, ...aged(2) },
    { NodeID: id("n", 3), Name: "b\x1b[31mad\nname", Verdict: "fits", Reasons: [], ...aged(2) },
  ];
  const groupOf = (Verdict: string, Reason: unknown, NodeCount: number, ReasonCount = 1) => ({
    ...{ Verdict, Reason, NodeCount, ReasonCount },
    NodeIDs: [id("n", 1), id("n", 2), id("n", 3)],
  });
  const waiting = {
    Job: aJob({
      State: "Queued",
      Message: "not enough nodes to run job.\n• Node n-1: busy",
      Hint: "Wait",
      TimesOutInMs: 600_000,
    }),
    Waiting: {
      ...{ Unplaced: 2, Partitions: [1, 2], Status: "blocked", AheadCount: 7 },
      NextLook: "as soon as room is free",
      FailsInMs: 90_000,
      Ahead: [{ ID: id("j", 3), Name: "first" }, { ID: id("j", 4), Name: id("j", 4) }],
      ...aged(200),
    },
    Executions: {
      ...{ Live: 1, Unsuccessful: 40 },
      Items: [
        anExecution(0, {}),
        anExecution(1, { State: "failed", Message: "The module ended by a trap", Attempt: 1, ...aged(220) }),
        anExecution(0, { State: "running", JobVersion: 1, IsToStop: true }),
        anExecution(2, {
          State: "queued",
          Behind: { Running: 2, Waiting: 1, Jobs: [{ ID: id("j", 3), Name: "first" }] },
        }),
      ],
    },
    Nodes: { Known: 3, Fit: 1, Groups: [groupOf("cannot", SIZE, 1), groupOf("full", ROOM, 1)] },
    NodeItems: nodes,
    NextToken: "",
  };
  const many = {
    ...waiting,
    Executions: { Live: 0, Unsuccessful: 0, Items: [] },
    Nodes: {
      ...{ Known: 10_000, Fit: 400 },
      Groups: [
        groupOf("fits", undefined, 400),
        groupOf("full", ROOM, 9_000),
        groupOf("cannot", SIZE, 600, 55),
      ],
    },
    NextToken: id("n", 3),
  };
  const Rollout = {
    ...{
      State: "rolling",
      Up: 1,
      GoodVersion: 1,
      RolledBackFrom: 3,
      Message: "version 3 will not do: exit 1",
    },
    ...aged(95),
  };
  const pausing = {
    Rollout,
    ...{ ...waiting, Job: aJob({ Type: "service", Count: 1 }) },
    Waiting: {
      ...waiting.Waiting,
      Unplaced: 0,
      Partitions: [],
      Status: "pausing",
      AgainInMs: 8000,
      FailsInMs: undefined,
    },
    Executions: { Live: 0, Unsuccessful: 1, Items: [waiting.Executions.Items[1]] },
  };
  const done = {
    ...{ ...waiting, Job: aJob({ State: "Completed", Completed: 3, Count: 3 }), Waiting: undefined },
    Executions: {
      Live: 0,
      Unsuccessful: 0,
      Items: [0, 1].map((at) => anExecution(at, { State: "completed" })),
    },
  };
  const none = { ...waiting, Executions: { Live: 0, Unsuccessful: 0, Items: [] } };
  const texts = [
    show(waiting),
    show(waiting, { isWide: true, terminal: aTerminal() }),
    show(many),
    show(pausing),
    show(done),
    show({ ...none, Nodes: { Known: 0, Fit: 0, Groups: [] }, NodeItems: [] }),
  ];
  await assertGolden("cli/job_explain.txt", texts.join("\n\n---\n\n") + "\n");
});
