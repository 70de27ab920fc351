import assert from "node:assert/strict";
import { badExits, countStates, currentOf } from "./partitions.ts";
import { readExecution, readJob } from "./wire.ts";

const execution = (id: string, change: Record<string, unknown> = {}) =>
  readExecution({ ID: id, ComputeState: { StateType: 6 }, CreateTime: 1e15, ...change });
const ended = (phase: string, exitCode: number) => ({
  ComputeState: { StateType: 9, Details: { Phase: phase } },
  RunOutput: { ExitCode: exitCode },
});

Deno.test("currentOf() prefers a completed execution, else the one that replaced the other", () => {
  const replaced = execution("e-1", { PartitionIndex: 1, NextExecution: "e-2" });
  const newer = execution("e-2", { PartitionIndex: 1, PreviousExecution: "e-1" });
  const late = execution("e-0", { PartitionIndex: 0, ...ended("completed", 0) });
  const lost = execution("e-9", { PartitionIndex: 0, CreateTime: 9e15 });
  for (const order of [[newer, replaced, late, lost], [lost, late, replaced, newer]]) {
    assert.deepEqual(currentOf(order).map(({ id }) => id), ["e-0", "e-2"]);
  }
});

Deno.test("countStates() tells what waits, and after the end what never ran", () => {
  const current = [execution("e-0")];
  const job = (StateType: string) => readJob({ Count: 3, State: { StateType } });
  assert.deepEqual(countStates(job("Running"), current), [["running", 1], ["waiting", 2]]);
  assert.deepEqual(countStates(job("Failed"), current), [["running", 1], ["never placed", 2]]);
});

Deno.test("badExits() knows the job's own exit codes of success", () => {
  const current = [0, 3, 4].map((code, at) =>
    execution(`e-${at}`, { PartitionIndex: at, ...ended("completed", code) })
  );
  const bad = (job: unknown) => badExits(readJob(job), current).map(({ exitCode }) => exitCode);
  assert.deepEqual(bad({}), [3, 4]);
  assert.deepEqual(bad({ SuccessExitCodes: [0, 3] }), [4]);
});
