import assert from "node:assert/strict";
import { aTask, someFacts } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { snapshotFor } from "./dispatch.ts";

Deno.test("a lost execution that turns out to run holds its room again, and gives it back once", async () => {
  const { report, lose, held, phase } = await aHome({ retry: { attempts: 0, lostAttempts: 0 } });
  report("running");
  const before = held();
  lose();
  assert.deepEqual([phase(), held()], ["lost", NO_RESOURCES]);
  report("publishing");
  assert.deepEqual([phase(), held()], ["publishing", before]);
  report("completed");
  assert.deepEqual([phase(), held()], ["completed", NO_RESOURCES]);
});

Deno.test("what is lost is told to stop when its job is over: it may be running", async () => {
  const { report, lose, stop, plan, executionId, store } = await aHome({
    retry: { attempts: 0, lostAttempts: 2 },
  });
  report("running");
  lose();
  stop();
  assert.deepEqual(plan().map(({ desired, executionId }) => [desired, executionId]), [["stop", executionId]]);
  assert.equal(store.executions.find(executionId)!.execution.desired, "stop");
  assert.deepEqual(plan(), []);
});

Deno.test("a record that cannot be read keeps no other from being given up, and no other deadline from passing", async () => {
  const { lose, plan, job, store, executionId, report, pass } = await aHome({
    count: 3,
    task: aTask({ timeouts: { executionMs: 0, queueMs: 0, totalMs: 1_000 } }),
  });
  report("running");
  const { database } = store;
  database.transaction(() =>
    database.run("UPDATE executions SET body = replace(body, 'running', 'rumming') WHERE id = ?", executionId)
  );
  lose();
  const phases = database.all("SELECT phase FROM executions ORDER BY row").map(({ phase }) => phase);
  assert.deepEqual(phases, ["running", "lost", "lost"]);
  plan();
  assert.equal(database.get("SELECT count(*) AS n FROM executions WHERE attempt = 1")?.n, 2);
  pass(1_000);
  assert.equal(job().code, "job_timed_out");
  assert.deepEqual(plan().map(({ desired }) => desired), ["stop", "stop", "stop", "stop"]);
});

Deno.test("what runs of a job that cannot be read is given up with the others", async () => {
  const { lose, report, held, store, phase } = await aHome({ count: 2 });
  report("running");
  store.jobs.forgetSpecs();
  const { database } = store;
  database.transaction(() => database.run("UPDATE job_versions SET body = replace(body, 'wasm', 'wasn')"));
  lose();
  assert.deepEqual([phase(), held()], ["lost", NO_RESOURCES]);
});

Deno.test("an execution of a job that cannot be read gives its room back all the same", async () => {
  const { report, held, store, jobId, phase, pass } = await aHome({
    task: aTask({ timeouts: { executionMs: 0, queueMs: 0, totalMs: 1_000 } }),
  });
  report("running");
  store.jobs.forgetSpecs();
  const { database } = store;
  database.transaction(() => database.run("UPDATE job_versions SET body = replace(body, 'wasm', 'wasn')"));
  assert.throws(() => store.jobs.find(jobId), /checksum/);
  report("completed");
  assert.deepEqual([phase(), held()], ["completed", NO_RESOURCES]);
  pass(2_000);
});

Deno.test("a late result is accepted, and what replaced it is stopped", async () => {
  const { report, lose, plan, job, executionId } = await aHome({ retry: { attempts: 0, lostAttempts: 2 } });
  report("running");
  lose();
  const [replacement] = plan();
  assert.equal(replacement?.desired, "run");
  report("completed");
  const orders = plan();
  assert.deepEqual(orders.map(({ desired, executionId }) => [desired, executionId]), [
    ["stop", replacement!.executionId],
  ]);
  assert.deepEqual([job().phase, job().completedCount], ["completed", 1]);
  assert.notEqual(executionId, replacement!.executionId);
});

Deno.test("a lost execution is part of the census as long as its result is welcome, and never ordered again", async () => {
  const { lose, store, executionId, stop, plan } = await aHome({ retry: { attempts: 0, lostAttempts: 0 } });
  lose();
  const census = () => snapshotFor(store, `${NODE}/agent`);
  assert.deepEqual(census().map(({ kind }) => kind), ["census"]);
  assert.deepEqual(census()[0]!.body, { executionIds: [executionId] });
  stop();
  plan();
  assert.deepEqual(census()[0]!.body, { executionIds: [] });
});

Deno.test("what was lost of a job without an end is told to stop as soon as it has a successor", async () => {
  const other = someFacts({ id: "n-1" as typeof NODE });
  const service = await aHome({ type: "service" });
  service.report("running");
  service.join(other);
  service.lose();
  const told = service.plan().map((
    { desired, executionId },
  ) => [desired, executionId === service.executionId]);
  assert.deepEqual(told, [["run", false], ["stop", true]]);
  assert.deepEqual(service.plan(), []);

  const daemon = await aHome({ type: "daemon", count: 0 });
  daemon.report("running");
  daemon.lose();
  const orders = daemon.plan().map((
    { desired, executionId },
  ) => [desired, executionId === daemon.executionId]);
  assert.deepEqual(orders, [["run", false], ["stop", true]]);
});

Deno.test("what nodes said last is known after a rebuild too", async () => {
  const home = await aHome();
  home.hello({ refuses: "its disk is full" });
  home.store.rebuild();
  assert.equal(home.node().load?.refuses, "its disk is full");
  await home.submit({});
  assert.deepEqual(home.plan(), []);
});
