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

Deno.test("a queue time-out costs a job of many partitions next to nothing when each of them begins", async () => {
  const COUNT = 1_000;
  const beginMs = async (queueMs: number, type: "batch" | "service") => {
    const resources = { ...task.resources, cpuMillis: 1, memoryBytes: 0 };
    const spec = { task: { ...task, resources, timeouts: { ...task.timeouts, queueMs } }, retry, type };
    const { report, store, jobId } = await aHome({ ...spec, count: COUNT });
    const { row } = store.jobs.find(jobId)!;
    const executions = store.executions.liveOf(row);
    assert.equal(executions.length, COUNT);
    const fromMs = performance.now();
    for (const { id } of executions) report("running", id);
    return performance.now() - fromMs;
  };
  for (const type of ["batch", "service"] as const) {
    const [without, withOne] = [await beginMs(0, type), await beginMs(3_600_000, type)];
    assert.ok(withOne < 5 * without + 500, `${type}: ${withOne} ms, without ${without} ms`);
  }
});
