import assert from "node:assert/strict";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { type OpenExecution, reconcile, type ReconcileInput } from "./reconcile.ts";

const input = (change: Partial<ReconcileInput> = {}): ReconcileInput => ({
  type: "batch",
  phase: "running",
  count: 3,
  retry: { attempts: 0, lostAttempts: 2 },
  nextPartition: 0,
  completedCount: 0,
  open: [],
  ...change,
});
const open = (change: Partial<OpenExecution> = {}): OpenExecution => ({
  id: "e-1" as ExecutionId,
  nodeId: "n-1" as NodeId,
  partition: 0,
  attempt: 0,
  phase: "running",
  desired: "run",
  isSuperseded: false,
  ...change,
});
const lost = (change: Partial<OpenExecution> = {}) =>
  open({ phase: "lost", code: "node_lost", message: "gone", ...change });

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
