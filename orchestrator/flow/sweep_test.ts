import assert from "node:assert/strict";
import { Database } from "../../shared/ledger/database.ts";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import { newJobId } from "../../shared/model/ids.ts";
import { seededIds } from "../../shared/random.ts";
import { aSpec } from "../../tests/support/builders.ts";
import { admit } from "../core/admit.ts";
import { APPLICATION_ID, MIGRATIONS } from "../store/migrations.ts";
import { Store } from "../store/store.ts";
import { Sweep } from "./sweep.ts";

Deno.test("many deadlines that pass together are acted on in steps", () => {
  using database = Database.open({ path: ":memory:", migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  let nowMs = 0;
  const clock = { wallMs: () => nowMs, uptimeMs: () => nowMs, after: () => () => {} };
  const store = new Store({ database, clock, ids: seededIds(1) });
  const deadlines = new Deadlines({ database, clock, lifetime: store.lifetime, nudge: () => {} });
  const sweep = new Sweep({ store, deadlines, nudgeSchedule: () => {} });
  store.transaction(() => {
    for (let count = 0; count < LIMITS.deadlinesPerTick + 10; count++) {
      const id = newJobId(store.ids);
      const job = admit({ spec: aSpec(), id, nowMs: 1, sameName: undefined, isForced: false });
      store.jobs.insert(job, "hash");
      deadlines.set(job.id, "total", 1_000);
    }
  });
  nowMs = 1_000;
  const failed = () => Number(database.get("SELECT count(*) AS n FROM jobs WHERE phase = 'failed'")!.n);
  assert.deepEqual([sweep.tick(), failed()], [true, LIMITS.deadlinesPerTick]);
  assert.deepEqual([sweep.tick(), failed()], [false, LIMITS.deadlinesPerTick + 10]);
});
