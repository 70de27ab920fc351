import assert from "node:assert/strict";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import { aTask, someFacts } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";
import { snapshotFor } from "./dispatch.ts";

const SERVICE = {
  name: "web",
  type: "service",
  count: 2,
  update: { maxParallel: 1, autoRollback: true, progressMs: 60_000 },
} as const;
const withEnv = (value: string): Partial<JobSpec> => ({
  ...SERVICE,
  task: aTask({ env: { VERSION: value } }),
});

/** A service of two that is up. */
async function aService(change: Partial<JobSpec> = {}) {
  const home = await aHome({ ...withEnv("1"), ...change });
  const live = () => home.store.executions.liveOf(home.store.jobs.find(home.jobId)!.row);
  const comeUp = (id: ExecutionId) => home.report("running", id, { health: { status: "healthy", forMs: 0 } });
  const shown = () =>
    live().map(({ partition, jobVersion, desired }) => `p${partition} v${jobVersion} ${desired}`).sort();
  for (const { id } of live()) comeUp(id);
  home.plan();
  /** What was told to stop has stopped. */
  const makeWay = () => {
    for (const { id } of live().filter(({ desired }) => desired === "stop")) {
      home.report("stopped", id, { code: "stopped", message: "so" });
    }
    home.plan();
  };
  const byVersion = (version: number) => live().filter(({ jobVersion }) => jobVersion === version);
  return { ...home, live, comeUp, shown, makeWay, byVersion, rollout: () => home.job().rollout! };
}

Deno.test("a new version takes over place by place, each once the one before is up", async () => {
  const it = await aService();
  assert.deepEqual([it.rollout().state, it.rollout().goodVersion], ["good", 1]);
  await it.submit(withEnv("2"));
  assert.deepEqual(it.shown(), ["p0 v1 stop", "p1 v1 run"]);
  it.makeWay();
  assert.deepEqual(it.shown(), ["p0 v2 run", "p1 v1 run"]);
  it.comeUp(it.byVersion(2)[0]!.id);
  it.plan();
  assert.deepEqual([it.shown(), it.rollout().upCount], [["p0 v2 run", "p1 v1 stop"], 1]);
  it.makeWay();
  for (const { id } of it.byVersion(2)) it.comeUp(id);
  it.plan();
  assert.deepEqual(it.shown(), ["p0 v2 run", "p1 v2 run"]);
  assert.deepEqual([it.rollout().state, it.rollout().goodVersion], ["good", 2]);
});

Deno.test("a version that fails is rolled back to the last good one, whose tasks run on", async () => {
  const it = await aService();
  await it.submit(withEnv("bad"));
  it.makeWay();
  it.report("failed", it.byVersion(2)[0]!.id, { code: "program_failed", message: "no config" });
  it.plan();
  assert.deepEqual(it.shown(), ["p0 v3 run", "p1 v3 run"]);
  assert.equal(it.job().spec.task.env.VERSION, "1");
  for (const { id } of it.live()) it.comeUp(id);
  it.plan();
  const { state, rolledBackFrom, message } = it.rollout();
  assert.deepEqual([state, rolledBackFrom], ["good", 2]);
  assert.match(message!, /version 2 will not do: partition 0: no config/);
});

Deno.test("a version that comes no further is rolled back in time; one that only waits for room is not", async () => {
  const it = await aService();
  await it.submit(withEnv("hangs"));
  it.makeWay();
  it.report("running", it.byVersion(2)[0]!.id, { health: { status: "unknown", forMs: 0 } });
  it.pass(59_000);
  it.plan();
  assert.equal(it.job().version, 2);
  it.pass(2_000);
  it.plan();
  assert.deepEqual([it.job().version, it.rollout().rolledBackFrom], [3, 2]);

  const slow = await aService();
  await slow.submit(withEnv("2"));
  slow.pass(61_000);
  slow.plan();
  assert.deepEqual(
    [slow.job().version, slow.shown()],
    [2, ["p0 v1 stop", "p1 v1 run"]],
    "what it replaces has not ended",
  );
  slow.makeWay();
  slow.report("running", slow.byVersion(2)[0]!.id, { health: { status: "unknown", forMs: 0 } });
  slow.pass(61_000);
  slow.plan();
  assert.equal(slow.job().version, 3);

  const waiting = await aHome({ ...withEnv("1"), count: 100 });
  waiting.pass(100_000);
  waiting.plan();
  assert.deepEqual([waiting.job().phase, waiting.job().rollout?.state], ["queued", "rolling"]);
});

Deno.test("a larger count is not taken back while what it adds waits for room", async () => {
  const it = await aService();
  await it.submit({ ...withEnv("1"), count: 100 });
  const placed = it.live().length;
  assert.ok(placed > 2 && placed < 100);
  for (const { id } of it.live()) it.comeUp(id);
  it.plan();
  it.pass(61_000);
  it.plan();
  assert.deepEqual([it.job().version, it.rollout().state, it.rollout().upCount], [2, "rolling", placed]);
  it.report("running", it.live()[0]!.id, { health: { status: "unhealthy", forMs: 0 } });
  it.plan();
  it.pass(61_000);
  assert.deepEqual([it.job().version, it.rollout().rolledBackFrom], [3, 2], "what has a place must come up");
});

Deno.test("without a version to go back to, or where that is not wanted, it stays and says so", async () => {
  const it = await aService({ update: { ...SERVICE.update, autoRollback: false } });
  await it.submit({ ...withEnv("bad"), update: { ...SERVICE.update, autoRollback: false } });
  it.makeWay();
  it.report("failed", it.byVersion(2)[0]!.id, { code: "program_failed", message: "no config" });
  it.plan();
  assert.deepEqual([it.job().version, it.rollout().state], [2, "failed"]);
  assert.ok(it.shown().includes("p1 v1 run"), "what is left of the good version goes on");
});

Deno.test("a version that will not do goes no further, whatever becomes of what it has", async () => {
  const stays = { ...SERVICE.update, autoRollback: false, maxParallel: 2 };
  const it = await aService({ update: stays, count: 4 });
  await it.submit({ ...withEnv("bad"), update: stays, count: 4 });
  for (const { id } of it.live().filter(({ desired }) => desired === "stop")) {
    it.report("stopped", id, { code: "stopped", message: "so" });
  }
  it.plan();
  const [first, second] = it.byVersion(2);
  it.report("failed", first!.id, { code: "program_failed", message: "no config" });
  it.comeUp(second!.id);
  it.plan();
  assert.equal(it.rollout().state, "failed");
  const rest = () => it.shown().filter((one) => one.includes(" v1 "));
  assert.deepEqual(rest(), ["p2 v1 run", "p3 v1 run"]);
  it.pass(10_000);
  it.plan();
  it.comeUp(it.byVersion(2).find(({ id }) => id !== second!.id)!.id);
  it.report("failed", second!.id, { code: "program_failed", message: "no config" });
  it.plan();
  assert.deepEqual(rest(), ["p2 v1 run", "p3 v1 run"]);
});

Deno.test("a version that would not do and comes up after all is good, and one to go back to", async () => {
  const it = await aService({ name: "flaky" });
  const policy = { ...SERVICE.update, autoRollback: false };
  await it.submit({ ...withEnv("2"), name: "flaky", update: policy });
  it.makeWay();
  it.report("failed", it.byVersion(2)[0]!.id, { code: "program_failed", message: "no config" });
  it.plan();
  assert.equal(it.rollout().state, "failed");
  await it.submit({ ...withEnv("1"), name: "flaky", update: policy, count: 1 });
  for (let round = 0; round < 4; round++) {
    it.makeWay();
    it.pass(120_000);
    it.plan();
    for (const { id } of it.byVersion(3)) it.comeUp(id);
    it.plan();
  }
  assert.deepEqual([it.rollout().state, it.rollout().goodVersion, it.rollout().message], [
    "good",
    3,
    undefined,
  ]);
});

Deno.test("a version that no node could run stops nothing that runs", async () => {
  const it = await aService();
  const nowhere = [{ key: "site", operator: "=" as const, values: ["moon"] }];
  await it.submit({ ...withEnv("2"), constraints: nowhere });
  it.makeWay();
  assert.deepEqual([it.job().version, it.job().phase], [3, "running"]);
  assert.deepEqual(it.shown(), ["p0 v3 run", "p1 v3 run"]);
});

Deno.test("a change of the count stops and starts only the difference; a rerun starts everything again", async () => {
  const it = await aService();
  const before = it.live().map(({ id }) => id).sort();
  await it.submit({ ...withEnv("1"), count: 3 });
  assert.deepEqual(it.shown(), ["p0 v2 run", "p1 v2 run", "p2 v2 run"]);
  assert.deepEqual(it.live().map(({ id }) => id).sort().filter((id) => before.includes(id)), before);
  await it.submit({ ...withEnv("1"), count: 1 });
  assert.deepEqual(it.shown(), ["p0 v3 run", "p1 v3 stop", "p2 v3 stop"]);
  it.rerun();
  it.plan();
  assert.ok(it.shown().includes("p0 v3 stop"));
});

Deno.test("a node that is told everything again gets each execution's order as its own version has it", async () => {
  const it = await aService();
  await it.submit(withEnv("2"));
  it.makeWay();
  const orders = snapshotFor(it.store, `${NODE}/agent`).map(({ body }) => body as Record<string, unknown>)
    .filter(({ desired }) => desired === "run") as { jobVersion: number; task: JobSpec["task"] }[];
  assert.deepEqual(orders.map(({ jobVersion, task }) => [jobVersion, task.env.VERSION]).sort(), [
    [1, "1"],
    [2, "2"],
  ]);
});

Deno.test("a place that comes up again and again is no progress", async () => {
  const it = await aService();
  await it.submit(withEnv("flaps"));
  it.makeWay();
  const flaps = it.byVersion(2)[0]!.id;
  const say = (status: "healthy" | "unhealthy") => {
    it.report("running", flaps, { health: { status, forMs: 0 } });
    it.plan();
  };
  it.pass(50_000);
  say("healthy");
  say("unhealthy");
  it.pass(50_000);
  say("healthy");
  say("unhealthy");
  it.pass(20_000);
  it.plan();
  assert.deepEqual([it.job().version, it.rollout().rolledBackFrom], [3, 2]);
});

Deno.test("starts in place before a version had it, or before it was up, are not held against an execution", async () => {
  const it = await aService();
  const [first, second] = it.live().map(({ id }) => id);
  const crashed = (id: ExecutionId, restarts: number) => {
    it.report("preparing", id, { restarts, health: { status: "unhealthy", forMs: 0 } });
    it.plan();
  };
  crashed(first!, 7);
  await it.submit({ ...withEnv("1"), count: 3 });
  assert.deepEqual([it.job().version, it.rollout().state], [2, "rolling"], "it is not taken back");
  for (const restarts of [8, 9]) crashed(first!, restarts);
  it.report("running", first!, { restarts: 9, health: { status: "healthy", forMs: 0 } });
  crashed(first!, 10);
  assert.equal(it.rollout().state, "rolling");
  for (const restarts of [1, 2, 3]) crashed(second!, restarts);
  assert.match(it.rollout().message ?? "", /version 2 will not do: partition 1 was started 4 times/);
});

Deno.test("a daemon that takes over from two versions has no number twice", async () => {
  const daemon = { name: "watch", type: "daemon", update: SERVICE.update } as const;
  const it = await aHome(daemon);
  const [first, other] = [NODE, "a-0" as NodeId];
  it.join(someFacts({ id: other }));
  it.plan();
  const live = () => it.store.executions.liveOf(it.store.jobs.find(it.jobId)!.row);
  const on = (nodeId: NodeId) => live().find((one) => one.nodeId === nodeId)!;
  for (const { id, nodeId } of live()) {
    it.reportOf(nodeId, "running", id, { health: { status: "healthy", forMs: 0 } });
  }
  it.plan();
  await it.submit(daemon, { isForced: true });
  it.reportOf(other, "stopped", on(other).id, { code: "stopped", message: "so" });
  it.plan();
  assert.deepEqual([on(first), on(other)].map(({ jobVersion, partition }) => [jobVersion, partition]), [
    [1, 0],
    [2, 0],
  ]);
  it.reportOf(other, "running", on(other).id, { health: { status: "unknown", forMs: 0 } });
  await it.submit({ ...daemon, priority: 60 });
  const ofVersion3 = live().filter(({ jobVersion, desired }) => jobVersion === 3 && desired === "run");
  assert.deepEqual(ofVersion3.map(({ nodeId, partition }) => [nodeId, partition]), [[other, 0]]);
  it.reportOf(other, "running", on(other).id, { health: { status: "healthy", forMs: 0 } });
  it.plan();
  assert.equal(on(first).desired, "stop", "the other follows at its turn");
  it.reportOf(first, "stopped", on(first).id, { code: "stopped", message: "so" });
  it.plan();
  assert.deepEqual(live().map(({ jobVersion, partition }) => [jobVersion, partition]).sort(), [[3, 0], [
    3,
    1,
  ]]);
});
