/** A store with many jobs and a long ledger: start, listing and submission must not notice. */
import { composeOrchestrator } from "../../orchestrator/flow/compose.ts";
import { APPLICATION_ID, MIGRATIONS } from "../../orchestrator/store/migrations.ts";
import { hashOfSpec } from "../../orchestrator/store/jobs.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { newJobId } from "../../shared/model/ids.ts";
import { systemIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import { aSpec, someContents } from "../support/builders.ts";
import { type Figure, median } from "./report.ts";

const LEDGER_ENTRIES_PER_JOB = 10;

function open(path: string) {
  const database = Database.open({ path, migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  const program = composeOrchestrator({
    self: orchestratorPeer("n-hub"),
    database,
    bus: openEmbeddedBus(),
    clock: systemClock,
    ids: systemIds,
    contents: someContents(),
    refuses: () => undefined,
    nudge: () => {},
  });
  return { ...program, database, closeAll: () => (program.close(), database.close()) };
}

type Opened = ReturnType<typeof open>;

async function submitMs({ desk, stages }: Opened, rounds: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    const answer = desk.submit({ spec: aSpec({ labels: { round: `${round}` } }), contents: new Map() });
    await Promise.resolve();
    await stages.find(({ name }) => name === "turn")!.tick();
    await answer;
    times.push(performance.now() - startMs);
  }
  return median(times);
}

function fill({ store }: Opened, jobCount: number): void {
  for (let done = 0; done < jobCount; done += 2000) {
    store.transaction(() => {
      for (let count = 0; count < 2000; count++) {
        const id = newJobId(systemIds);
        const spec = aSpec({ name: id, labels: { team: `t${count % 10}` } });
        const job = {
          ...{ id, spec, version: 1, revision: 3, phase: "completed" as const, completedCount: 1 },
          ...{ createdAtMs: store.nowMs(), modifiedAtMs: store.nowMs() },
        };
        const row = store.jobs.insert(job, hashOfSpec(spec));
        for (let entry = 0; entry < LEDGER_ENTRIES_PER_JOB; entry++) {
          store.record({ row, job }, { topic: "State Update", message: `Step ${entry}` });
        }
      }
    });
  }
}

export async function benchLargeStore({ jobCount }: { jobCount: number }): Promise<Figure[]> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  const path = `${folder}/orchestrator.db`;
  const first = open(path);
  const emptyMs = await submitMs(first, 200);
  fill(first, jobCount);
  first.closeAll();

  const startMs = performance.now();
  const again = open(path);
  const openMs = performance.now() - startMs;
  const listMs = median(Array.from({ length: 21 }, () => {
    const listStartMs = performance.now();
    again.desk.queries.listJobs({ limit: 10, isReversed: true });
    return performance.now() - listStartMs;
  }));
  const fullMs = await submitMs(again, 200);
  again.closeAll();
  await Deno.remove(folder, { recursive: true });
  const how = `${jobCount.toLocaleString("en")} jobs, ${
    (jobCount * LEDGER_ENTRIES_PER_JOB).toLocaleString("en")
  } ledger entries`;
  return [
    { name: "start on a large store", value: openMs / 1000, unit: "s", aim: "≤ 1", how },
    { name: "job list", value: listMs, unit: "ms", aim: "≤ 20", how },
    {
      name: "submission, large ÷ empty store",
      value: fullMs / emptyMs,
      unit: "×",
      aim: "≤ 1.5",
      how: `${how}; median of 200`,
    },
  ];
}
