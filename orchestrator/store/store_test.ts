import assert from "node:assert/strict";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { seededIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import { aNode, aSpec, someContents } from "../../tests/support/builders.ts";
import { newJobId } from "../../shared/model/ids.ts";
import { admit } from "../core/admit.ts";
import { composeOrchestrator } from "../flow/compose.ts";
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
