import assert from "node:assert/strict";
import fc from "fast-check";
import { isWish, type Need, needOf, rejection } from "../../orchestrator/core/filters.ts";
import { heldForOthers, type NodeView, NOTHING_PLACED } from "../../orchestrator/core/node.ts";
import { place, type PlaceInput, type Slot } from "../../orchestrator/core/place.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Constraint } from "../../shared/model/constraint.ts";
import { matches } from "../../shared/model/constraint.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { add, fits, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { aNode, aSpec, aTask } from "../support/builders.ts";

const amount = fc.nat({ max: 12 });
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMillis: amount,
  memoryBytes: amount,
  diskBytes: amount,
  gpuCount: fc.nat({ max: 2 }),
});
const need = resources.map((it) => ({ ...it, cpuMillis: 1 + it.cpuMillis % 4 }));
const constraints: fc.Arbitrary<Constraint[]> = fc.array(
  fc.record({
    key: fc.constantFrom("zone", "arch", "favour_zone"),
    operator: fc.constantFrom("=", "!=", "exists", "in"),
    values: fc.constantFrom(["a"], ["b"], ["a", "b"]),
  }),
  { maxLength: 2 },
) as fc.Arbitrary<Constraint[]>;

const node = fc.record({
  capacity: resources,
  queueCapacity: fc.oneof(fc.constant(NO_RESOURCES), resources),
  placed: resources,
  others: resources,
  zone: fc.constantFrom("a", "b", undefined),
  connection: fc.constantFrom("connected" as const, "connected" as const, "disconnected" as const),
  membership: fc.constantFrom("approved" as const, "approved" as const, "pending" as const),
  engines: fc.constantFrom<string[]>(["wasm"], ["wasm", "docker"], ["docker"]),
  waitingCount: fc.oneof(
    fc.constant(0),
    fc.integer({ min: LIMITS.agentQueueMax - 3, max: LIMITS.agentQueueMax + 1 }),
  ),
  refuses: fc.constantFrom(undefined, undefined, "draining"),
});
type SomeNode = typeof node extends fc.Arbitrary<infer Value> ? Value : never;

function toView(it: SomeNode, number: number): NodeView {
  const {
    capacity,
    queueCapacity,
    placed,
    others,
    zone,
    connection,
    membership,
    engines,
    refuses,
    waitingCount,
  } = it;
  return {
    allocated: placed,
    waitingCount,
    node: aNode(
      {
        id: `n-${number}` as NodeId,
        labels: zone === undefined ? {} : { zone },
        engines,
        capacity,
        queueCapacity,
      },
      {
        connection,
        membership,
        load: {
          allocated: add(placed, others),
          queued: NO_RESOURCES,
          runningCount: 0,
          queuedCount: 0,
          heldForOthers: others,
          ...(refuses && { refuses }),
        },
      },
    ),
  };
}

const input: fc.Arbitrary<PlaceInput & { need: Need }> = fc.record({
  nodes: fc.array(node, { maxLength: 8 }),
  resources: need,
  constraints,
  spread: fc.constantFrom([], ["zone"]),
  slots: fc.array(
    fc.record({
      excluded: fc.array(fc.nat({ max: 7 }), { maxLength: 3 }),
      avoided: fc.array(fc.nat({ max: 7 }), { maxLength: 3 }),
    }),
    { maxLength: 10 },
  ),
}).map((it) => {
  const spec = aSpec({ constraints: it.constraints, task: aTask({ resources: it.resources }) });
  const name = (number: number) => `n-${number}` as NodeId;
  return {
    need: needOf(spec),
    spread: it.spread,
    nodes: it.nodes.map(toView),
    sameJob: new Map(),
    slots: it.slots.map(({ excluded, avoided }, partition): Slot => ({
      ...{ partition, attempt: 0 },
      excluded: [...new Set(excluded)].map((number) => ({ nodeId: name(number), reason: "refused" })),
      avoided: avoided.map(name),
    })),
  };
});

const holds = (look: (input: PlaceInput, result: ReturnType<typeof place>) => void) =>
  fc.assert(fc.property(input, (it) => look(it, place(it))), { numRuns: 500 });

Deno.test("place() never puts more on a node than it has and may queue, in amounts and in number", () => {
  holds(({ nodes, need }, { placements }) => {
    for (const view of nodes) {
      const here = placements.filter(({ nodeId }) => nodeId === view.node.facts.id);
      if (here.length === 0) continue;
      assert.ok(view.waitingCount + here.length <= LIMITS.agentQueueMax, "its queue may overflow");
      const before = add(view.allocated, heldForOthers(view));
      const after = here.reduce((sum) => add(sum, need.resources), before);
      const { capacity, queueCapacity } = view.node.facts;
      assert.ok(
        fits(after, add(capacity, queueCapacity)),
        `${view.node.facts.id} holds ${JSON.stringify(after)}`,
      );
    }
  });
});

Deno.test("place() uses only nodes that pass every filter, and never an excluded one", () => {
  holds(({ nodes, need }, { placements }) => {
    for (const { nodeId, slot } of placements) {
      const view = nodes.find((it) => it.node.facts.id === nodeId)!;
      assert.equal(rejection(need, view), undefined);
      assert.ok(!slot.excluded.some((it) => it.nodeId === nodeId));
      for (const constraint of need.constraints) {
        assert.ok(isWish(constraint) || matches(constraint, view.node.facts.labels));
      }
    }
  });
});

Deno.test("place() avoids where it ended badly as long as another node has room", () => {
  holds((whole, { placements }) => {
    const [first] = placements;
    if (first === undefined || !first.slot.avoided.includes(first.nodeId)) return;
    const others = whole.nodes.filter(({ node }) => !first.slot.avoided.includes(node.facts.id));
    assert.equal(place({ ...whole, nodes: others, slots: [first.slot] }).placements.length, 0);
  });
});

Deno.test("place() fills the slots in order, each once, and explains what it leaves", () => {
  holds(({ slots }, { placements, refusal }) => {
    assert.deepEqual(placements.map(({ slot }) => slot), slots.slice(0, placements.length));
    assert.equal(refusal === undefined, placements.length === slots.length);
    if (refusal !== undefined) assert.ok(refusal.message !== "" && refusal.hint !== "");
  });
});

Deno.test("place() answers the same for the same input", () => {
  holds((it, result) => assert.deepEqual(place(structuredClone(it)), result));
});

Deno.test("place() spreads evenly over the values of a label, where there is room for all", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.nat({ max: 16 }),
      (zones, each, count) => {
        const capacity = { cpuMillis: 100_000, memoryBytes: 2 ** 40, diskBytes: 2 ** 40, gpuCount: 0 };
        const nodes = Array.from({ length: zones * each }, (_, at): NodeView => ({
          node: aNode({ id: `n-${at}` as NodeId, labels: { zone: String(at % zones) }, capacity }),
          ...NOTHING_PLACED,
        }));
        const slots = Array.from(
          { length: count },
          (_, partition) => ({ partition, attempt: 0, excluded: [], avoided: [] }),
        );
        const { placements } = place({
          need: needOf(aSpec()),
          spread: ["zone"],
          slots,
          nodes,
          sameJob: new Map(),
        });
        const counts = new Map<number, number>(Array.from({ length: zones }, (_, zone) => [zone, 0]));
        for (const { nodeId } of placements) {
          const zone = Number(nodeId.slice(2)) % zones;
          counts.set(zone, counts.get(zone)! + 1);
        }
        assert.equal(placements.length, count);
        assert.ok(
          Math.max(...counts.values()) - Math.min(...counts.values()) <= 1,
          JSON.stringify([...counts]),
        );
      },
    ),
  );
});
