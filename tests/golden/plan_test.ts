/** `job plan`: its HTTP answers on a whole node, its exit codes, and what the command line makes of an answer. */
import { deepEqual, equal, match } from "node:assert/strict";
import { describePlan } from "../../cli/job_plan.ts";
import { asRecord } from "../../cli/wire.ts";
import * as shapes from "../../orchestrator/http/explain_shapes.ts";
import { EXIT } from "../../shared/errors.ts";
import { assertGolden } from "../support/golden.ts";
import { skerry } from "../support/node_process.ts";
import { aTerminal } from "../support/terminal.ts";
import { waitUntil } from "../support/wait_until.ts";
import { type HttpNode, scriptedJob, startHttpNode } from "./http_node.ts";

async function planned(node: HttpNode, job: Record<string, unknown>, change = {}) {
  const { status, json } = await node.ask("PUT", "/orchestrator/jobs/plan", {
    body: { Job: job, ...change },
  });
  equal(status, 200, JSON.stringify(json));
  shapes.SubmissionPlan.parse(json);
  return json;
}

Deno.test("a plan: a new job, the same again, a new version; its diff is that of /jobs/diff", async () => {
  await using node = await startHttpNode();
  const job = scriptedJob(["hold"], { Name: "etl", Count: 2 });
  const fresh = await planned(node, job);
  deepEqual([fresh.Action, fresh.Version, fresh.Executions, fresh.Places.length], ["create", 1, 2, 2]);
  deepEqual([fresh.Places[0].Verdict, fresh.Nodes.Known, fresh.Stops.Count], ["fits", 1, 0]);
  equal((await node.ask("GET", "/orchestrator/jobs")).json.Items.length, 0);
  const submitted = await node.ask("PUT", "/orchestrator/jobs", { body: { Job: job } });
  await waitUntil("the tasks run", () => node.engine.running.length === 2);
  const same = await planned(node, job);
  deepEqual([same.Action, same.Known.ID, same.Diff], ["none", submitted.json.JobID, ""]);
  equal((await planned(node, job, { Force: true })).Action, "update");
  const changed = { ...job, Priority: 7 };
  const update = await planned(node, changed);
  deepEqual([update.Action, update.Version, update.Stops.Count], ["update", 2, 2]);
  const diff = await node.ask("PUT", "/orchestrator/jobs/diff", { body: { Job: changed } });
  equal(update.Diff, diff.json.Diff);
  match(update.Diff, /\+ {3}"Priority": 7,/);
  equal((await node.ask("GET", "/orchestrator/jobs/etl/versions")).json.Items.length, 1);
  const wrong = await node.ask("POST", "/orchestrator/jobs/plan", { body: { Job: { Name: "x" } } });
  deepEqual([wrong.status, wrong.json.Details.code], [400, "invalid"]);
});

Deno.test("job plan exits with 8 for changes only when asked, with 0 for none, and errors keep their codes", async () => {
  await using node = await startHttpNode();
  const folder = await Deno.makeTempDir({ prefix: "skerry-plan-" });
  const file = `${folder}/job.json`;
  const env = { SKERRY_API: node.url, SKERRY_CONFIG: `${folder}/config.yaml` };
  const write = (job: unknown) => Deno.writeTextFile(file, JSON.stringify(job));
  const code = async (...flags: string[]) => (await skerry(["job", "plan", file, ...flags], { env })).code;
  const job = scriptedJob([], { Name: "etl" });
  try {
    await write(job);
    equal(await code("--detailed-exitcode"), EXIT.changes);
    const { code: plain, stdout } = await skerry(["job", "plan", file, "-o", "name"], { env });
    deepEqual([plain, stdout], [EXIT.ok, "create\n"]);
    equal((await skerry(["job", "run", file, "--no-wait"], { env })).code, EXIT.ok);
    equal(await code("--detailed-exitcode"), EXIT.ok);
    equal(await code("--detailed-exitcode", "--force"), EXIT.changes);
    equal(await code("--detailed-exitcode", "--namespace", "other"), EXIT.changes);
    await write({ ...job, Cout: 2 });
    equal(await code("--detailed-exitcode"), EXIT.usage);
    equal(
      (await skerry(["job", "plan", `${folder}/none`, "--detailed-exitcode"], { env })).code,
      EXIT.notFound,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const id = (kind: string, number: number) => `${kind}-0000000${number}-0000-4000-8000-000000000000`;
const aged = (seconds: number) => ({ AgeMs: seconds * 1000, ObservedAt: "2026-03-01T12:00:00.000Z" });
const ROOM = {
  ...{ Filter: "room", Reason: "asks for 2 cores, 1 free of 4; it would wait there", IsLasting: false },
  Remedy: "Earlier work there ends",
};

const aPlace = (partition: number, node: number, isBusy: boolean) => ({
  ...{ PartitionIndex: partition, NodeID: id("n", node), NodeName: node === 1 ? "pier-7" : "" },
  ...{ Verdict: isBusy ? "busy" : "fits", Reasons: isBusy ? [ROOM] : [] },
  Why: "best of 2 nodes that fitted, of 2 known",
});

const DIFF = ["  {", '    "Name": "etl",', '    "Type": "batch",', '-   "Count": 2,', '+   "Count": 3,']
  .concat(Array.from({ length: 9 }, (_, at) => `    "line": ${at},`), ['-   "Spread": []', "  }"]).join("\n");

const aPlan = (change: Record<string, unknown>) => ({
  ...{ Action: "create", Name: "etl", Namespace: "default", Type: "batch", Version: 1, Diff: "+ all\n" },
  ...{ Warnings: [], Executions: 3, Places: [aPlace(0, 1, false), aPlace(1, 2, false), aPlace(2, 1, true)] },
  ...{ Untried: 0, Stays: 0, Stops: { Count: 0, Items: [] }, Nodes: { Known: 2, Fit: 2, Groups: [] } },
  ...change,
});

Deno.test("a plan as people read it", async () => {
  const show = (wire: Record<string, unknown>, isWide = false) => {
    shapes.SubmissionPlan.parse(wire);
    return describePlan(asRecord(wire), { terminal: aTerminal({ columns: 110 }), isWide });
  };
  const Known = { ID: id("j", 1), Version: 1, State: "Running", ...aged(75) };
  const stop = (at: number) => ({
    ...{ ID: id("e", at), JobVersion: 1, PartitionIndex: at, NodeID: id("n", 1), NodeName: "pier-7" },
    ...{ State: "running", ...aged(70) },
  });
  const group = {
    Verdict: "full",
    Reason: ROOM,
    NodeCount: 2,
    NodeIDs: [id("n", 1), id("n", 2)],
    ReasonCount: 1,
  };
  const Unplaced = {
    ...{
      Count: 40,
      Message: "not enough nodes to run job.\n• 2 of 2 nodes: node busy",
      Hint: "It starts by itself",
    },
    ...{ WouldFail: false, IsBehindOthers: true },
  };
  const many = Array.from({ length: 30 }, (_, at) => aPlace(at, 1 + at % 2, at > 20));
  const texts = [
    show(aPlan({})),
    show(aPlan({ Name: "", Namespace: "other" })),
    show(aPlan({ Action: "none", Known, Places: [], Executions: 0, Diff: "" })),
    show(
      aPlan({
        Action: "update",
        Version: 2,
        Known,
        Diff: DIFF,
        Stops: { Count: 22, Items: [stop(0), stop(1)] },
      }),
    ),
    show(aPlan({
      ...{ Action: "update", Type: "service", Version: 2, Known, Diff: DIFF, Stays: 1, AtATime: 2 },
      Stops: { Count: 2, Items: [stop(0), stop(1)] },
    })),
    show(aPlan({ Places: many, Executions: 5030, Untried: 5000 })),
    show(aPlan({ Places: [], Executions: 40, Unplaced, Nodes: { Known: 2, Fit: 0, Groups: [group] } })),
    show(
      aPlan({
        Places: [],
        Executions: 40,
        Unplaced: { ...Unplaced, WouldFail: true, IsBehindOthers: false },
      }),
    ),
  ];
  await assertGolden("cli/job_plan.txt", texts.join("\n\n---\n\n") + "\n");
});
