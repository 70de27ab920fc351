import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { aNode, aTask, someFacts, someResources } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";
import { setNamespace } from "./namespaces.ts";

const HOUR_MS = 3_600_000;

/** All of the node's four cores. */
const large = { task: aTask({ resources: someResources({ cpuMillis: 4000 }) }) };

Deno.test("a job that was placed says where, and waits for nothing", async () => {
  const home = await aHome();
  const it = await home.explain();
  assert.equal(it.waiting, undefined);
  assert.deepEqual(it.executions.map(({ execution }) => [execution.nodeId, execution.partition]), [[
    NODE,
    0,
  ]]);
  assert.deepEqual([it.liveCount, it.unsuccessfulCount], [1, 0]);
  assert.deepEqual([it.nodes!.knownCount, it.nodes!.fitCount], [1, 1]);
});

Deno.test("a job without room says since when, what is ahead of it, when it is looked at, and when it gives up", async () => {
  const home = await aHome(large);
  const first = await home.submit({ ...large, name: "first" });
  home.pass(5_000);
  const task = aTask({
    resources: large.task.resources,
    timeouts: { executionMs: 0, queueMs: 60_000, totalMs: 0 },
  });
  const second = await home.submit({ task });
  const urgent = await home.submit({ ...large, priority: 5 });
  home.pass(10_000);
  const { waiting, nodes } = await home.explain({ limit: 10 }, second);
  assert.deepEqual(
    { ...waiting, ahead: waiting!.ahead.map(({ id }) => id) },
    {
      ...{ sinceMs: 6_000, slotCount: 1, partitions: [0], status: "blocked" },
      ...{ aheadCount: 2, ahead: [urgent, first], queueLeftMs: 50_000 },
    },
  );
  assert.deepEqual(nodes!.groups.map(({ verdict, reason }) => [verdict, reason!.filter]), [["full", "room"]]);
});

Deno.test("partitions that are missing are named, also while others run", async () => {
  const home = await aHome({ count: 3, task: aTask({ resources: someResources({ cpuMillis: 3000 }) }) });
  home.report("running");
  const { waiting, liveCount } = await home.explain();
  assert.deepEqual([liveCount, waiting!.slotCount, waiting!.partitions], [1, 2, [1, 2]]);
});

Deno.test("a node that refused it is told with its reason, and the attempt is kept", async () => {
  const home = await aHome({ retry: { attempts: 0, lostAttempts: 3 } });
  home.report("refused", home.executionId, {
    code: "input_refused",
    message: "this node does not have /srv",
  });
  const it = await home.explain();
  assert.deepEqual(it.items.map(({ verdict, reasons }) => [verdict, reasons[0]!.text]), [
    ["refused", "has refused it: does not have /srv"],
  ]);
  assert.deepEqual([it.unsuccessfulCount, it.executions[0]!.execution.phase], [1, "refused"]);
});

Deno.test("a node that is left alone because it refused for want of room says for how long", async () => {
  const home = await aHome();
  home.report("refused", home.executionId, { code: "exhausted", message: "its queue is full" });
  const it = await home.explain();
  assert.deepEqual(it.items.map(({ verdict, reasons }) => [verdict, reasons[0]!.text]), [
    ["not_now", "its queue is full"],
  ]);
  assert.equal(it.items[0]!.pauseLeftMs, 1_000);
});

Deno.test("a service that pauses before its next start says until when", async () => {
  const home = await aHome({ type: "service" });
  home.report("failed", home.executionId, { code: "program_failed", message: "exit 1" });
  home.plan();
  const { waiting } = await home.explain();
  assert.deepEqual([waiting!.status, waiting!.slotCount], ["pausing", 0]);
  assert.ok(waiting!.againInMs! > 0);
});

Deno.test("a job that has ended says how and where, and asks for nothing", async () => {
  const home = await aHome();
  home.report("completed");
  const it = await home.explain();
  assert.deepEqual([it.job.phase, it.waiting, it.liveCount], ["completed", undefined, 0]);
  assert.deepEqual(it.executions.map(({ execution }) => execution.phase), ["completed"]);
});

Deno.test("a daemon tells which nodes have it, and which it waits for", async () => {
  const home = await aHome({ type: "daemon", count: 0 });
  home.store.projection.putNode(aNode({ id: "n-1" as NodeId }, { connection: "disconnected" }));
  const it = await home.explain();
  assert.deepEqual(it.items.map(({ nodeId, verdict }) => [nodeId, verdict]), [["n-0", "has_it"], [
    "n-1",
    "not_now",
  ]]);
  assert.deepEqual([it.waiting!.slotCount, it.waiting!.aheadCount], [1, 0]);
});

Deno.test("nodes come page by page, each once, and are counted on the first page only", async () => {
  const home = await aHome();
  const known = home.store.projection;
  for (let at = 1; at < 25; at++) known.putNode(aNode({ id: `n-${String(at).padStart(2, "0")}` as NodeId }));
  const seen: string[] = [];
  let after: NodeId | undefined;
  do {
    const it = await home.explain({ limit: 10, after });
    assert.equal(it.nodes?.knownCount, after === undefined ? 25 : undefined);
    seen.push(...it.items.map(({ nodeId }) => nodeId));
    after = it.next;
  } while (after !== undefined);
  assert.deepEqual(seen, known.nodes.map(({ node }) => node.facts.id));
  assert.deepEqual((await home.explain({ limit: 0 })).items, []);
});

Deno.test("explaining writes nothing", async () => {
  const home = await aHome(large);
  const other = await home.submit(large);
  const changes = () => home.store.database.get("SELECT total_changes() AS n")!.n;
  const before = changes();
  await home.explain({ limit: 10 }, other);
  assert.equal(changes(), before);
});

Deno.test("a daemon that stands by says that it is blocked, and for how long something of it has waited", async () => {
  const cores = (cpuMillis: number) => aTask({ resources: { ...NO_RESOURCES, cpuMillis } });
  const home = await aHome({ type: "daemon", count: 0, task: cores(3000) });
  home.report("running", home.executionId, { health: { status: "healthy", forMs: 0 } });
  home.plan();
  assert.equal((await home.explain()).waiting, undefined);
  const blocker = await home.submit({ task: cores(4000), constraints: [] });
  assert.equal((await home.explain({ limit: 1 }, blocker)).waiting?.status, "blocked");
  const [nowMs, later] = [home.store.nowMs(), "n-1" as NodeId];
  home.pass(HOUR_MS);
  home.join(someFacts({ id: later }));
  home.plan();
  const here = home.store.executions.liveOn(later).map(({ execution }) => execution.jobId);
  assert.deepEqual(here, [blocker], "what waited longer has the room");
  const { waiting } = await home.explain();
  assert.deepEqual([waiting?.status, waiting?.slotCount, waiting?.aheadCount], ["blocked", 1, 0]);
  assert.equal(waiting?.sinceMs, nowMs + HOUR_MS);
});

Deno.test("a job beyond the quota of its namespace says so, and no node is said to start it at once", async () => {
  const task = aTask({ resources: { ...NO_RESOURCES, cpuMillis: 1000 } });
  const home = await aHome({ task });
  setNamespace({ store: home.store, nudgeTurn: () => {} }, "default", { quota: { cpuMillis: 1500 } });
  for (const type of ["batch", "daemon"] as const) {
    const id = await home.submit({ task, type, count: type === "batch" ? 1 : 0 });
    const { waiting, nodes, items } = await home.explain({ limit: 1 }, id);
    assert.equal(waiting?.status, "over_quota", type);
    assert.deepEqual([nodes?.fitCount, items[0]?.verdict], [0, "not_now"]);
    assert.match(items[0]!.reasons[0]!.text, /^would take it, but namespace "default" holds 1 of 1.5 cores/);
  }
  const { waiting, items } = await home.explain();
  assert.deepEqual([waiting, items[0]?.verdict], [undefined, "fits"], "one that runs asks for nothing more");
});

Deno.test("one that waits on its node says who runs there, and who waits there before it", async () => {
  const queueCapacity = someResources({ cpuMillis: 40_000, memoryBytes: 2 ** 40 });
  const home = await aHome({ ...large, name: "first" }, someFacts({ id: NODE, queueCapacity }));
  home.report("running");
  const earlier = await home.submit({ ...large, name: "earlier" });
  const urgent = await home.submit({ ...large, name: "urgent", priority: 5 });
  const last = await home.submit({ ...large, count: 2 });
  const leaving = await home.submit(large);
  home.stopJob(leaving);
  const behindOf = async (id: typeof last) => {
    const { executions } = await home.explain({ limit: 1 }, id);
    return executions.map(({ behind }) =>
      behind && [behind.runningCount, behind.waitingCount, behind.jobs.map(({ name }) => name || "-").join()]
    );
  };
  assert.deepEqual(await behindOf(home.jobId), [undefined], "it runs");
  assert.deepEqual(await behindOf(urgent), [[1, 0, "first"]]);
  assert.deepEqual(await behindOf(earlier), [[1, 1, "first,urgent"]]);
  const name = home.store.jobs.find(last)!.job.spec.name || "-";
  assert.deepEqual(await behindOf(last), [
    [1, 2, "first,urgent,earlier"],
    [1, 3, `first,urgent,earlier,${name}`],
  ]);
});
