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
    refused: [],
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
    refused: [],
  });
  assert.equal(isLasting, true);
  assert.equal(hint, "Change what the job asks for, or add a node that offers it");
  const hintFor = (...remedies: string[]) =>
    notEnoughNodes({
      requestedCount: 1,
      nodesKnown: 2,
      rejected: remedies.map((remedy, at) => ({
        nodeId: n(at),
        reason: `no ${at}`,
        isLasting: true,
        remedy,
      })),
      busy: [],
      refused: [],
    }).hint;
  assert.equal(hintFor("Ask for less", "Ask for less"), "Ask for less");
  const away = { nodeId: n(1), reason: "is not connected", isLasting: false, remedy: "The node comes back" };
  const waits = { requestedCount: 1, nodesKnown: 2, rejected: [away], refused: [] };
  assert.equal(
    notEnoughNodes({ ...waits, busy: [] }).hint,
    "It starts by itself as soon as a node takes it; the node comes back",
  );
  assert.equal(
    notEnoughNodes({ ...waits, busy: [n(2)] }).hint,
    "It starts by itself as soon as a node has room",
  );
  assert.equal(hintFor("Ask for less", "Set the engine up"), hint);
});

Deno.test("nodes that refused it themselves are told with their own reason, which lasts, and their own hint", () => {
  const refused = [1, 2].map((id) => ({
    nodeId: n(id),
    reason: 'this node does not allow the path "/srv"',
    hint: "Let its owner start it with --allow-path /srv",
  }));
  const told = notEnoughNodes({ requestedCount: 1, nodesKnown: 2, rejected: [], refused, busy: [] });
  assert.deepEqual(told, {
    isLasting: true,
    message: "not enough nodes to run job. requested: 1, available: 2, suitable: 0.\n" +
      '• 2 of 2 nodes: does not allow the path "/srv"',
    hint: "Let its owner start it with --allow-path /srv",
  });
  const rejected = [{ nodeId: n(4), reason: "is not connected", isLasting: false }];
  assert.ok(notEnoughNodes({ requestedCount: 1, nodesKnown: 3, rejected, refused, busy: [] }).isLasting);
  const mixed = notEnoughNodes({ requestedCount: 1, nodesKnown: 3, rejected: [], refused, busy: [n(3)] });
  assert.deepEqual([mixed.isLasting, mixed.hint], [false, "It starts by itself as soon as a node has room"]);
});
