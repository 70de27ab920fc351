import assert from "node:assert/strict";
import { aTask, someFacts, someResources } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { deleteNamespace, setNamespace } from "./namespaces.ts";

const cores = (cpuMillis: number) =>
  aTask({ resources: someResources({ cpuMillis, memoryBytes: 1 }), publisher: undefined });
const facts = someFacts({ id: NODE, capacity: { ...someResources({ cpuMillis: 4000 }), diskBytes: 1 } });
const nudgeTurn = () => {};

Deno.test("a quota makes jobs wait with the reason, and they start as soon as there is room in it", async () => {
  const home = await aHome({ namespace: "other", task: cores(1000) }, facts);
  const { store } = home;
  setNamespace({ store, nudgeTurn }, "team", { quota: { cpuMillis: 1000 } });
  const first = await home.submit({ namespace: "team", count: 2, task: cores(600) });
  const second = await home.submit({ namespace: "team", task: cores(600) });
  const jobOf = (id: typeof first) => store.jobs.find(id)!.job;
  assert.match(
    jobOf(first).message!,
    /^namespace "team" holds 0.6 of 1 core of its quota, the job asks for 0.6/,
  );
  assert.match(jobOf(second).hint!, /^It starts by itself as soon as other work of the namespace has ended/);
  // An end of another namespace does not even look at them.
  home.report("completed");
  assert.equal(store.waiting.next(), undefined);
  const live = store.executions.liveOn(NODE)[0]!.execution.id;
  home.report("completed", live);
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"]);
  setNamespace({ store, nudgeTurn }, "team", { quota: { cpuMillis: 2000 } });
  assert.deepEqual(home.plan().length, 1, "a larger quota lets them go on");
  deleteNamespace({ store, nudgeTurn }, "team");
  assert.deepEqual(store.projection.accounts.heldBy("team").cpuMillis, 1200);
});

Deno.test("jobs with one execution for each node wait for their quota, and not behind a node that takes nothing", async () => {
  const home = await aHome({ namespace: "other", task: cores(100) }, facts);
  const { store } = home;
  home.join({ ...facts, id: "n-1" as typeof NODE });
  home.drain({ kind: "cordon" });
  setNamespace({ store, nudgeTurn }, "team", { quota: { cpuMillis: 600 } });
  const daemon = await home.submit({ namespace: "team", type: "daemon", count: 0, task: cores(600) });
  assert.equal(store.executions.liveOn("n-1" as typeof NODE).length, 1);
  home.endDrain();
  home.plan();
  assert.equal(store.executions.liveOf(store.jobs.find(daemon)!.row).length, 1);
  setNamespace({ store, nudgeTurn }, "team", { quota: { cpuMillis: undefined } });
  assert.equal(home.plan().length, 1);
});

Deno.test("accounts and bounds are the same after a rebuild", async () => {
  const home = await aHome({ namespace: "team", task: cores(600) }, facts);
  const { store } = home;
  setNamespace({ store, nudgeTurn }, "team", { weight: 3, jobsMax: 1 });
  store.rebuild();
  assert.equal(store.namespaces.find("team")?.weight, 3);
  assert.equal(store.projection.accounts.heldBy("team").cpuMillis, 600);
  await assert.rejects(home.submit({ namespace: "team" }), /1 jobs in namespace "team" have not ended/);
  home.report("completed");
  assert.deepEqual(store.projection.accounts.heldBy("team"), NO_RESOURCES);
});

Deno.test("of what becomes free, the namespace that holds less gets its turn first", async () => {
  const home = await aHome({ namespace: "crowd", count: 20, task: cores(1000) }, facts);
  const { store } = home;
  const quiet = await home.submit({ namespace: "quiet", task: cores(1000) });
  const [first] = store.executions.liveOn(NODE);
  home.report("completed", first!.execution.id);
  home.plan();
  assert.equal(store.executions.liveOf(store.jobs.find(quiet)!.row).length, 1);
});

Deno.test("what is shared is what nodes have that are not given up", async () => {
  const { store } = await aHome({ namespace: "team", task: cores(1000) }, facts);
  const whole = store.projection.accounts.total;
  const { node } = store.projection.find(NODE)!;
  store.projection.putNode({ ...node, facts: { ...facts, id: "n-1" as typeof NODE } });
  assert.equal(store.projection.accounts.total.cpuMillis, 2 * whole.cpuMillis);
  const gone = { ...node, facts: { ...facts, id: "n-1" as typeof NODE }, isGivenUp: true };
  store.projection.putNode(gone);
  assert.deepEqual(store.projection.accounts.total, whole);
  assert.equal(store.shares.shareOf("team"), 0.25);
  store.projection.putNode({ ...gone, isGivenUp: undefined });
  assert.equal(store.shares.shareOf("team"), 0.125);
});
