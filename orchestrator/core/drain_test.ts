import assert from "node:assert/strict";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { Drain } from "../../shared/model/node.ts";
import { type DrainInput, leaving, type There } from "./drain.ts";

const there = (id: string, change: Partial<There> = {}): There => ({
  id: id as ExecutionId,
  jobRow: 1,
  type: "batch",
  phase: "running",
  desired: "run",
  runsOnce: false,
  ...change,
});
const ids = (input: Partial<DrainInput>, drain: Partial<Drain> = {}) =>
  leaving({ drain: { kind: "drain", sinceAtMs: 1, ...drain }, there: [], isWhole: () => true, ...input })
    .map(({ id }) => id);

Deno.test("what runs of batch and ops may end until the deadline, what has not begun of a batch leaves at once", () => {
  const all = [
    there("runs"),
    there("waits", { phase: "queued" }),
    there("once", { phase: "placed", runsOnce: true }),
    there("ops", { type: "ops", phase: "placed" }),
    there("told", { desired: "stop" }),
  ];
  assert.deepEqual(ids({ there: all }), ["waits"]);
  assert.deepEqual(ids({ there: all }, { isOver: true }), ["runs", "waits", "once", "ops"]);
  assert.deepEqual(ids({ there: all }, { kind: "cordon", isOver: true }), []);
});

Deno.test("a service leaves one at a time, and only while the rest of it runs", () => {
  const services = [1, 1, 2].map((jobRow, at) => there(`s-${at}`, { type: "service", jobRow }));
  assert.deepEqual(ids({ there: services }), ["s-0", "s-2"]);
  assert.deepEqual(ids({ there: services, isWhole: (row) => row === 2 }), ["s-2"]);
  assert.deepEqual(ids({ there: services, isWhole: () => false }), []);
  assert.deepEqual(ids({ there: services, isWhole: () => false }, { isOver: true }), ["s-0", "s-1", "s-2"]);
});

Deno.test("daemons leave last", () => {
  const daemon = there("d", { type: "daemon" });
  assert.deepEqual(ids({ there: [daemon, there("b", { desired: "stop" })] }, { isOver: true }), []);
  assert.deepEqual(ids({ there: [daemon] }), ["d"]);
});
