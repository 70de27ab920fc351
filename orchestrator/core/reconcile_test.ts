import assert from "node:assert/strict";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { ended, input, lost, open } from "../../tests/support/plans.ts";
import { reconcile } from "./reconcile.ts";

Deno.test("a new batch job wants one execution for each partition", () => {
  const { slots, stops, outcome } = reconcile(input());
  assert.deepEqual(slots.map(({ partition, attempt }) => [partition, attempt]), [[0, 0], [1, 0], [2, 0]]);
  assert.deepEqual([stops, outcome], [[], undefined]);
});

Deno.test("what is live or completed is wanted no more", () => {
  const { slots } = reconcile(input({ nextPartition: 2, completedCount: 1, open: [open({ partition: 1 })] }));
  assert.deepEqual(slots.map(({ partition }) => partition), [2]);
});

Deno.test("a lost execution is replaced, elsewhere if possible, and linked to its predecessor", () => {
  const { slots } = reconcile(input({ nextPartition: 3, completedCount: 2, open: [lost()] }));
  assert.deepEqual(slots, [{ partition: 0, attempt: 1, previousId: "e-1", excluded: [], avoided: ["n-1"] }]);
});

Deno.test("a node that refused a partition is never asked again for it", () => {
  const refused = open({
    phase: "refused",
    code: "input_refused",
    message: "no such path",
    hint: "Put it there",
  });
  const again = open({ id: "e-2" as ExecutionId, attempt: 1, phase: "refused", code: "refused" });
  const { slots } = reconcile(input({ count: 1, nextPartition: 1, open: [again, refused] }));
  assert.deepEqual(slots[0]!.excluded, [{ nodeId: "n-1", reason: "job rejected" }]);
  assert.deepEqual(
    reconcile(input({ count: 1, nextPartition: 1, open: [refused] })).slots[0]!.excluded,
    [{ nodeId: "n-1", reason: "no such path", hint: "Put it there" }],
  );
});

Deno.test("a partition without attempts left fails the job and stops the rest", () => {
  const failed = open({
    phase: "failed",
    code: "program_failed",
    message: "exit code 3",
    hint: "see the logs",
  });
  const running = open({ id: "e-2" as ExecutionId, partition: 1 });
  const { slots, stops, outcome } = reconcile(
    input({ nextPartition: 3, completedCount: 1, open: [failed, running] }),
  );
  assert.deepEqual(slots, []);
  assert.deepEqual(stops, [{ id: "e-2", message: "Execution stopped due to job failure" }]);
  assert.deepEqual(outcome, {
    phase: "failed",
    code: "program_failed",
    message: "Job failed because one or more executions failed: partition 0: exit code 3",
    hint: "see the logs",
  });
});

Deno.test("a stopped job stops what is live or may run on a lost node, once", () => {
  const live = open();
  const told = open({ id: "e-2" as ExecutionId, desired: "stop" });
  const away = lost({ id: "e-3" as ExecutionId });
  const { stops } = reconcile(input({ phase: "stopped", open: [live, told, away] }));
  const message = "Execution stop requested because job has been stopped";
  assert.deepEqual(stops, [{ id: "e-1", message }, { id: "e-3", message }]);
});

Deno.test("all partitions completed completes the job, and none at all does too", () => {
  assert.deepEqual(reconcile(input({ nextPartition: 3, completedCount: 3 })).outcome, { phase: "completed" });
  assert.deepEqual(reconcile(input({ count: 0 })).outcome, { phase: "completed" });
});

Deno.test("a replacement is stopped when a late result took its partition", () => {
  const replacement = open({ attempt: 1, isSuperseded: true });
  const { stops, slots } = reconcile(
    input({
      nextPartition: 3,
      completedCount: 1,
      open: [
        replacement,
        open({ id: "e-9" as ExecutionId, partition: 1 }),
        open({ id: "e-8" as ExecutionId, partition: 2 }),
      ],
    }),
  );
  assert.deepEqual(stops.map(({ id }) => id), ["e-1"]);
  assert.deepEqual(slots, []);
});

const nodes = ["n-a", "n-b"] as never[];

Deno.test("ops: once on every node that matches, each named by its slot", () => {
  const { slots } = reconcile(input({ type: "ops", count: 0, nodes }));
  assert.deepEqual(slots.map(({ partition, nodeId }) => [partition, nodeId]), [[0, "n-a"], [1, "n-b"]]);
  const beenOn = new Set(nodes);
  const later = { type: "ops", count: 0, nodes, beenOn, nextPartition: 2 } as const;
  assert.deepEqual(reconcile(input({ ...later, completedCount: 2 })), {
    slots: [],
    stops: [],
    outcome: { phase: "completed" },
  });
  const joined = reconcile(input({ ...later, nodes: [...nodes, "n-c" as never], completedCount: 2 }));
  assert.deepEqual([joined.slots.map(({ nodeId }) => nodeId), joined.outcome], [["n-c"], undefined]);
  const failed = ended(0, "n-a", { code: "program_failed", message: "why" });
  const running = open({ partition: 1, nodeId: "n-b" as never, phase: "running" });
  const retry = { attempts: 0, lostAttempts: 0, delayMs: 0 };
  assert.deepEqual(reconcile(input({ ...later, retry, open: [failed, running] })), { slots: [], stops: [] });
  assert.equal(
    reconcile(input({ ...later, retry, completedCount: 1, open: [failed] })).outcome?.phase,
    "failed",
  );
  const [again] = reconcile(input({ ...later, retry: { ...retry, attempts: 1 }, open: [failed] })).slots;
  assert.deepEqual([again?.nodeId, again?.attempt, again?.previousId], [
    "n-a",
    failed.attempt + 1,
    failed.id,
  ]);
});

Deno.test("ops: what has completed beside a lost attempt is not tried again, and the job is done", () => {
  const retry = { attempts: 3, lostAttempts: 3 };
  const superseded = lost({ nodeId: nodes[0], isSuperseded: true });
  const done = reconcile(input({
    ...{ type: "ops", count: 0, nodes: nodes.slice(0, 1), beenOn: new Set(nodes.slice(0, 1)), retry },
    ...{ nextPartition: 1, completedCount: 1, open: [superseded] },
  }));
  assert.deepEqual([done.slots, done.outcome?.phase], [[], "completed"]);
});

Deno.test("ops: a node that is not for the job any more is not waited for", () => {
  const lost = ended(0, "n-a", { phase: "lost", code: "node_lost", message: "gone" });
  const ops = {
    type: "ops",
    count: 0,
    nodes,
    beenOn: new Set(nodes),
    nextPartition: 2,
    completedCount: 1,
  } as const;
  const retry = { attempts: 0, lostAttempts: 2 };
  assert.equal(reconcile(input({ ...ops, retry, open: [lost] })).slots[0]?.nodeId, "n-a");
  const without = reconcile(input({ ...ops, retry, nodes: nodes.slice(1), open: [lost] }));
  assert.deepEqual([without.slots, without.outcome?.phase], [[], "failed"]);
});

Deno.test("ops: without a matching node a slot asks for any, so that the reason is told", () => {
  const { slots } = reconcile(input({ type: "ops", count: 0 }));
  assert.deepEqual(slots, [{ partition: 0, attempt: 0, excluded: [], avoided: [] }]);
});
