import assert from "node:assert/strict";
import type { OpenExecution } from "./reconcile.ts";
import { restartInMs } from "./restart.ts";

const ended = (change: Partial<OpenExecution>): OpenExecution => ({
  id: "e-1" as OpenExecution["id"],
  nodeId: "n-1" as OpenExecution["nodeId"],
  partition: 0,
  attempt: 0,
  phase: "failed",
  desired: "run",
  createdAtMs: 0,
  modifiedAtMs: 1_000,
  isSuperseded: false,
  ...change,
});

Deno.test("pauses double from a second to a minute", () => {
  const pauses = [0, 1, 2, 5, 6, 50].map((attempt) => restartInMs(ended({ attempt }), 1_000));
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
});

Deno.test("what ran well for a while begins with the first pause again", () => {
  assert.equal(restartInMs(ended({ attempt: 9, modifiedAtMs: 60_000 }), 60_000), 1_000);
});

Deno.test("a lost one has a successor at once, and time that has passed counts", () => {
  assert.equal(restartInMs(ended({ attempt: 9, phase: "lost" }), 1_000), 0);
  assert.equal(restartInMs(ended({ attempt: 2 }), 3_000), 2_000);
  assert.equal(restartInMs(ended({ attempt: 2 }), 99_000), 0);
});

Deno.test("a wall clock that was set back makes no pause longer", () => {
  assert.equal(restartInMs(ended({ attempt: 2 }), -1e9), 4_000);
});
