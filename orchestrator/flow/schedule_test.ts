import assert from "node:assert/strict";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import { newJobId, type NodeId } from "../../shared/model/ids.ts";
import { aSpec, someFacts } from "../../tests/support/builders.ts";
import { aHome } from "../../tests/support/home_fixture.ts";
import { admit } from "../core/admit.ts";
import { Schedule } from "./schedule.ts";

/** A home that knows far more nodes than one plan places on. */
async function aFleet() {
  const home = await aHome();
  const ids = Array.from({ length: LIMITS.placementsPerPlan * 2 }, (_, at) => `n-fleet-${at}` as NodeId);
  for (const id of ids) home.join(someFacts({ id }));
  const setConnected = (id: NodeId, isConnected: boolean) => {
    const { node } = home.store.projection.find(id)!;
    home.store.projection.putNode({ ...node, connection: isConnected ? "connected" : "disconnected" });
  };
  return { ...home, ids, setConnected };
}

Deno.test("a daemon comes to rest while more nodes are away than one plan places on, and to those that are there", async () => {
  const { ids, setConnected, submit, store } = await aFleet();
  for (const id of ids.slice(0, -1)) setConnected(id, false);
  const jobId = await submit({ name: "watch", type: "daemon" });
  assert.equal(store.waiting.dueCount, 0);
  const placed = store.executions.liveOf(store.jobs.find(jobId)!.row).map(({ nodeId }) => nodeId);
  assert.ok(placed.includes(ids.at(-1)!), "nobody waits behind nodes that are away");
});

Deno.test("a daemon comes to all nodes, plan after plan", async () => {
  const { ids, submit, store } = await aFleet();
  const jobId = await submit({ name: "watch", type: "daemon" });
  const live = store.executions.liveOf(store.jobs.find(jobId)!.row);
  assert.equal(live.length, ids.length + 1);
  assert.equal(new Set(live.map(({ partition }) => partition)).size, live.length);
});

Deno.test("a job goes on past an ended execution whose record cannot be read", async () => {
  const retry = { attempts: 3, lostAttempts: 3, delayMs: 0 };
  for (const type of ["batch", "service"] as const) {
    const { store, executionId, report, plan, pass } = await aHome({ type, retry });
    report("failed", executionId, { code: "program_failed", message: "no" });
    const { database } = store;
    database.transaction(() =>
      database.run("UPDATE executions SET body = replace(body, 'failed', 'fooled') WHERE id = ?", executionId)
    );
    pass(60_000);
    const [again] = plan();
    assert.equal(again?.desired, "run", type);
    assert.equal(store.executions.find(again!.executionId)?.execution.attempt, 1);
  }
});

Deno.test("a tick plans for a bounded time, at least one job, and leaves the rest to the next", async () => {
  const { store } = await aHome();
  const { database, lifetime, clock } = store;
  const deadlines = new Deadlines({ database, lifetime, clock, nudge: () => {} });
  const schedule = new Schedule({ store, deadlines, send: () => {} });
  const jobs = [1, 2, 3, 4].map(() => {
    const id = newJobId(store.ids);
    const job = admit({ spec: aSpec({}), id, nowMs: 0, sameName: undefined, isForced: false });
    return store.transaction(() => {
      const row = store.jobs.insert(job, id);
      store.evaluate({ row, job }, "job_register");
      return row;
    });
  });
  // Each look at the clock takes its time.
  let nowMs = 0;
  Object.assign(clock, { uptimeMs: () => nowMs += LIMITS.planMs / 2 });
  let ticks = 1;
  while (schedule.tick()) ticks++;
  assert.ok(ticks > 1 && ticks <= jobs.length, `${ticks}`);
  for (const row of jobs) assert.equal(store.executions.liveOf(row).length, 1);
});
