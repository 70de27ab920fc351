import assert from "node:assert/strict";
import { badExits, countStates, currentOf, untold, whoOf } from "./partitions.ts";
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

Deno.test("untold() groups what happened alike, and leaves out what the job says already", () => {
  const failed = (PartitionIndex: number, Phase: string, Message: string) =>
    execution(`e-${PartitionIndex}`, { PartitionIndex, ComputeState: { Message, Details: { Phase } } });
  const alike = (Count: number, Message: string) =>
    untold(readJob({ Count, State: { StateType: "Failed", Message } }), [
      failed(0, "refused", 'this node does not have "/a"'),
      failed(1, "failed", "trap"),
      failed(2, "failed", "trap"),
      failed(4, "refused", 'this node does not have "/a"'),
      failed(5, "failed", ""),
    ]).map((group) => group.map(({ partition }) => partition));
  assert.deepEqual(alike(5, "out of luck"), [[0, 4], [1, 2]]);
  assert.deepEqual(alike(5, '• Node n-1: does not have "/a"'), [[1, 2]]);
  assert.deepEqual(alike(5, "partition 1: trap"), [[0, 4], [1, 2]]);
  assert.deepEqual(alike(1, "partition 1: trap"), [[0, 4]]);
});

Deno.test("whoOf() names partitions, or the only task", () => {
  const at = (...partitions: number[]) =>
    partitions.map((it) => execution(`e-${it}`, { PartitionIndex: it }));
  const job = readJob({ Count: 9 });
  assert.deepEqual([whoOf(job, at(3)), whoOf(job, at(0, 1, 2, 7))], ["partition 3", "partitions 0-2, 7"]);
  assert.equal(whoOf(readJob({ Count: 1 }), at(0)), "the task");
});
