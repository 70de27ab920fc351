import assert from "node:assert/strict";
import fc from "fast-check";
import { step } from "../../agent/core/execution.ts";
import { type ExecutionState, holdsAllocation } from "../../agent/core/execution_state.ts";
import { SAMPLE_EVENTS, SAMPLE_STATES } from "../../agent/core/lifecycle.ts";

const events = fc.array(fc.constantFrom(...Object.values(SAMPLE_EVENTS)), { maxLength: 40 });

Deno.test("whatever happens, an execution that has ended never changes", () => {
  fc.assert(fc.property(events, (list) => {
    let state: ExecutionState = { phase: "queued" };
    for (const event of list) {
      const { next, effects } = step(state, event);
      if (state.phase === "ended") {
        assert.equal(next, state);
        assert.deepEqual(effects, []);
      }
      state = next;
    }
  }));
});

Deno.test("an allocation is taken once and released once, exactly while it is held", () => {
  fc.assert(fc.property(events, (list) => {
    let state: ExecutionState = { phase: "queued" };
    let [held, released] = [0, 0];
    for (const event of list) {
      const { next, effects } = step(state, event);
      held += effects.filter(({ type }) => type === "hold").length;
      released += effects.filter(({ type }) => type === "release").length;
      state = next;
      assert.equal(held - released, holdsAllocation(state) ? 1 : 0);
      assert.ok(held <= 1 && released <= 1);
    }
  }));
});

Deno.test("an ordered stop ends in at most three more events, whatever the state", () => {
  const ending = [
    SAMPLE_EVENTS.stop_ordered!,
    SAMPLE_EVENTS.started!,
    SAMPLE_EVENTS.exited!,
    SAMPLE_EVENTS.published!,
  ];
  for (const state of Object.values(SAMPLE_STATES)) {
    const last = ending.reduce((at, event) => step(at, event).next, state);
    assert.equal(last.phase, "ended");
  }
});

Deno.test("a step never changes the state that it was given", () => {
  const state = fc.constantFrom(...Object.values(SAMPLE_STATES));
  fc.assert(fc.property(state, events, (first, list) => {
    const before = JSON.stringify(first);
    for (const event of list) step(first, event);
    assert.equal(JSON.stringify(first), before);
  }));
});
