import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { notEnoughNodes } from "./refusal.ts";

const n = (number: number) => `n-${number}` as NodeId;

Deno.test("nodes with the same reason share a line, the most frequent reason first", () => {
  const { message, isLasting } = notEnoughNodes({
    requestedCount: 3,
    nodesKnown: 4,
    rejected: [
      { nodeId: n(1), reason: "is not connected", isLasting: false },
      { nodeId: n(2), reason: "does not support docker", isLasting: true },
      { nodeId: n(3), reason: "does not support docker", isLasting: true },
    ],
    busy: [n(4)],
    isExcludedEverywhere: false,
  });
  assert.equal(
    message,
    "not enough nodes to run job. requested: 3, available: 4, suitable: 1.\n" +
      "• 2 of 4 nodes: does not support docker\n• Node n-1: is not connected\n• Node n-4: node busy",
  );
  assert.equal(isLasting, false);
});

Deno.test("a refusal is lasting only when no node could ever run it", () => {
  const rejected = [{ nodeId: n(1), reason: "does not support docker", isLasting: true }];
  const { isLasting, hint } = notEnoughNodes({
    requestedCount: 1,
    nodesKnown: 1,
    rejected,
    busy: [],
    isExcludedEverywhere: false,
  });
  assert.equal(isLasting, true);
  assert.match(hint, /queue time-out/);
});
