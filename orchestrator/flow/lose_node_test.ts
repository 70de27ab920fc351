import assert from "node:assert/strict";
import { aSpec, aTask, someFacts } from "../../tests/support/builders.ts";
import { Database } from "../../shared/ledger/database.ts";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { ExecutionPhase } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { seededIds } from "../../shared/random.ts";
import { APPLICATION_ID, MIGRATIONS } from "../store/migrations.ts";
import { Store } from "../store/store.ts";
import { snapshotFor } from "./dispatch.ts";
import { loseNode } from "./lose_node.ts";
import { Observe } from "./observe.ts";
import { Schedule } from "./schedule.ts";
import { stopJob } from "./stop.ts";
import { Submit } from "./submit.ts";

const NODE = "n-0" as NodeId;

/** A home with one node, on which one execution of one job runs. */
async function aHome({ lostAttempts }: { lostAttempts: number }) {
  const database = Database.open({
    path: ":memory:",
    migrations: MIGRATIONS,
    applicationId: APPLICATION_ID,
  });
  const clock = { wallMs: () => 1_000, uptimeMs: () => 0, after: () => () => {} };
  const store = new Store({ database, clock, ids: seededIds(1) });
  const deadlines = new Deadlines({ database, clock, nudge: () => {} });
  const nothing = () => {};
  const observe = new Observe({ store, deadlines, nudgeSchedule: nothing });
  const orders: Message[] = [];
  const schedule = new Schedule({ store, deadlines, send: (_peer, message) => void orders.push(message) });
  const contents = {
    has: () => Promise.resolve(false),
    put: () => Promise.resolve(),
    read: () => Promise.resolve(new Uint8Array()),
  };
  const submit = new Submit({
    ...{ store, contents, deadlines, nudge: nothing, nudgeSchedule: nothing },
    refuses: () => undefined,
  });
  const hear = (kind: string, about: string, body: unknown) =>
    store.transaction(() => observe.apply(`${NODE}/agent`, { seq: 1, ageMs: 0, kind, about, body }));
  const plan = () => {
    while (schedule.tick());
    return orders.splice(0).map(({ body }) => body as { desired: string; executionId: string });
  };
  hear("node", NODE, someFacts({ id: NODE }));
  const spec = aSpec({ retry: { attempts: 0, lostAttempts }, task: aTask() });
  const answer = submit.submit({ spec, contents: new Map() });
  await Promise.resolve();
  submit.tick();
  const { jobId } = await answer;
  const executionId = plan()[0]!.executionId as ExecutionId;
  let revision = 0;
  return {
    ...{ store, plan, jobId, executionId },
    report: (phase: ExecutionPhase) =>
      hear("report", executionId, { executionId, phase, revision: ++revision }),
    lose: () => store.transaction(() => loseNode(store, NODE, { message: "Execution lost" })),
    stop: () => stopJob({ store, deadlines, nudgeSchedule: nothing }, { id: jobId, reason: "enough" }),
    held: () => store.projection.find(NODE)!.allocated,
    phase: () => store.executions.find(executionId)!.execution.phase,
    job: () => store.jobs.find(jobId)!.job,
  };
}

Deno.test("a lost execution that turns out to run holds its room again, and gives it back once", async () => {
  const { report, lose, held, phase } = await aHome({ lostAttempts: 0 });
  report("running");
  const before = held();
  lose();
  assert.deepEqual([phase(), held()], ["lost", NO_RESOURCES]);
  report("publishing");
  assert.deepEqual([phase(), held()], ["publishing", before]);
  report("completed");
  assert.deepEqual([phase(), held()], ["completed", NO_RESOURCES]);
});

Deno.test("what is lost is told to stop when its job is over: it may be running", async () => {
  const { report, lose, stop, plan, executionId, store } = await aHome({ lostAttempts: 2 });
  report("running");
  lose();
  stop();
  assert.deepEqual(plan().map(({ desired, executionId }) => [desired, executionId]), [["stop", executionId]]);
  assert.equal(store.executions.find(executionId)!.execution.desired, "stop");
  assert.deepEqual(plan(), []);
});

Deno.test("a late result is accepted, and what replaced it is stopped", async () => {
  const { report, lose, plan, job, executionId } = await aHome({ lostAttempts: 2 });
  report("running");
  lose();
  const [replacement] = plan();
  assert.equal(replacement?.desired, "run");
  report("completed");
  const orders = plan();
  assert.deepEqual(orders.map(({ desired, executionId }) => [desired, executionId]), [
    ["stop", replacement!.executionId],
  ]);
  assert.deepEqual([job().phase, job().completedCount], ["completed", 1]);
  assert.notEqual(executionId, replacement!.executionId);
});

Deno.test("a lost execution is part of the census as long as its result is welcome, and never ordered again", async () => {
  const { lose, store, executionId, stop, plan } = await aHome({ lostAttempts: 0 });
  lose();
  const census = () => snapshotFor(store, `${NODE}/agent`);
  assert.deepEqual(census().map(({ kind }) => kind), ["census"]);
  assert.deepEqual(census()[0]!.body, { executionIds: [executionId] });
  stop();
  plan();
  assert.deepEqual(census()[0]!.body, { executionIds: [] });
});
