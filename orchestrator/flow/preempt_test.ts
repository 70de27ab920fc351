import assert from "node:assert/strict";
import { aTask, someFacts, someResources } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";

const cores = (cpuMillis: number) =>
  aTask({ resources: { ...NO_RESOURCES, cpuMillis }, publisher: undefined });
const capacity = { ...someResources({ cpuMillis: 4000 }), diskBytes: 1 };
const withQueue = someFacts({ id: NODE, capacity, queueCapacity: { ...NO_RESOURCES, cpuMillis: 8000 } });
const withoutQueue = someFacts({ id: NODE, capacity });
const preemption = { difference: 10 };
const told = { code: "stopped", message: "told to" };

Deno.test("a job of higher priority goes ahead, and what made way is placed anew at no cost of an attempt", async () => {
  const home = await aHome({ task: cores(4000) }, withQueue, { preemption });
  const { store } = home;
  home.report("running");
  const urgent = await home.submit({ name: "urgent", priority: 10, task: cores(1000) });
  const [own] = store.executions.liveOf(store.jobs.find(urgent)!.row);
  assert.equal(own?.nodeId, NODE, "it is in the queue already, so that nothing else gets the room");
  assert.deepEqual(own?.explanation.scores, { made_room: 1 });
  const victim = store.executions.find(home.executionId)!.execution;
  assert.deepEqual([victim.desired, victim.moving], ["stop", "preemption"]);
  assert.match(victim.desiredMessage!, /because job "urgent" of priority 10 needs its room/);
  await home.submit({ priority: 10, task: cores(3000) });
  home.report("stopped", home.executionId, told);
  const [again] = home.plan();
  assert.equal(again?.desired, "run");
  const successor = store.executions.find(again!.executionId)!.execution;
  assert.deepEqual([successor.attempt, successor.previousId], [1, home.executionId]);
  assert.equal(home.job().phase, "running");
});

Deno.test("without a setting nobody makes way; with it only what is lower by enough", async () => {
  for (
    const [policy, priority, isStopped] of [[undefined, 50, false], [preemption, 9, false], [
      preemption,
      10,
      true,
    ]] as const
  ) {
    const home = await aHome({ task: cores(4000) }, withQueue, { preemption: policy });
    home.report("running");
    await home.submit({ priority, task: cores(1000) });
    const { desired } = home.store.executions.find(home.executionId)!.execution;
    assert.equal(desired === "stop", isStopped, `${priority}`);
  }
});

Deno.test("where nothing waits on a node, the room that is made is kept for whom it was made", async () => {
  const home = await aHome({ count: 2, task: cores(2000) }, withoutQueue, { preemption });
  const { store } = home;
  const [first, second] = store.executions.liveOn(NODE).map(({ execution }) => execution.id);
  home.report("running", first);
  home.report("running", second);
  const urgent = await home.submit({ priority: 20, task: cores(3000) });
  const jobOf = () => store.jobs.find(urgent)!.job;
  assert.match(jobOf().message!, /^2 executions of lower priority make room on n-0/);
  home.report("stopped", first, told);
  const small = await home.submit({ priority: 5, task: cores(500) });
  assert.equal(store.executions.liveOf(store.jobs.find(small)!.row).length, 0, "the room is not for it");
  assert.match(jobOf().message!, /make room/);
  home.report("stopped", second, told);
  home.plan();
  assert.equal(store.executions.liveOf(store.jobs.find(urgent)!.row).length, 1);
  assert.equal(store.executions.liveOf(store.jobs.find(small)!.row).length, 1);
});

Deno.test("room that nobody needs any more is there for others", async () => {
  const home = await aHome({ count: 2, task: cores(2000) }, withoutQueue, { preemption });
  const { store } = home;
  const [first] = store.executions.liveOn(NODE).map(({ execution }) => execution.id);
  const urgent = await home.submit({ priority: 20, task: cores(4000) });
  home.report("stopped", first, told);
  home.plan();
  home.stopJob(urgent);
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"], "what made way is back");
});

Deno.test("the same victims are not stopped twice, nor others beside them, also after a rebuild", async () => {
  const home = await aHome({ count: 4, task: cores(1000) }, withoutQueue, { preemption });
  const { store } = home;
  await home.submit({ priority: 20, task: cores(2000) });
  const stopped = () =>
    store.executions.liveOn(NODE).filter(({ execution }) => execution.desired === "stop").length;
  assert.equal(stopped(), 2);
  store.rebuild();
  home.plan();
  home.hello();
  home.plan();
  assert.equal(stopped(), 2);
});

Deno.test("what runs on as a new version's has its priority, also for those who would have it make way", async () => {
  const service = { name: "web", type: "service", task: cores(4000) } as const;
  const home = await aHome(service, withQueue, { preemption });
  const { store } = home;
  home.report("running");
  const isStopped = () => store.executions.find(home.executionId)!.execution.desired === "stop";
  await home.submit({ ...service, priority: 50 });
  assert.equal(home.job().version, 2);
  await home.submit({ priority: 40, task: cores(1000) });
  assert.ok(!isStopped(), "a job of lower priority than the new version");
  await home.submit({ ...service, priority: 0 });
  await home.submit({ priority: 41, task: cores(1000) });
  assert.ok(isStopped(), "a job of higher priority than the newest version");
});

Deno.test("where nothing helped, nobody is looked at again for a second; then what has changed counts", async () => {
  const home = await aHome({ task: cores(2000) }, withoutQueue, { preemption });
  const { store } = home;
  home.report("running");
  const fixed = await home.submit({ priority: 50, task: cores(2000) });
  const [other] = store.executions.liveOf(store.jobs.find(fixed)!.row);
  await home.submit({ priority: 20, task: cores(3000) });
  const isStopped = () => store.executions.find(home.executionId)!.execution.desired === "stop";
  assert.ok(!isStopped(), "its two cores alone would not do");
  home.report("completed", other!.id);
  home.plan();
  assert.ok(!isStopped(), "nobody looks yet");
  home.pass(1_000);
  home.plan();
  assert.ok(isStopped());
});

Deno.test("who made room for one that another took before it says no longer that it is being made", async () => {
  const home = await aHome({ task: cores(4000) }, withoutQueue, { preemption });
  const { store } = home;
  home.report("running");
  home.join(someFacts({ id: "n-1" as typeof NODE, capacity: { ...capacity, cpuMillis: 1000 } }));
  await home.submit({ task: cores(1000) });
  assert.equal(
    store.executions.liveOn("n-1" as typeof NODE).length,
    1,
    "of low priority, and of no use to it",
  );
  const mid = await home.submit({ priority: 20, task: cores(4000) });
  assert.match(store.jobs.find(mid)!.job.message!, /makes room/);
  const top = await home.submit({ priority: 25, task: cores(4000) });
  home.report("stopped", home.executionId, told);
  home.plan();
  assert.equal(store.executions.liveOf(store.jobs.find(top)!.row).length, 1);
  assert.doesNotMatch(store.jobs.find(mid)!.job.message!, /makes? room/);
});

Deno.test("one that publishes its results is left to end, and one whose job must not run twice is left alone", async () => {
  const once = { attempts: 0, lostAttempts: 0 };
  for (const [phase, change] of [["publishing", {}], ["running", { retry: once }]] as const) {
    const home = await aHome({ task: cores(4000), ...change }, withQueue, { preemption });
    home.report("running");
    home.report(phase);
    await home.submit({ priority: 20, task: cores(4000) });
    assert.equal(home.store.executions.find(home.executionId)!.execution.desired, "run", phase);
  }
});
