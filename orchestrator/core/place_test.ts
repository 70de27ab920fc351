import assert from "node:assert/strict";
import { aSpec, aTask, aView, someFacts, someResources } from "../../tests/support/builders.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { needOf } from "./filters.ts";
import type { NodeView } from "./node.ts";
import { place, type Slot } from "./place.ts";

const n = (number: number) => `n-${number}` as NodeId;
const aSlot = (change: Partial<Slot> = {}): Slot => ({
  partition: 0,
  attempt: 0,
  excluded: [],
  avoided: [],
  ...change,
});
const refusing = (number: number) => ({
  nodeId: n(number),
  reason: 'this node does not have "/data"',
  hint: "Put it there",
});
const slots = (count: number) => Array.from({ length: count }, (_, partition) => aSlot({ partition }));
const placeOn = (nodes: NodeView[], options: { spec?: ReturnType<typeof aSpec>; slots?: Slot[] } = {}) => {
  const spec = options.spec ?? aSpec();
  return place({
    need: needOf(spec),
    spread: spec.spread,
    slots: options.slots ?? slots(1),
    nodes,
    sameJob: new Map(),
  });
};
const whole = aSpec({ task: aTask({ resources: someFacts().capacity }) });

Deno.test("place() prefers the fuller of two nodes that fit", () => {
  const nodes = [aView({ id: n(1) }), aView({ id: n(2) }, someResources({ cpuMillis: 2000 }))];
  assert.equal(placeOn(nodes).placements[0]!.nodeId, n(2));
});

Deno.test("place() prefers a node with room now to the queue of a fuller one", () => {
  const queueCapacity = someFacts().capacity;
  const nodes = [
    aView({ id: n(1), queueCapacity }, someFacts().capacity),
    aView({ id: n(2), queueCapacity }),
  ];
  assert.equal(placeOn(nodes).placements[0]!.nodeId, n(2));
});

Deno.test("place() breaks ties by id", () => {
  assert.equal(placeOn([aView({ id: n(1) }), aView({ id: n(2) })]).placements[0]!.nodeId, n(1));
});

Deno.test("place() puts several partitions on one node, up to its capacity and queue", () => {
  const capacity = someResources({ cpuMillis: 300, memoryBytes: 2 ** 30 });
  const nodes = [
    aView({ id: n(1), capacity, queueCapacity: someResources({ cpuMillis: 100, memoryBytes: 2 ** 30 }) }),
  ];
  const { placements, refusal } = placeOn(nodes, { slots: slots(6) });
  assert.equal(placements.length, 4);
  assert.equal(
    refusal?.message,
    "not enough nodes to run job. requested: 2, available: 1, suitable: 1.\n• Node n-1: node busy",
  );
  assert.equal(refusal?.isLasting, false);
});

Deno.test("place() spreads over the values of a label as evenly as room allows", () => {
  const nodes = [1, 2, 3, 4, 5, 6].map((id) => aView({ id: n(id), labels: { rack: id <= 4 ? "a" : "b" } }));
  const { placements } = placeOn(nodes, { spec: aSpec({ spread: ["rack"] }), slots: slots(8) });
  const inA = placements.filter(({ nodeId }) => nodeId <= n(4)).length;
  assert.equal(inA, 4);
});

Deno.test("place() never uses an excluded node, and an avoided one only when no other fits", () => {
  const nodes = [aView({ id: n(1) }), aView({ id: n(2) })];
  const other = placeOn(nodes, { slots: [aSlot({ avoided: [n(1)] })] });
  assert.equal(other.placements[0]!.nodeId, n(2));
  const only = placeOn(nodes, { slots: [aSlot({ avoided: [n(1)], excluded: [refusing(2)] })] });
  assert.equal(only.placements[0]!.nodeId, n(1));
  const none = placeOn(nodes, { slots: [aSlot({ excluded: [refusing(1), refusing(2)] })] });
  assert.equal(none.placements.length, 0);
  assert.equal(none.refusal?.isLasting, true);
});

Deno.test("place() tells of nodes that refused a partition why they did, and of busy ones that they are", () => {
  const nodes = [aView({ id: n(1) }), aView({ id: n(2) }, someFacts().capacity)];
  const slot = aSlot({ excluded: [refusing(1)] });
  assert.match(
    placeOn(nodes, { slots: [slot], spec: whole }).refusal!.message,
    /suitable: 1\.\n• Node n-1: does not have "\/data"\n• Node n-2: node busy$/,
  );
});

Deno.test("place() counts what other homes hold on the node", () => {
  const view = aView({ id: n(1) });
  const none = someResources({ cpuMillis: 0, memoryBytes: 0 });
  const load = {
    allocated: none,
    queued: none,
    runningCount: 9,
    queuedCount: 0,
    heldForOthers: someFacts().capacity,
  };
  assert.equal(placeOn([{ ...view, node: { ...view.node, load } }]).placements.length, 0);
});

Deno.test("a job larger than every node is refused for good, a busy or absent node only for now", () => {
  const tooLarge = aSpec({ task: aTask({ resources: someResources({ cpuMillis: 4001 }) }) });
  assert.equal(placeOn([aView()], { spec: tooLarge }).refusal?.isLasting, true);
  assert.equal(placeOn([aView({}, someFacts().capacity)], { spec: whole }).refusal?.isLasting, false);
  const away = aView();
  const gone = { ...away, node: { ...away.node, connection: "disconnected" as const } };
  assert.equal(placeOn([gone]).refusal?.isLasting, false);
  assert.equal(placeOn([]).refusal?.isLasting, true);
});

Deno.test("place() explains its choice by counts and scores", () => {
  const { placements } = placeOn([aView({ id: n(1) }), aView({ id: n(2), engines: [] })]);
  const { nodesKnown, nodesFit, rejectedBy, scores } = placements[0]!.explanation;
  assert.deepEqual({ nodesKnown, nodesFit, rejectedBy }, {
    nodesKnown: 2,
    nodesFit: 1,
    rejectedBy: { engine: 1 },
  });
  assert.deepEqual(Object.keys(scores), ["room_now", "wishes", "apart", "packing"]);
});
