import assert from "node:assert/strict";
import { step } from "./execution.ts";
import { type ExecutionEvent, type ExecutionState } from "./execution_state.ts";
import { SAMPLE_EVENTS, SAMPLE_STATES } from "./lifecycle.ts";

const after = (...events: ExecutionEvent[]): ExecutionState =>
  events.reduce((state, event) => step(state, event).next, { phase: "queued" } as ExecutionState);
const event = (name: string): ExecutionEvent => SAMPLE_EVENTS[name]!;

Deno.test("step() goes through a whole life", () => {
  const phases = ["granted", "started", "exited", "published"].map((_, at, names) =>
    after(...names.slice(0, at + 1).map(event)).phase
  );
  assert.deepEqual(phases, ["preparing", "running", "publishing", "ended"]);
});

Deno.test("step() stops a queued execution at once, and it holds nothing", () => {
  const { next, effects } = step({ phase: "queued" }, event("stop_ordered"));
  assert.ok(next.phase === "ended" && next.outcome.kind === "stopped");
  assert.deepEqual(effects, []);
});

Deno.test("step() lets the first reason to stop stand", () => {
  const state = after(
    event("granted"),
    event("started"),
    event("timed_out"),
    event("stop_ordered"),
    event("exited"),
  );
  assert.ok(state.phase === "publishing" && state.outcome.kind === "failed");
  assert.equal(state.outcome.code, "execution_timed_out");
});

Deno.test("step() publishes the results of a task that failed", () => {
  const failed = { kind: "failed", code: "program_failed", message: "Program exited with code 1" } as const;
  const exited = { ...event("exited"), outcome: failed } as ExecutionEvent;
  const state = after(event("granted"), event("started"), exited, event("published"));
  assert.ok(state.phase === "ended" && state.outcome.kind === "failed");
  assert.deepEqual(state.result, { type: "local", params: {} });
});

Deno.test("step() tells of a program's failure rather than of its results'", () => {
  const failed = { kind: "failed", code: "program_failed", message: "Program exited with code 1" } as const;
  const exited = { ...event("exited"), outcome: failed } as ExecutionEvent;
  const state = after(event("granted"), event("started"), exited, event("publish_failed"));
  assert.ok(
    state.phase === "ended" && state.outcome.kind === "failed" && state.outcome.code === "program_failed",
  );
});

Deno.test("step() answers events that no longer matter with the same state", () => {
  for (const each of Object.values(SAMPLE_EVENTS)) {
    const ended = SAMPLE_STATES.ended!;
    assert.deepEqual(step(ended, each), { next: ended, effects: [] });
  }
});
