import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { aTask, someFacts } from "../../tests/support/builders.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";

const other = someFacts({ id: "n-1" as NodeId });
const HOUR_MS = 3_600_000;

Deno.test("batch work may end on a drained node until the deadline, then it is placed elsewhere at no cost of an attempt", async () => {
  const home = await aHome({ retry: { attempts: 0, lostAttempts: 2 } });
  home.report("running");
  home.drain({ kind: "drain", deadlineMs: HOUR_MS, reason: "new kernel" });
  assert.deepEqual(home.plan(), []);
  home.pass(HOUR_MS);
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["stop"]);
  home.join(other);
  home.report("stopped", home.executionId, { code: "stopped", message: "told to" });
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"]);
  assert.equal(home.store.executions.liveOn(other.id)[0]!.execution.attempt, 1);
  assert.ok(home.node().drain!.emptyAtMs! > 0);
  assert.equal(home.job().phase, "running");
});

Deno.test("nothing new goes to a drained node, and what waits says why and starts when the drain ends", async () => {
  const home = await aHome();
  home.report("completed");
  home.drain({ kind: "cordon", reason: "check" });
  const id = await home.submit({});
  assert.match(home.store.jobs.find(id)!.job.message!, /takes nothing new \(check\)/);
  assert.match(home.store.jobs.find(id)!.job.hint!, /starts by itself/);
  home.endDrain();
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"]);
});

Deno.test("a service leaves a drained node one by one, each once its successor runs", async () => {
  const home = await aHome({ type: "service", count: 2 });
  const [first, second] = home.store.executions.liveOn(NODE).map(({ execution }) => execution.id);
  home.report("running", first);
  home.report("running", second);
  home.join(other);
  home.drain({ kind: "drain" });
  assert.deepEqual(home.plan().map(({ desired, executionId }) => [desired, executionId]), [["stop", first]]);
  home.report("stopped", first, { code: "stopped", message: "told to" });
  const [successor] = home.plan();
  assert.equal(successor?.desired, "run");
  assert.equal(home.store.executions.find(successor!.executionId)!.execution.nodeId, other.id);
  assert.deepEqual(home.plan(), []);
  home.reportOf(other.id, "running", successor!.executionId);
  assert.deepEqual(home.plan().map(({ desired, executionId }) => [desired, executionId]), [["stop", second]]);
});

Deno.test("a daemon stays until nothing else is left, and is not started there again while the node is drained", async () => {
  const home = await aHome();
  await home.submit({ type: "daemon", count: 0 });
  const daemon = home.store.executions.liveOn(NODE)[1]!.execution.id;
  home.report("running");
  home.report("running", daemon);
  home.drain({ kind: "drain" });
  assert.deepEqual(home.plan(), []);
  home.report("completed");
  assert.deepEqual(home.plan().map(({ executionId }) => executionId), [daemon]);
  home.report("stopped", daemon, { code: "stopped", message: "told to" });
  assert.deepEqual(home.plan(), []);
  home.endDrain();
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"]);
});

Deno.test("what must never run twice fails its job when it is stopped for a drain, with the reason", async () => {
  const home = await aHome({ retry: { attempts: 0, lostAttempts: 0 } });
  home.report("running");
  home.drain({ kind: "drain", deadlineMs: 0 });
  home.pass(1);
  home.plan();
  home.report("stopped", home.executionId, { code: "stopped", message: "its node is being drained" });
  home.plan();
  assert.deepEqual([home.job().phase, home.job().code], ["failed", "interrupted"]);
  assert.match(home.job().message!, /is being drained/);
  assert.match(home.job().hint!, /twice/);
});

Deno.test("the deadline holds for a node that is silent: what it held is given up and stopped when it is back", async () => {
  const home = await aHome();
  home.report("running");
  home.join(other);
  home.drain({ kind: "drain", deadlineMs: 1_000 });
  home.setConnected(false);
  home.pass(1_000);
  const orders = home.plan();
  assert.equal(home.phase(), "lost");
  assert.deepEqual(orders.map(({ desired }) => desired).sort(), ["run", "stop"]);
});

Deno.test("ops: a drained node where the job has not been is left out, one where it was is waited for", async () => {
  const home = await aHome({ type: "ops", count: 0 });
  home.report("running");
  home.join(other);
  home.drain({ kind: "drain", deadlineMs: 0 });
  home.pass(1);
  home.plan();
  home.report("stopped", home.executionId, { code: "stopped", message: "told to" });
  const onOther = home.store.executions.liveOn(other.id)[0]!.execution.id;
  home.reportOf(other.id, "completed", onOther);
  home.plan();
  assert.notEqual(home.job().phase, "completed", "it waits for the node where it was cut short");
  const later = await home.submit({ type: "ops", count: 0 });
  home.reportOf(other.id, "completed", home.store.executions.liveOn(other.id)[0]!.execution.id);
  home.plan();
  assert.equal(home.store.jobs.find(later)!.job.phase, "completed");
});

Deno.test("a drain is kept through a restart and a rebuild", async () => {
  const home = await aHome();
  home.report("running");
  home.drain({ kind: "drain", deadlineMs: HOUR_MS });
  home.store.rebuild();
  assert.equal(home.node().drain?.kind, "drain");
  home.pass(HOUR_MS);
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["stop"]);
});

Deno.test("a new version of a daemon leaves what runs on a cordoned node alone, and takes over there later", async () => {
  const daemon = { name: "watch", type: "daemon" } as const;
  const it = await aHome(daemon);
  it.report("running", it.executionId, { health: { status: "healthy", forMs: 0 } });
  it.plan();
  it.drain({ kind: "cordon" });
  await it.submit({ ...daemon, task: aTask({ env: { VERSION: "2" } }) });
  const desired = () => it.store.executions.find(it.executionId)!.execution.desired;
  assert.deepEqual([desired(), it.job().version], ["run", 2]);
  it.endDrain();
  it.plan();
  assert.equal(desired(), "stop");
});

Deno.test("a service that is whole only because it is to be smaller leaves as well", async () => {
  const capacity = { ...someFacts().capacity, cpuMillis: 2000 };
  const task = aTask({ resources: { ...NO_RESOURCES, cpuMillis: 1000 } });
  const service = { name: "web", type: "service", count: 3, task } as const;
  const home = await aHome(service, someFacts({ id: NODE, capacity }));
  const two = home.store.executions.liveOn(NODE).map(({ execution }) => execution.id);
  assert.equal(two.length, 2);
  for (const id of two) home.report("running", id);
  home.drain({ kind: "drain" });
  assert.deepEqual(home.plan(), [], "one of three is missing");
  await home.submit({ ...service, count: 2 });
  home.plan();
  const told = two.filter((id) => home.store.executions.find(id)!.execution.desired === "stop");
  assert.equal(told.length, 1);
});

Deno.test("many leave a drained node a bounded number at a time, and all of them leave", async () => {
  const COUNT = 450;
  const task = aTask({ resources: { ...NO_RESOURCES, cpuMillis: 1 } });
  const home = await aHome({ count: COUNT, task });
  home.drain({ kind: "drain" });
  const stopped = home.plan().filter(({ desired }) => desired === "stop");
  assert.ok(stopped.length > 0 && stopped.length < COUNT, `${stopped.length}`);
  const more = [...home.plan(), ...home.plan(), ...home.plan()].filter(({ desired }) => desired === "stop");
  assert.equal(stopped.length + more.length, COUNT);
});
