import assert from "node:assert/strict";
import type { Execution } from "../../shared/model/execution.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { aHome } from "../../tests/support/home_fixture.ts";

const SERVICE = { type: "service", name: "web", count: 2 } as const;
const ROOM = { placeCount: 2, rowsMax: 10_000 };

Deno.test("of a job without an end the newest executions stay, the latest of each partition, and what may run", async () => {
  const { store, jobId, executionId } = await aHome(SERVICE);
  const { row } = store.jobs.find(jobId)!;
  const first = store.executions.find(executionId)!.execution;
  const put = (id: string, change: Partial<Execution>) =>
    store.transaction(() =>
      store.executions.insert({ jobRow: row, execution: { ...first, id: id as ExecutionId, ...change } })
    );
  const trim = () => store.transaction(() => store.endless.trimExecutions(row, ROOM));
  put("e-lost", { phase: "lost", attempt: 1 });
  put("e-told", { phase: "lost", attempt: 1, desired: "stop" });
  put("e-alone", { phase: "failed", partition: 7 });
  for (let attempt = 2; attempt < 1_202; attempt++) put(`e-${attempt}`, { phase: "failed", attempt });
  const { executions, rowCount } = trim();
  assert.deepEqual([executions, rowCount], [[], 201]);
  for (const id of [executionId, "e-lost", "e-alone", "e-202", "e-1201"]) {
    assert.ok(store.executions.find(id) !== undefined, id);
  }
  assert.equal(store.executions.find("e-told"), undefined, "it is lost, and was told to stop");
  assert.equal(store.executions.find("e-201"), undefined);
  assert.equal(trim().rowCount, 0);
  assert.deepEqual(store.endless.live(0, 10), [row]);
});

Deno.test("what pauses between two failures is looked through too", async () => {
  const { store, jobId, executionId, report, plan, stop } = await aHome({ type: "service" });
  const { row } = store.jobs.find(jobId)!;
  report("failed", executionId, { code: "program_failed", message: "no config" });
  plan();
  assert.deepEqual([store.executions.liveOf(row), store.endless.live(0, 10)], [[], [row]]);
  assert.deepEqual(store.endless.live(row, 10), []);
  stop();
  plan();
  assert.deepEqual(store.endless.live(0, 10), []);
});

Deno.test("of its events the newest stay", async () => {
  const { store, jobId } = await aHome(SERVICE);
  const found = store.jobs.find(jobId)!;
  store.transaction(() => {
    for (let at = 0; at < 5_100; at++) store.record(found, { topic: "Restart", message: `${at}` });
  });
  const count = () =>
    Number(store.database.get("SELECT count(*) AS n FROM ledger WHERE subject = ?", found.row)!.n);
  const before = count();
  const trim = (rowsMax: number) => store.transaction(() => store.endless.trimEvents(found.row, rowsMax));
  assert.equal(trim(40), 40);
  trim(10_000);
  assert.deepEqual([before > 5_100, count()], [true, 5_000]);
});
