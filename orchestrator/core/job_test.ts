import assert from "node:assert/strict";
import { aSpec } from "../../tests/support/builders.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { type Job, JobPhase, type JobSpec } from "../../shared/model/job.ts";
import { hasSameTasks, type JobEvent, step } from "./job.ts";

const aJob = (change: Partial<Job> = {}): Job => ({
  id: "j-1" as JobId,
  spec: aSpec({ count: 2 }),
  version: 1,
  revision: 1,
  phase: "pending",
  completedCount: 0,
  createdAtMs: 0,
  modifiedAtMs: 0,
  ...change,
});
const EVENTS: readonly JobEvent[] = [
  { kind: "waiting", message: "busy", hint: "wait", isAtWork: true },
  { kind: "started" },
  { kind: "partition_completed" },
  { kind: "completed" },
  { kind: "failed", code: "program_failed", message: "exit 1" },
  { kind: "stopped", message: "by its user" },
];

Deno.test("every job phase answers every event", () => {
  const matrix = JobPhase.options.map((phase) =>
    [phase, ...EVENTS.map((event) => step(aJob({ phase }), event, 1).phase)].join(" ")
  );
  assert.deepEqual(matrix, [
    "pending queued running pending completed failed stopped",
    "queued queued running queued completed failed stopped",
    "running running running running completed failed stopped",
    "completed completed completed completed completed completed completed",
    "failed failed failed failed failed failed failed",
    "stopped stopped stopped stopped stopped stopped stopped",
  ]);
});

Deno.test("waiting for the same reason changes nothing, and a running job keeps no reason to wait", () => {
  const waiting = step(aJob(), EVENTS[0]!, 1);
  assert.equal(step(waiting, EVENTS[0]!, 2), waiting);
  const running = aJob({ phase: "running" });
  assert.equal(step(running, EVENTS[0]!, 2), running);
});

Deno.test("a job of which nothing is left at work waits again, and says why", () => {
  const { phase, message } = step(aJob({ phase: "running" }), {
    kind: "waiting",
    message: "its node is away",
    hint: "wait",
    isAtWork: false,
  }, 1);
  assert.deepEqual([phase, message], ["queued", "its node is away"]);
});

Deno.test("a late result is counted, and the end of the job stays", () => {
  const stopped = step(
    aJob({ phase: "stopped", message: "by its user" }),
    { kind: "partition_completed" },
    1,
  );
  assert.deepEqual([stopped.phase, stopped.completedCount, stopped.message], ["stopped", 1, "by its user"]);
});

Deno.test("two specs have the same tasks whatever the order of their fields, and other ones when a task differs", () => {
  const spec = aSpec({ count: 2, constraints: [{ key: "zone", operator: "=", values: ["a"] }] });
  const reversed = (value: unknown): unknown =>
    typeof value !== "object" || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).reverse().map(([key, part]) => [key, reversed(part)]));
  assert.equal(hasSameTasks(spec, { ...reversed(spec) as JobSpec, count: 5, priority: 3 }), true);
  assert.equal(hasSameTasks(spec, { ...spec, task: { ...spec.task, env: { A: "1" } } }), false);
  assert.equal(hasSameTasks(spec, { ...spec, constraints: [] }), false);
});
