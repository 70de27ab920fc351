import assert from "node:assert/strict";
import { aTask } from "../../tests/support/builders.ts";
import { aHome } from "../../tests/support/home_fixture.ts";

const retry = { attempts: 0, lostAttempts: 2 };
const task = aTask({ timeouts: { executionMs: 0, queueMs: 5_000, totalMs: 0 } });

Deno.test("a job that finds no place within its queue time-out fails", async () => {
  const tooLarge = { ...task, resources: { ...task.resources, cpuMillis: 1_000_000 } };
  const { job, pass } = await aHome({ retry, task: tooLarge });
  pass(4_999);
  assert.equal(job().phase, "queued");
  pass(1);
  assert.deepEqual([job().phase, job().code], ["failed", "queue_timed_out"]);
  // Waiting longer would not help it.
  assert.match(job().hint!, /^Ask for less/);
});

Deno.test("a job that runs does not wait, however long it runs", async () => {
  const { job, pass, report } = await aHome({ retry, task });
  report("running");
  pass(60_000);
  assert.equal(job().phase, "running");
});

Deno.test("a job that waits again is given its whole queue time-out again", async () => {
  const { job, pass, report, lose, plan, setConnected } = await aHome({ retry, task });
  report("running");
  pass(4_000);
  lose();
  setConnected(false);
  plan();
  assert.equal(job().phase, "queued");
  pass(4_999);
  assert.equal(job().phase, "queued");
  pass(1);
  assert.deepEqual([job().phase, job().code], ["failed", "queue_timed_out"]);
  assert.match(job().hint!, /let it wait longer/);
});

Deno.test("a replacement that stands in a node's queue waits as well", async () => {
  const { job, pass, report, lose, plan } = await aHome({ retry, task });
  report("running");
  pass(60_000);
  lose();
  const [order] = plan();
  report("queued", order!.executionId);
  pass(5_000);
  assert.deepEqual([job().phase, job().code], ["failed", "queue_timed_out"]);
});

Deno.test("a job that takes too long in all is told of its own time-out, not of its task's", async () => {
  const { job, pass, report } = await aHome({
    task: aTask({ timeouts: { executionMs: 0, queueMs: 0, totalMs: 5_000 } }),
  });
  report("running");
  pass(5_000);
  assert.deepEqual([job().phase, job().code], ["failed", "job_timed_out"]);
  assert.match(job().hint!, /TotalTimeout/);
});

Deno.test("the time-outs of a job begin anew with a new version", async () => {
  const timeouts = { executionMs: 0, queueMs: 0, totalMs: 10_000 };
  const { job, pass, report, rerun, plan } = await aHome({ retry, task: aTask({ timeouts }) });
  report("running");
  pass(8_000);
  rerun();
  plan();
  pass(9_999);
  assert.deepEqual([job().version, job().code], [2, undefined]);
  pass(1);
  assert.equal(job().code, "job_timed_out");
});

Deno.test("a queue time-out costs a job of many partitions next to nothing when each of them begins", async () => {
  const COUNT = 300;
  const resources = { ...task.resources, cpuMillis: 1, memoryBytes: 0 };
  for (const type of ["batch", "service"] as const) {
    const { report, store, jobId } = await aHome({ task: { ...task, resources }, retry, type, count: COUNT });
    const executions = store.executions.liveOf(store.jobs.find(jobId)!.row);
    assert.equal(executions.length, COUNT);
    let rowCount = 0;
    const all = store.database.all.bind(store.database);
    Object.assign(store.database, {
      all: (...asked: Parameters<typeof all>) => {
        const rows = all(...asked);
        rowCount += rows.length;
        return rows;
      },
    });
    for (const { id } of executions) report("running", id);
    assert.ok(rowCount < 5 * COUNT, `${type}: ${rowCount} rows`);
  }
});
