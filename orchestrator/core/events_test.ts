import assert from "node:assert/strict";
import { executionRequested, explain, jobState, jobTimedOut } from "./events.ts";

const explanation = { nodesKnown: 5, nodesFit: 3, rejectedBy: {}, scores: { room_now: 1, packing: 0.42 } };

Deno.test("an explanation reads as a sentence", () => {
  assert.equal(explain(explanation), "best of 3 nodes that fit, of 5 known (room now 1.00, packing 0.42)");
  assert.match(explain({ ...explanation, nodesFit: 1 }), /^the only node that fits, of 5 known/);
});

Deno.test("events have the words that Bacalhau's clients know", () => {
  assert.equal(
    executionRequested("n-01234567-89ab", explanation).message,
    "Requested execution on n-01234567",
  );
  assert.equal(jobState("failed", { message: "no room", code: "internal" }).message, "Failed. no room");
  assert.equal(jobState("completed").details?.NewState, "Completed");
  assert.equal(jobTimedOut(90_000).message, "Job timed out. Job took longer than 90s");
});
