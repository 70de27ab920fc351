import assert from "node:assert/strict";
import { SAMPLE_STATES } from "./lifecycle.ts";
import { recover, type Recovery } from "./recover.ts";

const OUTPUT = { stdout: "", stdoutIsTruncated: false, stderr: "", stderrIsTruncated: false, exitCode: 2 };

const BATCH = { jobType: "batch" } as const;
const given = (order: Recovery["order"]): Recovery => ({ order, graceMs: 10, atMs: 5, isWatched: false });
const RUNNING = {
  type: "recovered",
  held: "running",
  policy: "reattach",
  graceMs: 10,
  atMs: 5,
  isWatched: false,
};

Deno.test("an execution learns what its engine still holds of it", () => {
  const running = SAMPLE_STATES.running!;
  assert.deepEqual(recover(running, undefined, given(BATCH)), { type: "recovered", held: "nothing" });
  assert.deepEqual(recover(running, { isRunning: true }, given(BATCH)), RUNNING);
});

Deno.test("a task that ended while the agent was away ends by its job's rules", () => {
  const held = { isRunning: false, exit: { kind: "exited", exitCode: 2 }, output: OUTPUT } as const;
  const event = recover(SAMPLE_STATES.running!, held, given({ ...BATCH, successExitCodes: [0] }));
  assert.equal(event?.type, "exited");
  assert.ok(
    event?.type === "exited" && event.outcome.kind === "failed" && event.outcome.code === "program_failed",
  );
});

Deno.test("what was about to start begins again, unless it must not run twice", () => {
  const preparing = SAMPLE_STATES.preparing!;
  assert.deepEqual(recover(preparing, undefined, given(BATCH)), { type: "recovered", held: "nothing" });
  const event = recover(preparing, undefined, given({ ...BATCH, runsOnce: true }));
  assert.ok(event?.type === "start_failed" && event.failure.code === "interrupted");
  const service = given({ jobType: "service", runsOnce: true });
  assert.deepEqual(recover(preparing, undefined, service), { type: "recovered", held: "nothing" });
  assert.deepEqual(recover(preparing, { isRunning: true }, given({ ...BATCH, runsOnce: true })), RUNNING);
  assert.deepEqual(recover(SAMPLE_STATES.queued!, undefined, given({ ...BATCH, runsOnce: true })), {
    type: "recovered",
    held: "nothing",
  });
});

Deno.test("an ended execution learns nothing", () => {
  assert.equal(recover(SAMPLE_STATES.ended!, { isRunning: true }, given(BATCH)), undefined);
});
