/** Laws of making room: never for nothing, never more than needed, never an equal. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { needOf } from "../../orchestrator/core/filters.ts";
import { type Occupant, RoomMaker } from "../../orchestrator/core/preempt.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { add, fits, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { aSpec, aTask, aView, someFacts } from "../support/builders.ts";

const amounts = fc.record({ cpuMillis: fc.nat(6), memoryBytes: fc.nat(6) })
  .map((some): Resources => ({ ...NO_RESOURCES, ...some }));
const occupants = fc.array(
  fc.record({
    priority: fc.nat(12),
    resources: amounts,
    hasBegun: fc.boolean(),
    isLeaving: fc.boolean(),
    isMovable: fc.boolean(),
    createdAtMs: fc.nat(5),
  }),
  { maxLength: 6 },
);
const CAPACITY = { ...NO_RESOURCES, cpuMillis: 10, memoryBytes: 10 };
const sum = (some: readonly Occupant[]) =>
  some.reduce((all, { resources }) => add(all, resources), NO_RESOURCES);

Deno.test("room is made for what fits then, by stopping nobody without need and nobody who is near in priority", () => {
  const input = fc.record({
    there: fc.array(occupants, { minLength: 1, maxLength: 3 }),
    need: amounts,
    priority: fc.nat(12),
    difference: fc.integer({ min: 1, max: 5 }),
    queue: fc.nat(2),
    slotCount: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(input, ({ there, need, priority, difference, queue, slotCount }) => {
      const on = new Map(there.map((list, at) => [
        `n-${at}` as NodeId,
        list.map((one, nth): Occupant => ({ ...one, id: `e-${at}-${nth}` as ExecutionId })),
      ]));
      const queueCapacity = { ...NO_RESOURCES, cpuMillis: 10 * queue, memoryBytes: 10 * queue };
      const nodes = [...on].map(([id, list]) => ({
        ...aView(someFacts({ id, capacity: CAPACITY, queueCapacity }), sum(list)),
        waitingCount: list.filter(({ hasBegun }) => !hasBegun).length,
      }));
      const maker = new RoomMaker({
        need: needOf(aSpec({ task: aTask({ resources: need }) })),
        ...{ priority, difference, nodes, reserved: new Map() },
        occupantsOf: (id) => on.get(id)!,
      });
      const stopped = new Set<ExecutionId>();
      const taken = new Map<NodeId, Resources>();
      for (let count = 0; count < slotCount; count++) {
        const made = maker.next({ partition: 0, attempt: 0, excluded: [], avoided: [] }, { now: false });
        if (made === undefined) break;
        const { nodeId, victims, isPlaceable } = made;
        for (const victim of victims) {
          assert.ok(victim.priority <= priority - difference && victim.isMovable && !victim.isLeaving);
          assert.ok(!stopped.has(victim.id), "nobody is stopped twice");
        }
        const list = on.get(nodeId)!;
        const mine = taken.get(nodeId) ?? NO_RESOURCES;
        const hasRoom = (gone: readonly Occupant[]) => {
          const isGone = (one: Occupant) => one.isLeaving || stopped.has(one.id) || gone.includes(one);
          const first = list.filter((one) => !isGone(one) && (one.hasBegun || one.priority >= priority));
          return fits(add(add(sum(first), mine), need), CAPACITY);
        };
        const isQueueable = (gone: readonly Occupant[]) =>
          fits(
            add(add(sum(list.filter((one) => !gone.includes(one))), mine), need),
            add(CAPACITY, queueCapacity),
          );
        if (isPlaceable) {
          assert.ok(isQueueable([]) && hasRoom(victims));
          for (const victim of victims) assert.ok(!hasRoom(victims.filter((one) => one !== victim)));
        } else {
          const leaving = list.filter((one) => one.isLeaving || stopped.has(one.id));
          assert.ok(!isQueueable([]) && isQueueable([...victims, ...leaving]));
          for (const victim of victims) {
            const others = victims.filter((one) => one !== victim);
            assert.ok(!isQueueable([...others, ...leaving]) || !hasRoom(others), "each is needed");
          }
        }
        for (const { id } of victims) stopped.add(id);
        taken.set(nodeId, add(mine, need));
      }
    }),
    { numRuns: 2_000 },
  );
});
