import assert from "node:assert/strict";
import { type Execution, ExecutionPhase } from "../../shared/model/execution.ts";
import type { Report } from "../../shared/model/report.ts";
import { someResources } from "../../tests/support/builders.ts";
import { type ExecutionEvent, step } from "./execution.ts";

const anExecution = (change: Partial<Execution> = {}): Execution => ({
  id: "e-1",
  jobId: "j-1",
  jobVersion: 1,
  namespace: "default",
  nodeId: "n-1",
  evaluationId: "v-1",
  partition: 4,
  attempt: 0,
  resources: someResources(),
  explanation: { nodesKnown: 1, nodesFit: 1, rejectedBy: {}, scores: {} },
  desired: "run",
  phase: "placed",
  reportRevision: 0,
  revision: 1,
  createdAtMs: 0,
  modifiedAtMs: 0,
  ...change,
} as Execution);
const reported = (phase: Report["phase"], change: Partial<Report> = {}): ExecutionEvent => ({
  kind: "reported",
  isPartitionTaken: false,
  report: { executionId: "e-1" as Execution["id"], revision: 5, phase, ...change },
});

Deno.test("every phase of an execution answers every event", () => {
  const events: ExecutionEvent[] = [
    reported("running"),
    reported("completed"),
    { kind: "stop_wanted", message: "enough" },
    { kind: "lost", message: "gone", hint: "wait" },
  ];
  const matrix = ExecutionPhase.options.map((phase) =>
    [
      phase,
      ...events.map((event) => {
        const after = step(anExecution({ phase }), event, 1);
        return `${after.phase}${after.desired === "stop" ? "!" : ""}`;
      }),
    ].join(" ")
  );
  assert.deepEqual(matrix, [
    "placed running completed placed! lost",
    "queued running completed queued! lost",
    "preparing running completed preparing! lost",
    "running running completed running! lost",
    "publishing running completed publishing! lost",
    "completed completed completed completed completed",
    "failed failed failed failed failed",
    "stopped stopped stopped stopped stopped",
    "refused refused refused refused refused",
    "lost running completed lost! lost",
  ]);
});

Deno.test("an older or repeated report changes nothing", () => {
  const execution = anExecution({ phase: "running", reportRevision: 5 });
  assert.equal(step(execution, reported("preparing"), 1), execution);
  assert.equal(step(execution, reported("preparing", { revision: 4 }), 1), execution);
});

Deno.test("a second result of a partition is recorded and not accepted", () => {
  const after = step(anExecution({ phase: "running" }), {
    ...reported("completed", { result: { type: "local", params: {} } }),
    isPartitionTaken: true,
  } as ExecutionEvent, 1);
  assert.deepEqual([after.phase, after.result, after.code], ["stopped", undefined, "stopped"]);
  assert.match(after.message ?? "", /partition 4/);
});

Deno.test("starts after a fault of the node say nothing against the version", () => {
  const after = (code: "unavailable" | "program_failed") =>
    [1, 2, 3].reduce(
      (execution, restarts) =>
        step(
          execution,
          reported("preparing", {
            revision: execution.reportRevision + 1,
            restarts,
            lastExit: { code: restarts === 2 ? "program_failed" : code, message: "so" },
          }),
          restarts,
        ),
      anExecution(),
    );
  assert.deepEqual([after("unavailable").restarts, after("unavailable").restartsBefore], [3, 2]);
  assert.deepEqual([after("program_failed").restarts, after("program_failed").restartsBefore], [
    3,
    undefined,
  ]);
});

Deno.test("health is of the home's time, and what a report no longer tells of is gone", () => {
  const running = step(
    anExecution(),
    {
      ...reported("running", {
        health: { status: "healthy", forMs: 300 },
        restarts: 2,
        lastExit: { code: "program_failed", message: "Program exited with code 1", exitCode: 1 },
      }),
      ageMs: 200,
    } as ExecutionEvent,
    10_000,
  );
  assert.deepEqual(running.health, { status: "healthy", sinceAtMs: 9_500 });
  assert.deepEqual([running.restarts, running.lastExit?.exitCode], [2, 1]);
  const ended = step(running, reported("stopped", { revision: 6, code: "stopped" }), 11_000);
  assert.deepEqual([ended.health, ended.restarts, ended.lastExit], [undefined, undefined, undefined]);
});
