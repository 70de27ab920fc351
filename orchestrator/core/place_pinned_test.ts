import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { aSpec, aTask, aView, someFacts } from "../../tests/support/builders.ts";
import { needOf } from "./filters.ts";
import type { NodeView } from "./node.ts";
import { matching, placePinned } from "./place_pinned.ts";

const n = (number: number) => `n-${number}` as NodeId;
const whole = needOf(aSpec({ task: aTask({ resources: someFacts().capacity }) }));
const change = (view: NodeView, node: Partial<NodeView["node"]>): NodeView => ({
  ...view,
  node: { ...view.node, ...node },
});
const placeOn = (nodes: NodeView[], ids: NodeId[], nextPartition = 0) =>
  placePinned({
    need: whole,
    slots: ids.map((nodeId, partition) => ({ nodeId, partition, attempt: 0, excluded: [], avoided: [] })),
    nextPartition,
    nodesKnown: nodes.length,
    find: (id) => nodes.find(({ node }) => node.facts.id === id),
  });

Deno.test("each slot goes to its node or waits for it, and new ones are numbered as they go", () => {
  const nodes = [aView({ id: n(1) }, someFacts().capacity), aView({ id: n(2) }), aView({ id: n(3) })];
  const { placements, waitsFor, refusal } = placeOn(nodes, [n(1), n(2), n(3)]);
  assert.deepEqual(placements.map(({ nodeId, slot }) => [nodeId, slot.partition]), [[n(2), 0], [n(3), 1]]);
  assert.deepEqual([waitsFor, refusal?.isLasting], [[n(1)], false]);
  assert.match(refusal!.message, /Node n-1: node busy/);
});

Deno.test("what a node holds for others is no room", () => {
  const heldForOthers = { ...NO_RESOURCES, cpuMillis: 1 };
  const idle = { allocated: NO_RESOURCES, queued: NO_RESOURCES, runningCount: 0, queuedCount: 0 };
  const busy = change(aView({ id: n(1) }), { load: { ...idle, heldForOthers } });
  const { placements, waitsFor } = placeOn([busy, aView({ id: n(2) })], [n(1), n(2)]);
  assert.deepEqual([placements.map(({ nodeId }) => nodeId), waitsFor], [[n(2)], [n(1)]]);
});

Deno.test("a partition that has had an execution keeps its number", () => {
  const { placements } = placeOn([aView({ id: n(1) }), aView({ id: n(2) })], [n(1), n(2)], 1);
  assert.deepEqual(placements.map(({ slot }) => slot.partition), [0, 1]);
});

Deno.test("a slot waits for a node that is away, whatever else is free", () => {
  const away = change(aView({ id: n(1) }), { connection: "disconnected" });
  const { placements, waitsFor, refusal } = placeOn([away, aView({ id: n(2) })], [n(1)]);
  assert.deepEqual([placements, waitsFor, refusal?.isLasting], [[], [n(1)], false]);
  assert.match(refusal!.message, /is not connected/);
});

Deno.test("a job is for nodes against which nothing lasting speaks; one that was given up only for those without an end", () => {
  const nodes = [
    aView({ id: n(1) }),
    change(aView({ id: n(2) }), { connection: "disconnected" }),
    change(aView({ id: n(3) }), { connection: "disconnected", isGivenUp: true }),
    change(aView({ id: n(4) }), { membership: "pending" }),
    aView({ id: n(5), engines: [] }),
  ];
  assert.deepEqual(matching(whole, nodes, { isEndless: false, beenOn: new Set() }), [n(1), n(2)]);
  assert.deepEqual(matching(whole, nodes, { isEndless: true, beenOn: new Set() }), [n(1), n(2), n(3)]);
});
