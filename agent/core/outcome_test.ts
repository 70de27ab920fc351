import assert from "node:assert/strict";
import { formatSeconds, interrupted, outcomeOf, outcomeOfStopping } from "./outcome.ts";

const ANY = { jobType: "batch" } as const;
const SOME = { jobType: "batch" as const, successExitCodes: [0, 3] };

Deno.test("a task of a job without an end that ends has failed, whatever its exit code", () => {
  for (const jobType of ["service", "daemon"] as const) {
    const outcome = outcomeOf({ kind: "exited", exitCode: 0 }, { jobType, successExitCodes: [0] });
    assert.ok(outcome.kind === "failed" && outcome.code === "program_failed");
    assert.equal(outcome.message, "execution completed unexpectedly with exit code 0");
  }
});

Deno.test("every exit code completes an execution whose job names none", () => {
  assert.deepEqual(outcomeOf({ kind: "exited", exitCode: 7 }, ANY), { kind: "completed" });
});

Deno.test("an exit code that the job does not accept fails it, and says so", () => {
  assert.deepEqual(outcomeOf({ kind: "exited", exitCode: 0 }, SOME), { kind: "completed" });
  const outcome = outcomeOf({ kind: "exited", exitCode: 7 }, SOME);
  assert.equal(outcome.kind, "failed");
  assert.ok(outcome.kind === "failed" && outcome.code === "program_failed");
  assert.equal(outcome.message, "Program exited with code 7");
  assert.equal(outcome.hint, "The job accepts exit codes 0, 3: look at its logs");
});

Deno.test("a task that the engine failed keeps the engine's reason", () => {
  const exit = {
    kind: "failed",
    code: "module_trapped",
    message: "It trapped",
    hint: "Look",
    exitCode: 1,
  } as const;
  assert.deepEqual(outcomeOf(exit, ANY), {
    kind: "failed",
    code: "module_trapped",
    message: "It trapped",
    hint: "Look",
  });
});

Deno.test("a task that somebody else ended was interrupted", () => {
  const outcome = outcomeOf({ kind: "stopped" }, ANY);
  assert.deepEqual(outcome, interrupted("The task was ended from outside"));
});

Deno.test("a time-out fails, an order stops", () => {
  const timedOut = outcomeOfStopping({ because: "time_out", timeoutMs: 5000, graceMs: 1 });
  assert.deepEqual(timedOut, {
    kind: "failed",
    code: "execution_timed_out",
    message: "Execution timed out after 5s",
    hint: "Increase the task timeout or allocate more resources",
  });
  const stopped = outcomeOfStopping({ because: "order", message: "Enough", graceMs: 1 });
  assert.deepEqual(stopped, { kind: "stopped", code: "stopped", message: "Enough" });
});

Deno.test("durations are written as Bacalhau writes them", () => {
  const written = [0, 500, 5000, 60_000, 90_000, 3_600_000, 3_661_000].map(formatSeconds);
  assert.deepEqual(written, ["0s", "0.5s", "5s", "1m", "1m30s", "1h", "1h1m1s"]);
});

Deno.test("outcomeOf() passes on what an exit code may come from, whether the job takes the code or not", () => {
  const exit = { kind: "exited", exitCode: 6, hint: "ask for a network" } as const;
  assert.deepEqual(outcomeOf(exit, ANY), { kind: "completed", hint: "ask for a network" });
  const refused = outcomeOf(exit, SOME);
  assert.equal(refused.kind === "failed" && refused.hint, "ask for a network");
});
