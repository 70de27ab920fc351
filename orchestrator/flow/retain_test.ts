import assert from "node:assert/strict";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import type { Job } from "../../shared/model/job.ts";
import type { Order } from "../../shared/model/order.ts";
import { seededIds } from "../../shared/random.ts";
import { aNode, aSpec, someContents, someResources } from "../../tests/support/builders.ts";
import { APPLICATION_ID, MIGRATIONS } from "../store/migrations.ts";
import { Store } from "../store/store.ts";
import { KeepContents } from "./keep_contents.ts";
import { prune } from "./prune.ts";
import { Retain } from "./retain.ts";

const DAY_MS = 86_400_000;
const KEPT_MS = 30 * DAY_MS;

/** A home that only keeps jobs. Its clocks are moved by hand. */
function aKeeper({ countMax = 1_000 } = {}) {
  const database = Database.open({ path: ":memory:", migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  const clocks = { uptimeMs: 0, wallMs: 1e12 };
  const clock: Clock = {
    wallMs: () => clocks.wallMs,
    uptimeMs: () => clocks.uptimeMs,
    after: (delayMs, call) => systemClock.after(delayMs, call),
  };
  const orders: (readonly [peer: string, order: Order])[] = [];
  const kept = new Map<string, Uint8Array>();
  let count = 0;
  const open = () => {
    const store = new Store({ database, clock, ids: seededIds(1) });
    const retain = new Retain({
      ...{ store, clock },
      keepContents: new KeepContents({ store, contents: someContents(kept) }),
      send: (peer, { body }) => void orders.push([peer, body as Order]),
      retention: { keptMs: KEPT_MS, countMax },
      nudge: () => {},
    });
    return { store, retain };
  };
  let program = open();
  program.store.transaction(() => {
    const node = aNode();
    program.store.nodes.put(node);
    program.store.projection.putNode(node);
  });
  const keeper = {
    ...{ database, clocks, orders, kept },
    get store() {
      return program.store;
    },
    /** A job with one execution, three events, a token and a content. */
    put(phase: Job["phase"], { executionCount = 1, digest = "" } = {}) {
      const { store } = program;
      const id = `j-${String(++count).padStart(4, "0")}` as JobId;
      const spec = aSpec({ name: id, count: executionCount });
      const times = { createdAtMs: store.nowMs(), modifiedAtMs: store.nowMs() };
      const job: Job = { id, spec, version: 1, revision: 1, phase, completedCount: 0, ...times };
      store.transaction(() => {
        const row = store.jobs.insert(job, "hash");
        store.jobs.insertSubmission({
          token: `t-${id}`,
          jobRow: row,
          specHash: "",
          evaluationId: "",
          nowMs: 0,
        });
        if (digest !== "") store.jobs.useContent(row, digest);
        for (let partition = 0; partition < executionCount; partition++) {
          const execution = {
            ...{
              id: `e-${id}-${partition}`,
              jobId: id,
              jobVersion: 1,
              namespace: "default",
              partition,
              attempt: 0,
            },
            ...{ nodeId: "n-0" as NodeId, evaluationId: "v", resources: someResources(), desired: "run" },
            explanation: { nodesKnown: 1, nodesFit: 1, rejectedBy: {}, scores: {} },
            phase: phase === "running" ? "running" : "completed",
            result: { type: "local", params: {} },
            ...{ reportRevision: 1, revision: 1, createdAtMs: 0, modifiedAtMs: 0 },
          } as unknown as Execution;
          store.executions.insert({ jobRow: row, execution });
          for (const message of ["one", "two", "three"]) {
            store.record({ row, job }, { topic: "Execution", message });
          }
        }
      });
      return id;
    },
    /** Time goes by while it runs; answers how many ticks it took to come to rest. */
    pass(ms: number) {
      clocks.uptimeMs += ms;
      clocks.wallMs += ms;
      let ticks = 1;
      while (program.retain.tick()) ticks++;
      return ticks;
    },
    restart() {
      program.store.lifetime.checkpoint({ afterMs: 0 });
      program = open();
    },
    /** Somebody asks for room. */
    prune: (olderThanMs: number, isDry = false) =>
      prune(
        {
          store: program.store,
          retain: program.retain,
          bus: openEmbeddedBus(),
          agent: "n-0/agent",
          unsentCount: () => 0,
        },
        { kinds: ["jobs"], olderThanMs, isDry },
      ),
    jobs: () => database.all("SELECT id FROM jobs ORDER BY row").map(({ id }) => String(id)),
    rows: (table: string) => Number(database.get(`SELECT count(*) AS n FROM ${table}`)!.n),
  };
  return keeper;
}

Deno.test("an ended job is kept for its time, then forgotten with all that belongs to it; its node is told", async () => {
  const { put, pass, jobs, rows, orders, kept, database } = aKeeper();
  kept.set("sha256:a", new Uint8Array());
  kept.set("sha256:b", new Uint8Array());
  const old = put("completed", { digest: "sha256:a" });
  const running = put("running", { digest: "sha256:b" });
  pass(KEPT_MS);
  assert.deepEqual(jobs(), [old, running]);
  const newest = put("failed", { digest: "sha256:b" });
  pass(60_001);
  assert.deepEqual(jobs(), [running, newest]);
  assert.deepEqual(
    ["executions", "job_versions", "content_uses", "submissions", "ledger"].map(rows),
    [2, 2, 2, 2, 6],
  );
  assert.deepEqual(orders, [["n-0/agent", { desired: "forget", executionId: `e-${old}-0` }]]);
  await Promise.resolve();
  assert.deepEqual([...kept.keys()], ["sha256:b"]);
  assert.equal(database.get("SELECT 1 FROM ledger WHERE subject NOT IN (SELECT row FROM jobs)"), undefined);
});

Deno.test("the newest of too many ended jobs are kept, and every live one", () => {
  const { put, pass, jobs } = aKeeper({ countMax: 2 });
  const live = put("running");
  const ended = [1, 2, 3, 4, 5].map(() => (pass(1), put("completed")));
  pass(60_000);
  assert.deepEqual(jobs(), [live, ...ended.slice(3)]);
});

Deno.test("a wrong wall clock makes nothing old, and time without the orchestrator does not count", () => {
  const keeper = aKeeper();
  const id = keeper.put("completed");
  keeper.put("running");
  keeper.clocks.wallMs += 400 * DAY_MS;
  keeper.pass(DAY_MS);
  keeper.restart();
  keeper.clocks.uptimeMs = 0;
  keeper.restart();
  keeper.clocks.wallMs -= 800 * DAY_MS;
  keeper.pass(28 * DAY_MS);
  assert.equal(keeper.jobs()[0], id);
  keeper.pass(2 * DAY_MS);
  assert.notEqual(keeper.jobs()[0], id);
});

Deno.test("a large job is forgotten in steps", () => {
  const { put, pass, jobs, rows } = aKeeper();
  put("completed", { executionCount: 2_000 });
  const newest = put("completed");
  const ticks = pass(KEPT_MS + 1);
  assert.deepEqual([jobs(), rows("executions"), rows("ledger")], [[newest], 1, 3]);
  assert.ok(ticks >= 8_000 / LIMITS.rowsRemovedPerTick, `${ticks} ticks`);
});

Deno.test("a job with something due or at work is kept, however old", () => {
  const { put, pass, jobs, store } = aKeeper();
  const old = put("stopped");
  put("running");
  store.transaction(() => store.evaluate(store.jobs.find(old)!, "job_stop"));
  pass(KEPT_MS + 1);
  assert.equal(jobs()[0], old);
  store.transaction(() => store.evaluations.delete(1));
  pass(60_000);
  assert.notEqual(jobs()[0], old);
});

/** The clock's timers keep no process alive. */
async function awake(work: () => Promise<void>): Promise<void> {
  const alive = setInterval(() => {}, 1_000);
  try {
    await work();
  } finally {
    clearInterval(alive);
  }
}

Deno.test("pruning forgets what ended so long ago, and nothing that runs; a dry run only counts it", () =>
  awake(async () => {
    const { put, pass, prune, jobs, orders } = aKeeper();
    const old = [put("completed"), put("failed")];
    const running = put("running");
    pass(2 * DAY_MS);
    const recent = put("stopped");
    put("running");
    const dry = await prune(DAY_MS, true);
    const none = { count: 0, bytes: 0 };
    assert.deepEqual(dry.items, [
      { kind: "jobs", held: { count: 3, bytes: 0 }, mayGo: { count: 2, bytes: 0 }, gone: none, stays: [] },
    ]);
    assert.equal(jobs().length, 5);
    const { items, isMore } = await prune(DAY_MS);
    assert.deepEqual([items[0]!.gone.count, items[0]!.held.count, items[0]!.mayGo.count, isMore], [
      2,
      1,
      0,
      false,
    ]);
    assert.deepEqual(jobs().slice(0, 2), [running, recent]);
    assert.deepEqual(orders.map(([, order]) => order.executionId), old.map((id) => `e-${id}-0`));
  }));

Deno.test("pruning goes past jobs that are not at rest, and says that they stay", () =>
  awake(async () => {
    const { put, prune, jobs, store } = aKeeper();
    const busy = put("stopped");
    for (let at = 0; at < 600; at++) put("completed");
    const running = put("running");
    store.transaction(() => store.evaluate(store.jobs.find(busy)!, "job_stop"));
    let goneCount = 0;
    for (let isMore = true; isMore;) {
      const pruned = await prune(0);
      goneCount += pruned.items[0]!.gone.count;
      ({ isMore } = pruned);
      assert.deepEqual(pruned.items[0]!.stays, ["1 of which something is still at work, or the newest"]);
    }
    assert.equal(goneCount, 600);
    assert.deepEqual(jobs(), [busy, running]);
  }));
