import assert from "node:assert/strict";
import { holdsAllocation, runOf } from "./execution_state.ts";
import { SAMPLE_STATES } from "./lifecycle.ts";

Deno.test("holdsAllocation() is true between the grant and the end", () => {
  const holding = Object.values(SAMPLE_STATES).filter(holdsAllocation).map(({ phase }) => phase);
  assert.deepEqual([...new Set(holding)], ["preparing", "running", "restarting", "publishing"]);
});

Deno.test("runOf() is the run that is on, and between two the one that has ended", () => {
  assert.deepEqual(
    Object.entries(SAMPLE_STATES).filter(([, state]) => runOf(state) > 0).map(([name, state]) => [
      name,
      runOf(state),
    ]),
    [["restarting", 1], ["preparing, again", 2]],
  );
});
