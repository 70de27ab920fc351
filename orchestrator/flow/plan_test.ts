import assert from "node:assert/strict";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { Database } from "../../shared/ledger/database.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import type { NodeFacts } from "../../shared/model/node.ts";
import { seededIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import { aNode, aSpec, aTask, someContents, someResources } from "../../tests/support/builders.ts";
import { APPLICATION_ID, MIGRATIONS } from "../store/migrations.ts";
import { composeOrchestrator } from "./compose.ts";
import { setNamespace } from "./namespaces.ts";

/** An orchestrator on disk whose only stage that is ticked is the turn. */
async function anOrchestrator(
  nodes: readonly Partial<NodeFacts>[],
  use: (home: ReturnType<typeof open>) => Promise<void>,
) {
  const folder = await Deno.makeTempDir({ prefix: "skerry-plan-" });
  const home = open(`${folder}/orchestrator.db`, nodes);
  // The clock's timers keep no process alive.
  const alive = setInterval(() => {}, 1_000);
  try {
    await use(home);
  } finally {
    clearInterval(alive);
    home.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function open(path: string, nodes: readonly Partial<NodeFacts>[]) {
  const database = Database.open({ path, migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  const kept = new Map<string, Uint8Array>();
  const bus = openEmbeddedBus();
  let refusal: AppError | undefined;
  let drawnCount = 0;
  const seeded = seededIds(1);
  const { desk, store, stages, close } = composeOrchestrator({
    ...{ database, bus, clock: systemClock, contents: someContents(kept) },
    ids: { uuid: () => (drawnCount++, seeded.uuid()) },
    self: orchestratorPeer("n-hub"),
    refuses: () => refusal,
    nudge: () => {},
  });
  store.transaction(() => {
    for (const facts of nodes) {
      const node = aNode(facts);
      store.nodes.put(node);
      store.projection.putNode(node);
    }
  });
  const turn = () => {
    while (stages[0]!.tick());
  };
  return {
    ...{ desk, store, kept, turn },
    drawn: () => drawnCount,
    refuse: (error: AppError) => void (refusal = error),
    submit: async (change: Partial<JobSpec>, isForced = false) => {
      const answer = desk.submit({ spec: aSpec(change), contents: new Map(), isForced });
      await Promise.resolve();
      turn();
      return await answer;
    },
    plan: (change: Partial<JobSpec>, isForced = false) =>
      desk.plan({ spec: aSpec(change), contents: new Map(), isForced }),
    /** Every byte of the store's files. */
    bytes: () =>
      [path, `${path}-wal`].map((file) => new TextDecoder("latin1").decode(Deno.readFileSync(file))),
    close() {
      close();
      database.close();
    },
  };
}

const id = (at: number) => `n-${String(at).padStart(5, "0")}` as NodeId;
const cores = (cpuMillis: number) => aTask({ resources: someResources({ cpuMillis }) });
const ROOMY = { queueCapacity: someResources({ cpuMillis: 4000, memoryBytes: 2 ** 33 }) };

Deno.test("a plan of a new job is what scheduling then does", () =>
  anOrchestrator(
    [{ id: id(0), ...ROOMY }, { id: id(1), engines: [] }, { id: id(2), ...ROOMY }],
    async (home) => {
      const change = { name: "etl", count: 6, task: cores(1500) };
      const plan = await home.plan(change);
      assert.deepEqual([plan.action, plan.known, plan.version, plan.slotCount], ["create", undefined, 1, 6]);
      assert.deepEqual(plan.places.map(({ verdict }) => verdict.verdict), [
        "fits",
        "fits",
        "fits",
        "fits",
        "busy",
        "busy",
      ]);
      assert.match(
        plan.places[4]!.verdict.reasons[0]!.text,
        /^asks for 1\.5 cores, 1 free of 4; it would wait there$/,
      );
      const { jobId } = await home.submit(change);
      const { items } = home.desk.queries.listExecutions(jobId, { limit: 10 });
      assert.deepEqual(
        plan.places.map((
          { placement },
        ) => [placement.slot.partition, placement.nodeId, placement.explanation]),
        items.map(({ partition, nodeId, explanation }) => [partition, nodeId, explanation]),
      );
    },
  ));

Deno.test("a plan of several steps is what scheduling then does", () =>
  anOrchestrator(
    [{ id: id(0), ...ROOMY }, { id: id(1), ...ROOMY }, { id: id(2), ...ROOMY }],
    async (home) => {
      const change = { name: "etl", count: LIMITS.placementsPerPlan * 2 + 50, task: cores(10) };
      const plan = await home.plan(change);
      const { jobId } = await home.submit(change);
      const { items } = home.desk.queries.listExecutions(jobId, { limit: LIMITS.pageMax });
      assert.equal(items.length, change.count);
      assert.deepEqual(
        plan.places.map(({ placement }) => placement.nodeId),
        items.map(({ nodeId }) => nodeId),
      );
    },
  ));

Deno.test("a plan of a daemon has one for each node that matches, also for those that it waits for", () =>
  anOrchestrator([{ id: id(0) }, { id: id(1), engines: [] }, { id: id(2) }, { id: id(3) }], async (home) => {
    await home.submit({ name: "holds", task: cores(3000) });
    const change = { name: "watch", type: "daemon", count: 0, task: cores(2000) } as const;
    const plan = await home.plan(change);
    const { jobId } = await home.submit(change);
    const { items } = home.desk.queries.listExecutions(jobId, { limit: 10 });
    const planned = plan.places.map(({ placement }) => [placement.slot.partition, placement.nodeId]);
    assert.deepEqual(planned, items.map(({ partition, nodeId }) => [partition, nodeId]));
    assert.deepEqual([plan.slotCount, plan.unplaced!.count, plan.unplaced!.wouldFail], [3, 1, false]);
    const verdicts = plan.nodes!.groups.map(({ verdict, nodeCount }) => [verdict, nodeCount]);
    assert.deepEqual(verdicts, [["full", 1], ["has_it", 2], ["cannot", 1]]);
  }));

Deno.test("a new version of a service takes its places over one by one, in the room of what makes way", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const service = { name: "web", type: "service", count: 2, task: cores(2000) } as const;
    await home.submit(service);
    const changed = await home.plan({ ...service, task: cores(1900) });
    assert.deepEqual([changed.slotCount, changed.places.length, changed.stopCount, changed.maxParallel], [
      2,
      2,
      2,
      1,
    ]);
    assert.deepEqual([changed.unplaced, changed.stayCount], [undefined, 0]);
    const update = { maxParallel: 2, autoRollback: true, progressMs: 60_000 };
    assert.equal((await home.plan({ ...service, task: cores(1900), update })).maxParallel, 2);
  }));

Deno.test("a port that what makes way has is free for what takes its place", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const network = {
      type: "bridge" as const,
      domains: [],
      ports: [{ name: "WEB", hostPort: 8080, targetPort: 80 }],
    };
    const service = { name: "web", type: "service" as const, task: { ...cores(500), network } };
    await home.submit(service);
    const same = await home.plan({ ...service, task: { ...cores(600), network } });
    assert.deepEqual([same.places.length, same.stopCount, same.unplaced], [1, 1, undefined]);
    const other = await home.plan({ ...service, name: "other" });
    assert.match(other.unplaced!.refusal.message, /8080/);
  }));

Deno.test("a service that only gets another count keeps what runs, unless it is forced", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const service = { name: "web", type: "service", count: 2, task: cores(1000) } as const;
    await home.submit(service);
    const more = await home.plan({ ...service, count: 3 });
    assert.deepEqual([more.stayCount, more.stopCount, more.slotCount], [2, 0, 1]);
    assert.deepEqual(more.places.map(({ placement }) => placement.slot.partition), [2]);
    const fewer = await home.plan({ ...service, count: 1 });
    assert.deepEqual([fewer.stayCount, fewer.stopCount, fewer.slotCount], [1, 1, 0]);
    assert.equal(fewer.stops[0]!.execution.partition, 1);
    const forced = await home.plan(service, true);
    assert.deepEqual([forced.stayCount, forced.stopCount, forced.slotCount], [0, 2, 2]);
    // What comes of it is what was planned.
    const { jobId } = await home.submit({ ...service, count: 3 });
    const { items } = home.desk.queries.listExecutions(jobId, { limit: 10 });
    assert.deepEqual(items.map(({ partition, jobVersion }) => [partition, jobVersion]), [[0, 2], [1, 2], [
      2,
      2,
    ]]);
  }));

Deno.test("a plan writes nothing: not a byte of the store changes, no id is drawn, no content is kept", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    await home.submit({ name: "etl", task: cores(3000) });
    await home.submit({ name: "waits", task: cores(3000) });
    const before = { bytes: home.bytes(), drawn: home.drawn(), kept: home.kept.size };
    const views = JSON.stringify(home.store.projection.nodes);
    const contents = new Map([["sha256:00", new Uint8Array(9)]]);
    for (const change of [{}, { name: "etl" }, { name: "etl", count: 300 }, { task: cores(9000) }]) {
      await home.desk.plan({ spec: aSpec(change), contents });
    }
    home.turn();
    assert.deepEqual({ bytes: home.bytes(), drawn: home.drawn(), kept: home.kept.size }, before);
    assert.equal(JSON.stringify(home.store.projection.nodes), views);
  }));

Deno.test("the same specification changes nothing, unless it is forced", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const { jobId } = await home.submit({ name: "etl" });
    const same = await home.plan({ name: "etl" });
    assert.deepEqual([same.action, same.known!.id, same.version, same.places], ["none", jobId, 1, []]);
    const forced = await home.plan({ name: "etl" }, true);
    assert.deepEqual([forced.action, forced.version, forced.places.length], ["update", 2, 1]);
  }));

Deno.test("a new version tells which executions would make way, and finds room beside them", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    await home.submit({ name: "etl", count: 2, task: cores(1500) });
    const plan = await home.plan({ name: "etl", count: 2, task: cores(1000) });
    assert.deepEqual([plan.action, plan.version, plan.stopCount], ["update", 2, 2]);
    assert.deepEqual(plan.stops.map(({ execution }) => execution.jobVersion), [1, 1]);
    // 3 of 4 cores are held until what runs has ended.
    assert.deepEqual([plan.places.length, plan.unplaced!.count, plan.unplaced!.wouldFail], [1, 1, false]);
    assert.deepEqual(plan.nodes!.groups.map(({ verdict }) => verdict), ["full"]);
  }));

Deno.test("what would find no node fails, or waits if it was given time", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const never = await home.plan({ task: cores(9000) });
    assert.deepEqual([never.unplaced!.count, never.unplaced!.wouldFail], [1, true]);
    const timeouts = { executionMs: 0, queueMs: 60_000, totalMs: 0 };
    const waits = await home.plan({ task: { ...cores(9000), timeouts } });
    assert.equal(waits.unplaced!.wouldFail, false);
  }));

Deno.test("behind others that ask for the same nothing is placed, unless it goes first", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    await home.submit({ task: cores(3000) });
    await home.submit({ task: cores(3000) });
    const behind = await home.plan({ task: cores(3000) });
    assert.deepEqual([behind.places.length, behind.unplaced!.isBehindOthers], [0, true]);
    const first = await home.plan({ task: cores(3000), priority: 1 });
    assert.equal(first.unplaced!.isBehindOthers, false);
    const other = await home.plan({ task: cores(500) });
    assert.deepEqual([other.places.length, other.unplaced], [1, undefined]);
  }));

Deno.test("a plan beyond the quota of its namespace says so, also of the nodes that have room", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    setNamespace({ store: home.store, nudgeTurn: () => {} }, "default", { quota: { cpuMillis: 1500 } });
    const plan = await home.plan({ count: 2, task: cores(1000) });
    assert.deepEqual([plan.places.length, plan.unplaced?.count], [1, 1]);
    assert.match(plan.unplaced!.refusal.message, /of its quota/);
    assert.deepEqual([plan.nodes?.fitCount, plan.nodes?.groups[0]?.reason?.filter], [0, "quota"]);
    const within = await home.plan({ task: cores(500) });
    assert.equal(within.nodes?.fitCount, 1);
  }));

Deno.test("a plan is refused as the submission would be", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const code = async (change: Partial<JobSpec>) =>
      await home.plan(change).then(() => "none", (error: AppError) => error.code);
    assert.equal(await code({ name: "j-0123abcd" }), "invalid");
    const params = { Digest: `sha256:${"0".repeat(64)}`, SizeBytes: 1 };
    const source = { type: "inline", params };
    assert.equal(await code({ task: aTask({ inputs: [{ source, alias: "a", target: "/a" }] }) }), "invalid");
    home.refuse(new AppError("disk_full", "full"));
    assert.equal(await code({}), "disk_full");
  }));

Deno.test("on a full disk a rerun is refused as a submission is", () =>
  anOrchestrator([{ id: id(0) }], async (home) => {
    const { jobId } = await home.submit({});
    await home.desk.stop(jobId, { reason: "enough" });
    home.refuse(new AppError("disk_full", "full"));
    await assert.rejects(home.desk.rerun(jobId, { reason: "again" }), { code: "disk_full" });
    assert.equal(home.store.jobs.find(jobId)!.job.version, 1);
  }));

Deno.test("a plan of many on many nodes is bounded, and lets others have their turn", () =>
  anOrchestrator(Array.from({ length: 3000 }, (_, at) => ({ id: id(at) })), async (home) => {
    let turns = 0;
    let isOver = false;
    const others = (async () => {
      while (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        turns++;
      }
    })();
    const plan = await home.plan({ count: LIMITS.jobCountMax });
    isOver = true;
    await others;
    assert.deepEqual([plan.places.length, plan.untriedCount], [
      LIMITS.plannedMax,
      LIMITS.jobCountMax - LIMITS.plannedMax,
    ]);
    assert.ok(turns >= LIMITS.plannedMax / LIMITS.placementsPerPlan, `${turns} turns`);
    const nodes = plan.places.map(({ placement }) => placement.nodeId);
    assert.equal(new Set(nodes).size > 1, true);
  }));
