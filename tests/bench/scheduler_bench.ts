/** The scheduler alone, on Nomad's matrix: 5,000 nodes, one job of 600 executions; and one job among 10,000 nodes. */
import { composeOrchestrator } from "../../orchestrator/flow/compose.ts";
import { APPLICATION_ID, MIGRATIONS } from "../../orchestrator/store/migrations.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { systemIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import { needOf } from "../../orchestrator/core/filters.ts";
import { place } from "../../orchestrator/core/place.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { aSpec, aView, someContents } from "../support/builders.ts";
import { type Figure, median } from "./report.ts";

const nodesOf = (count: number) =>
  Array.from(
    { length: count },
    (_, index) =>
      aView({ id: `n-${String(index).padStart(6, "0")}` as NodeId, labels: { rack: `r${index % 75}` } }),
  );

const slotsOf = (count: number) =>
  Array.from({ length: count }, (_, partition) => ({ partition, attempt: 0, excluded: [], avoided: [] }));

/** Seconds of one plan, the median of several. */
function timePlan(options: { nodeCount: number; count: number; spread: string[]; rounds: number }): number {
  const spec = aSpec({ count: options.count, spread: options.spread });
  const input = {
    need: needOf(spec),
    spread: spec.spread,
    slots: slotsOf(options.count),
    nodes: nodesOf(options.nodeCount),
    sameJob: new Map(),
  };
  const times: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const startMs = performance.now();
    const { placements } = place(input);
    times.push((performance.now() - startMs) / 1000);
    if (placements.length !== options.count) {
      throw new Error(`placed ${placements.length} of ${options.count}`);
    }
  }
  return median(times);
}

export function benchScheduler(): Figure[] {
  const plain = 600 / timePlan({ nodeCount: 5000, count: 600, spread: [], rounds: 15 });
  const spread = 600 / timePlan({ nodeCount: 5000, count: 600, spread: ["rack"], rounds: 15 });
  const one = timePlan({ nodeCount: 10_000, count: 1, spread: [], rounds: 15 });
  return [
    {
      name: "place, 5,000 nodes × 600",
      value: plain,
      unit: "placements/s",
      aim: "≥ 6,000",
      how: "place(), median of 15",
    },
    {
      name: "place, spread over 75 racks",
      value: spread,
      unit: "placements/s",
      aim: "≥ 1,000",
      how: "place(), median of 15",
    },
    {
      name: "place one among 10,000 nodes",
      value: one * 1000,
      unit: "ms",
      aim: "≤ 20",
      how: "place(), median of 15",
    },
  ];
}

/** The whole durable path: evaluation, executions, ledger and orders on disk, with real SQLite. */
export async function benchDurableScheduler(): Promise<Figure[]> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  const database = Database.open({
    path: `${folder}/orchestrator.db`,
    migrations: MIGRATIONS,
    applicationId: APPLICATION_ID,
  });
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
  program.store.transaction(() => {
    for (const { node } of nodesOf(5000)) {
      program.store.nodes.put(node);
      program.store.projection.putNode(node);
    }
  });
  const turn = program.stages.find(({ name }) => name === "turn")!;
  const rates: number[] = [];
  const tickMs: number[] = [];
  for (let round = 0; round < 5; round++) {
    const answer = program.desk.submit({ spec: aSpec({ count: 600 }), contents: new Map() });
    await Promise.resolve();
    const startMs = performance.now();
    let isMore = true;
    while (isMore) {
      const tickStartMs = performance.now();
      isMore = await turn.tick() === true;
      tickMs.push(performance.now() - tickStartMs);
    }
    rates.push(600 / ((performance.now() - startMs) / 1000));
    await answer;
  }
  program.close();
  database.close();
  await Deno.remove(folder, { recursive: true });
  const how = "job of 600 over 5,000 nodes, submitted, rows, ledger and orders committed; median of 5";
  return [
    { name: "schedule, durable", value: median(rates), unit: "placements/s", aim: "≥ 1,500", how },
    { name: "longest turn", value: Math.max(...tickMs), unit: "ms", how: "the longest of these" },
  ];
}
