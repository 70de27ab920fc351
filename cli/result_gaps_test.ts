import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { select } from "./result_find.ts";
import { gapLines } from "./result_gaps.ts";
import { readExecution, readJob } from "./wire.ts";

const execution = (PartitionIndex: number, Phase: string, Message = "") =>
  readExecution({ ID: `e-${PartitionIndex}`, PartitionIndex, ComputeState: { Message, Details: { Phase } } });
const aJob = (StateType: string, Count: number) => readJob({ ID: "j-1", Count, State: { StateType } });

Deno.test("gapLines() groups the partitions without results by the reason", () => {
  const current = [
    execution(0, "completed"),
    execution(1, "stopped", "its job was\nstopped"),
    execution(2, "stopped", "its job was\nstopped"),
    execution(4, "failed", "it ran longer than its time-out of 5s"),
    execution(5, "completed"),
  ];
  assert.deepEqual(gapLines(aJob("Stopped", 8), { present: new Set([0]), current }), [
    "No results of partitions 1-2: stopped (its job was stopped)",
    "No results of partitions 3, 6-7: it was never placed",
    "No results of partition 4: failed (it ran longer than its time-out of 5s)",
    "No results of partition 5: it published none",
  ]);
});

Deno.test("gapLines() tells of a job at work what is still to come, and of a whole one nothing", () => {
  const current = [execution(0, "completed"), execution(1, "running")];
  const lines = (count: number, present: number[]) =>
    gapLines(aJob("Running", count), { present: new Set(present), current });
  assert.deepEqual(lines(3, [0]), [
    "No results of partition 1: it is running",
    "No results of partition 2: it waits for a node",
  ]);
  assert.deepEqual(lines(2, [0, 1]), []);
});

Deno.test("select() reads a partition before the path, where the job has several", () => {
  assert.deepEqual(select(aJob("Completed", 12), "partition-3"), { partition: 3, wanted: "" });
  assert.deepEqual(select(aJob("Completed", 12), "partition-11/outputs/a"), {
    partition: 11,
    wanted: "outputs/a",
  });
  assert.deepEqual(select(aJob("Completed", 12), "outputs/partition-3"), { wanted: "outputs/partition-3" });
  assert.deepEqual(select(aJob("Completed", 1), "partition-3"), { wanted: "partition-3" });
  assert.throws(
    () => select(aJob("Completed", 12), "partition-12"),
    (error: AppError) => error.code === "not_found" && /numbered from 0 to 11/.test(error.hint ?? ""),
  );
});
