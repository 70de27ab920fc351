/** Many nodes and namespaces, by simulation: what runs comes to the weights, and a crowd keeps nobody waiting. */
import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import type { PreemptionPolicy } from "../../orchestrator/flow/preempt.ts";
import type { JobType } from "../../shared/model/job.ts";
import { aSpec, aTask, someFacts, someResources } from "../support/builders.ts";
import { Checks } from "./checks.ts";
import { Dice } from "./dice.ts";
import { Network } from "./network.ts";
import { SimHome } from "./sim_home.ts";
import { SimNode } from "./sim_node.ts";
import { Timeline } from "./timeline.ts";

const NODES = 16;
const CORES = 4;
const TASK_MS = 20_000;

/** A world without faults. */
function aFleet(
  { nodeCount, queueRatio, preemption }: {
    nodeCount: number;
    queueRatio: number;
    preemption?: PreemptionPolicy;
  },
) {
  const timeline = new Timeline();
  const dice = new Dice(7);
  const nodes: SimNode[] = [];
  const checks = new Checks({ timeline, nodes: () => nodes });
  const network = new Network({ timeline, dice: dice.fork() });
  const home = new SimHome({ timeline, network, checks, dice: dice.fork(), bug: undefined, preemption });
  checks.preemptDifference = preemption?.difference;
  const capacity = {
    ...someResources({ cpuMillis: CORES * 1000, memoryBytes: 2 ** 34 }),
    diskBytes: 2 ** 34,
  };
  for (let number = 0; number < nodeCount; number++) {
    const facts = someFacts({
      id: `n-${String(number).padStart(3, "0")}` as NodeId,
      capacity,
      queueCapacity: { ...capacity, cpuMillis: capacity.cpuMillis * queueRatio },
    });
    nodes.push(new SimNode({ timeline, network, checks, dice: dice.fork(), bug: undefined, facts }));
  }
  home.start();
  for (const node of nodes) node.start();
  const go = async (forMs: number) => {
    const untilMs = timeline.nowMs + forMs;
    while (checks.violation === undefined && await timeline.step(untilMs));
    assert.equal(checks.violation, undefined);
  };
  return {
    ...{ home, go, nowMs: () => timeline.nowMs },
    async submit(
      namespace: string,
      { count, priority = 0, type = "batch" }: { count: number; priority?: number; type?: JobType },
    ) {
      const answer = home.program!.desk.submit({
        spec: aSpec({
          namespace,
          type,
          count,
          priority,
          task: aTask({
            engine: {
              type: "wasm",
              params: {
                Temper: {
                  ...{
                    runMs: [TASK_MS * 0.5, TASK_MS * 1.5],
                    exitCodes: [0],
                    startFails: 0,
                    traps: 0,
                    hangs: type === "service" ? 1 : 0,
                  },
                  ...{ isStubborn: false, startMs: 1, checksFail: 0 },
                },
              },
            },
            publisher: undefined,
            resources: someResources({ cpuMillis: 1000, memoryBytes: 2 ** 20 }),
          }),
        }),
        contents: new Map(),
      });
      let isAnswered = false;
      answer.finally(() => isAnswered = true);
      while (!isAnswered) await go(100);
      return await answer;
    },
    nodeIds: nodes.map(({ id }) => id),
    preemptedCount: () => checks.preemptedCount,
    /** Tasks that run, by namespace. */
    running: () => {
      const { store } = home.program!;
      const counts: Record<string, number> = {};
      for (const { engine } of nodes) {
        for (const { executionId } of engine.running) {
          const { namespace } = store.executions.find(executionId)!.execution;
          counts[namespace] = (counts[namespace] ?? 0) + 1;
        }
      }
      return counts;
    },
    async close() {
      home.crash();
      for (const node of nodes) node.crash({ isPowerOff: false });
      await timeline.step(timeline.nowMs);
      home.disk.close();
      for (const node of nodes) node.disk.close();
    },
  };
}

for (const queueRatio of [0, 4]) {
  Deno.test(`on many nodes what runs comes to the weights of namespaces, with queues of ${queueRatio} times their room`, async () => {
    const fleet = aFleet({ nodeCount: NODES, queueRatio });
    await fleet.go(2_000);
    const { desk } = fleet.home.program!;
    await desk.setNamespace("heavy", { weight: 2 });
    await fleet.submit("crowd", { count: 800 });
    await fleet.go(60_000);
    assert.equal(fleet.running().crowd, NODES * CORES, "alone it has all of it");
    const early = fleet.nowMs();
    const { jobId } = await fleet.submit("quiet", { count: 1 });
    const quiet = () => desk.queries.getJob(jobId).phase;
    while (quiet() !== "running" && fleet.nowMs() - early < TASK_MS) await fleet.go(500);
    assert.equal(quiet(), "running", "one job of another namespace starts as soon as something ends");
    await fleet.submit("heavy", { count: 900 });
    await fleet.go(5 * TASK_MS);
    const sums: Record<string, number> = {};
    for (let look = 0; look < 10; look++) {
      await fleet.go(TASK_MS / 2);
      for (const [name, count] of Object.entries(fleet.running())) sums[name] = (sums[name] ?? 0) + count;
    }
    const share = sums.heavy! / (sums.heavy! + sums.crowd!);
    assert.ok(Math.abs(share - 2 / 3) < 0.05, `heavy has ${share} of what runs`);
    await fleet.close();
  });
}

Deno.test("nodes of a fleet are drained while a service keeps all but one of its executions, and batch work ends", async () => {
  const fleet = aFleet({ nodeCount: NODES, queueRatio: 1 });
  await fleet.go(30_000);
  await fleet.submit("web", { count: 20, type: "service" });
  const { jobId } = await fleet.submit("crowd", { count: 60 });
  await fleet.go(60_000);
  assert.equal(fleet.running().web, 20);
  const { desk } = fleet.home.program!;
  const drained = fleet.nodeIds.slice(0, 4);
  for (const id of drained) await desk.drain(id, { kind: "drain", deadlineMs: 3_600_000, reason: "upkeep" });
  let least = Infinity;
  const isEmpty = () => drained.every((id) => desk.queries.getNode(id).drain?.emptyAtMs !== undefined);
  for (let look = 0; look < 3_000 && !isEmpty(); look++) {
    await fleet.go(100);
    least = Math.min(least, fleet.running().web ?? 0);
  }
  assert.ok(isEmpty(), "long before the deadline");
  assert.ok(least >= 19, `${least} of 20 ran`);
  await fleet.go(5_000);
  assert.equal(fleet.running().web, 20);
  await fleet.go(3 * TASK_MS);
  assert.equal(desk.queries.getJob(jobId).phase, "completed");
  await fleet.close();
});

for (const queueRatio of [0, 4]) {
  Deno.test(`urgent work starts on a full fleet by stopping no more than it needs, with queues of ${queueRatio} times its room`, async () => {
    const fleet = aFleet({ nodeCount: NODES, queueRatio, preemption: { difference: 10 } });
    await fleet.go(2_000);
    const { jobId } = await fleet.submit("crowd", { count: 300 });
    await fleet.go(30_000);
    assert.equal(fleet.running().crowd, NODES * CORES);
    await fleet.submit("urgent", { count: 10, priority: 50 });
    await fleet.go(3_000);
    assert.equal(fleet.running().urgent, 10);
    assert.ok(fleet.preemptedCount() <= 10, `${fleet.preemptedCount()} were stopped`);
    await fleet.go(12 * TASK_MS);
    assert.equal(fleet.home.program!.desk.queries.getJob(jobId).phase, "completed");
    await fleet.close();
  });
}
