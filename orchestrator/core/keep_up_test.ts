import assert from "node:assert/strict";
import fc from "fast-check";
import { isLive } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { ended, input, open } from "../../tests/support/plans.ts";
import { restartInMs } from "./backoff.ts";
import type { OpenExecution, ReconcileInput } from "./plan.ts";
import { reconcile } from "./reconcile.ts";

const nodes = ["n-a", "n-b"] as NodeId[];
/** The pause after this one, near to what it should be. */
function pauseOf(one: OpenExecution, aboutMs: number): number {
  const pauseMs = restartInMs(one, { attempts: 0, lostAttempts: 0 }, one.modifiedAtMs);
  assert.ok(Math.abs(pauseMs - aboutMs) <= 0.2 * aboutMs, `${pauseMs}`);
  return pauseMs;
}

Deno.test("service: the count is kept up, after a pause that grows", () => {
  const service = { type: "service", count: 2, nextPartition: 2 } as const;
  assert.equal(reconcile(input({ ...service, nextPartition: 0 })).slots.length, 2);
  const running = open({ partition: 0, phase: "running" });
  const crashed = ended(1, "n-b", { attempt: 3, streak: 3, createdAtMs: 0, modifiedAtMs: 1_000 });
  const waits = reconcile(input({ ...service, open: [running, crashed], nowMs: 2_000 }));
  assert.deepEqual([waits.slots, waits.stops, waits.againInMs], [[], [], pauseOf(crashed, 8_000) - 1_000]);
  const due = reconcile(input({ ...service, open: [running, crashed], nowMs: 99_000 }));
  assert.deepEqual(due.slots.map(({ partition, attempt, avoided }) => [partition, attempt, avoided]), [[
    1,
    4,
    ["n-b"],
  ]]);
  const stable = { ...crashed, modifiedAtMs: 100_000 };
  assert.equal(
    reconcile(input({ ...service, open: [running, stable], nowMs: 100_000 })).againInMs,
    pauseOf(stable, 1_000),
  );
  const lost = { ...crashed, phase: "lost" as const };
  assert.equal(reconcile(input({ ...service, open: [running, lost], nowMs: 1_000 })).slots.length, 1);
});

Deno.test("service: one that was given up and comes back is one too many", () => {
  const back = open({ id: "e-back" as never, partition: 0, attempt: 0, phase: "running" });
  const successor = open({ id: "e-next" as never, partition: 0, attempt: 1, phase: "queued" });
  const { slots, stops } = reconcile(
    input({ type: "service", count: 1, nextPartition: 1, open: [successor, back] }),
  );
  assert.deepEqual([slots, stops.map(({ id }) => id)], [[], ["e-next"]]);
});

Deno.test("daemon: one on every node, also on those that join, and none where it no longer matches", () => {
  const daemon = { type: "daemon", count: 0, nextPartition: 2 } as const;
  const on = (node: string, partition: number) =>
    open({ id: `e-${node}` as never, partition, nodeId: node as never, phase: "running" });
  const { slots, stops, outcome } = reconcile(input({
    ...daemon,
    nodes: ["n-b", "n-c"] as never[],
    open: [on("n-a", 0), on("n-b", 1)],
  }));
  assert.deepEqual(slots.map(({ partition, nodeId }) => [partition, nodeId]), [[2, "n-c"]]);
  assert.deepEqual([stops.map(({ id }) => id), outcome], [["e-n-a"], undefined]);
});

Deno.test("what has no end is stopped with its job", () => {
  for (const type of ["service", "daemon"] as const) {
    const plan = reconcile(
      input({ type, phase: "stopped", nodes, nextPartition: 1, open: [open({ phase: "running" })] }),
    );
    assert.deepEqual([plan.slots, plan.stops.length, plan.outcome], [[], 1, undefined]);
  }
});

const UPDATE = { maxParallel: 1, autoRollback: true, progressMs: 1_000 };
const rolling = (change: Partial<ReconcileInput>) =>
  reconcile(input({ type: "service", count: 3, isRolling: true, update: UPDATE, ...change }));
const older = (partition: number, change: Partial<OpenExecution> = {}) =>
  open({ id: `old-${partition}` as ExecutionId, partition, ...change });
const up = (partition: number, change: Partial<OpenExecution> = {}) =>
  open({ id: `new-${partition}` as ExecutionId, partition, health: "healthy", ...change });

Deno.test("update: one place after the other, the next when the one before is up", () => {
  const first = rolling({ older: [older(0), older(1), older(2)] });
  assert.deepEqual([first.slots, first.stops.map(({ id }) => id)], [[], ["old-0"]]);
  // It stops: nobody follows it yet, and no other makes way.
  const stopping = older(0, { desired: "stop" });
  const second = rolling({ older: [stopping, older(1), older(2)] });
  assert.deepEqual([second.slots, second.stops], [[], []]);
  const vacated = [{ partition: 0, nodeId: nodes[0]! }];
  const third = rolling({ older: [older(1), older(2)], vacated });
  assert.deepEqual([third.slots.map(({ partition }) => partition), third.stops], [[0], []]);
  for (const health of ["unknown", "unhealthy"] as const) {
    assert.deepEqual(rolling({ open: [up(0, { health })], older: [older(1), older(2)] }).stops, []);
  }
  const fourth = rolling({ open: [up(0)], older: [older(1), older(2)] });
  assert.deepEqual(fourth.stops.map(({ id }) => id), ["old-1"]);
  assert.deepEqual(fourth.rollout, { upCount: 1, isGood: false });
  assert.deepEqual(rolling({ open: [up(0), up(1), up(2)] }).rollout, { upCount: 3, isGood: true });
});

Deno.test("update: a version that ends by its own fault or begins again and again goes no further", () => {
  const failed = ended(0, "n-a", { code: "program_failed", message: "no config" });
  const { rollout, stops } = rolling({ open: [failed], older: [older(1), older(2)], nowMs: 1e9 });
  assert.deepEqual([rollout?.failure, stops], ["partition 0: no config", []]);
  const restarted = rolling({ open: [up(0, { health: "unknown", restarts: 3 })], older: [older(1)] });
  assert.match(restarted.rollout!.failure!, /partition 0 was started 4 times/);
  const moved = ended(0, "n-a", { phase: "lost", code: "node_lost" });
  assert.equal(rolling({ open: [moved], older: [older(1)] }).rollout?.failure, undefined);
});

Deno.test("update: places that a larger count adds hold nothing up while they wait for room", () => {
  const plan = rolling({ count: 4, older: [older(0), older(1)] });
  assert.deepEqual([plan.slots.map(({ partition }) => partition), plan.stops.map(({ id }) => id)], [
    [2, 3],
    ["old-0"],
  ]);
  assert.equal(
    rolling({ count: 3, open: [up(0), up(1)] }).rollout?.isGood,
    false,
    "but the version is not up yet",
  );
});

Deno.test("update: nodes that are away hold nobody up, and follow when they are back", () => {
  const away = new Set([nodes[0]!]);
  const daemon = { type: "daemon" as const, count: 0, nodes, away, nextPartition: 2 };
  const plan = rolling({
    ...daemon,
    older: [older(0, { nodeId: nodes[0] }), older(1, { nodeId: nodes[1] })],
  });
  assert.deepEqual(plan.stops.map(({ id }) => id).sort(), ["old-0", "old-1"]);
  const rest = rolling({
    ...daemon,
    open: [up(1, { nodeId: nodes[1] })],
    older: [older(0, { nodeId: nodes[0], desired: "stop" })],
  });
  assert.deepEqual([rest.slots, rest.rollout], [[], { upCount: 1, isGood: true }]);
});

Deno.test("update: what had begun on a node that is away since holds nobody up either", () => {
  const daemon = { type: "daemon" as const, count: 0, nodes, nextPartition: 2 };
  const open = [up(0, { nodeId: nodes[0], health: "unknown" })];
  const before = [older(1, { nodeId: nodes[1] })];
  assert.deepEqual(rolling({ ...daemon, open, older: before }).stops, []);
  const away = new Set([nodes[0]!]);
  assert.deepEqual(rolling({ ...daemon, open, older: before, away }).stops.map(({ id }) => id), ["old-1"]);
});

Deno.test("update: what runs on a node that takes nothing new runs on, holds nobody up, and follows later", () => {
  const daemon = { type: "daemon" as const, count: 0, nodes, nextPartition: 2 };
  const before = [older(0, { nodeId: nodes[0] }), older(1, { nodeId: nodes[1] })];
  const closed = new Set([nodes[0]!]);
  assert.deepEqual(rolling({ ...daemon, closed, older: before }).stops.map(({ id }) => id), ["old-1"]);
  const open = [up(1, { nodeId: nodes[1] })];
  const rest = rolling({ ...daemon, closed, open, older: before.slice(0, 1) });
  assert.deepEqual([rest.slots, rest.stops, rest.rollout], [[], [], { upCount: 1, isGood: true }]);
  const later = rolling({ ...daemon, open, older: before.slice(0, 1), isRolling: false });
  assert.deepEqual(later.stops.map(({ id }) => id), ["old-0"]);
});

Deno.test("update: whatever ends in between, never is more than allowed taken down, nor a place taken twice", () => {
  const arbitrary = fc.record({
    count: fc.integer({ min: 1, max: 6 }),
    maxParallel: fc.integer({ min: 1, max: 4 }),
    choices: fc.array(fc.nat(), { minLength: 80, maxLength: 80 }),
  });
  fc.assert(fc.property(arbitrary, ({ count, maxParallel, choices }) => {
    const old: OpenExecution[] = Array.from({ length: count }, (_, partition) => older(partition));
    const own: OpenExecution[] = [];
    const vacated: { partition: number; nodeId: NodeId }[] = [];
    for (const choice of choices) {
      const plan = rolling({ count, update: { ...UPDATE, maxParallel }, open: own, older: old, vacated });
      for (const { id } of plan.stops) {
        const at = old.findIndex((one) => one.id === id);
        assert.ok(at >= 0, "only what is older is stopped");
        old[at] = { ...old[at]!, desired: "stop" };
      }
      for (const { partition } of plan.slots) {
        own.push(up(partition, { phase: "placed", health: undefined }));
      }
      const live = [...old, ...own].filter(({ phase }) => isLive(phase)).map(({ partition }) => partition);
      assert.equal(new Set(live).size, live.length, "one live execution in each place");
      const serving = [...old.filter(({ desired }) => desired === "run"), ...own.filter(isServing)].length;
      assert.ok(serving >= count - maxParallel, `${serving} of ${count} serve`);
      // Something happens: an old one ends, or a new one gets further.
      const pending = [
        ...old.filter(({ desired }) => desired === "stop"),
        ...own.filter((one) => !isServing(one)),
      ];
      if (pending.length === 0) continue;
      const one = pending[choice % pending.length]!;
      if (old.includes(one)) {
        old.splice(old.indexOf(one), 1);
        vacated.push(one);
      } else own[own.indexOf(one)] = { ...one, phase: "running", health: "healthy" };
    }
    assert.deepEqual([old, own.length], [[], count], "and it gets there");
  }));
});

const isServing = ({ phase, health }: OpenExecution): boolean => phase === "running" && health === "healthy";

Deno.test("update: one that would not do and is up after all is good; a daemon on no node is not yet", () => {
  const halted = { isRolling: false, isHalted: true };
  assert.deepEqual(rolling({ ...halted, open: [up(0), up(1), up(2)] }).rollout, { upCount: 3, isGood: true });
  assert.equal(rolling({ ...halted, open: [up(0), up(1)] }).rollout, undefined);
  assert.equal(rolling({ type: "daemon", count: 0, nodes: [] }).rollout?.isGood, false);
  assert.equal(rolling({ count: 0 }).rollout?.isGood, true);
});

Deno.test("a new version of a job with many places looks at what runs a few times each, and not once for every place", () => {
  const PLACES = 500;
  for (const type of ["service", "daemon"] as const) {
    let looks = 0;
    const older = Array.from({ length: PLACES }, (_, at) => {
      const one = open({ id: `e-${at}` as ExecutionId, partition: at, nodeId: `n-${at}` as NodeId });
      return new Proxy(one, {
        get: (target, key) => (looks++, Reflect.get(target, key)),
      });
    });
    const plan = reconcile(input({
      ...{ type, older, isRolling: true, vacated: older, count: PLACES },
      nodes: older.map(({ nodeId }) => nodeId),
    }));
    assert.equal(plan.stops.length, 1);
    assert.ok(looks < 50 * PLACES, `${type}: ${looks} looks`);
  }
});
