import assert from "node:assert/strict";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { encodeBody } from "../../shared/ledger/body.ts";
import { Damaged } from "../../shared/ledger/damaged.ts";
import { Database } from "../../shared/ledger/database.ts";
import { seededIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import { aNode, aSpec, someContents } from "../../tests/support/builders.ts";
import { newJobId } from "../../shared/model/ids.ts";
import { admit } from "../core/admit.ts";
import { composeOrchestrator } from "../flow/compose.ts";
import { Executions } from "./executions.ts";
import { APPLICATION_ID, MIGRATIONS } from "./migrations.ts";

Deno.test("a damaged record of one job costs no other job, and is told", async () => {
  using database = Database.open({ path: ":memory:", migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  const told: string[] = [];
  const program = composeOrchestrator({
    self: orchestratorPeer("n-hub"),
    database,
    bus: openEmbeddedBus(),
    clock: systemClock,
    ids: seededIds(1),
    contents: someContents(),
    refuses: () => undefined,
    onDamaged: (_, about) => told.push(about),
    nudge: () => {},
  });
  const { store, desk, stages } = program;
  store.transaction(() => {
    store.nodes.put(aNode());
    store.projection.putNode(aNode());
  });
  const submit = () => {
    const job = admit({
      spec: aSpec(),
      id: newJobId(store.ids),
      nowMs: 0,
      sameName: undefined,
      isForced: false,
    });
    store.evaluate({ row: store.jobs.insert(job, "hash"), job }, "job_register");
    return job.id;
  };
  const damaged = store.transaction(submit);
  store.jobs.forgetSpecs();
  database.transaction(() => database.run("UPDATE job_versions SET body = replace(body, 'wasm', 'wasn')"));
  const whole = store.transaction(submit);
  await stages.find(({ name }) => name === "turn")!.tick();
  assert.equal(desk.queries.listExecutions(whole, { limit: 10 }).items.length, 1);
  assert.throws(() => desk.queries.getJob(damaged), /checksum/);
  for (const orderBy of ["created", "modified"] as const) {
    for (const limit of [1, 10]) {
      const { items, next } = desk.queries.listJobs({ limit, orderBy });
      assert.deepEqual([items.map(({ id }) => id), next], [[whole], undefined]);
    }
  }
  assert.deepEqual(told, ["job in row 1"]);
  program.close();
});

Deno.test("a store from before health had a column knows the health of what lives, and a damaged record costs nothing", () => {
  const path = Deno.makeTempFileSync({ suffix: ".db" });
  const options = { path, applicationId: APPLICATION_ID };
  try {
    const before = Database.open({ ...options, migrations: MIGRATIONS.slice(0, 3) });
    const told = encodeBody({ health: { status: "unhealthy", sinceAtMs: 1 }, restarts: 2 });
    before.transaction(() => {
      for (const [partition, body] of [told, encodeBody({}), told.slice(0, -1)].entries()) {
        before.run(
          `INSERT INTO executions (id, job_row, job_version, partition, attempt, node_id, phase, desired, cpu_millis,
             memory_bytes, disk_bytes, gpu_count, modified_at_ms, body)
           VALUES (?, 1, 1, ?, 0, 'n-0', 'running', 'run', 0, 0, 0, 0, 0, ?)`,
          `e-${partition}`,
          partition,
          body,
        );
      }
    });
    before.close();
    using database = Database.open({ ...options, migrations: MIGRATIONS });
    const executions = new Executions(database, new Damaged());
    assert.deepEqual(
      executions.latestOf(1, 1).open.map(({ id, health, restarts }) => [id, health, restarts]),
      [["e-0", "unhealthy", 2], ["e-1", undefined, undefined], ["e-2", undefined, undefined]],
    );
    assert.equal(executions.upCount(1), 2);
  } finally {
    Deno.removeSync(path);
  }
});
