import assert from "node:assert/strict";
import fc from "fast-check";
import { add, fits, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";
import {
  Allocations,
  compareWaiting,
  grant,
  OVERTAKES_MAX,
  type Waiting,
} from "../../agent/core/capacity.ts";

const amount = fc.nat({ max: 20 });
const resources: fc.Arbitrary<Resources> = fc.record({
  cpuMillis: amount,
  memoryBytes: amount,
  diskBytes: amount,
  gpuCount: fc.nat({ max: 2 }),
});
const queue = fc.array(
  fc.record({ priority: fc.nat({ max: 3 }), resources, overtakenCount: fc.nat({ max: OVERTAKES_MAX }) }),
  { maxLength: 12 },
).map((list) =>
  list.map((it, row): Waiting => ({ ...it, row, id: `e-${row}`, owner: "default", weight: 1 })).sort(
    compareWaiting,
  )
);

Deno.test("grant() never gives more than there is room, nor anything twice", () => {
  fc.assert(fc.property(queue, resources, fc.nat({ max: 12 }), (waiting, room, countMax) => {
    const { granted } = grant(waiting, { room, countMax });
    assert.ok(fits(granted.reduce((sum, it) => add(sum, it.resources), NO_RESOURCES), room));
    assert.equal(new Set(granted.map(({ id }) => id)).size, granted.length);
    assert.ok(granted.length <= countMax);
  }));
});

Deno.test("grant() gives the first of the queue room whenever it fits", () => {
  fc.assert(fc.property(queue, resources, (waiting, room) => {
    const first = waiting[0];
    if (first === undefined || !fits(first.resources, room)) return;
    assert.equal(grant(waiting, { room, countMax: 1 }).granted[0], first);
  }));
});

Deno.test("a big execution is overtaken a bounded number of times, whatever comes after it", () => {
  const small = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(fc.array(small, { minLength: 300, maxLength: 400 }), (sizes) => {
      const cpu = (cpuMillis: number): Resources => ({ ...NO_RESOURCES, cpuMillis });
      const allocations = new Allocations(cpu(10), { countMax: 100 });
      allocations.hold("old", cpu(5));
      let big: Waiting = {
        id: "big",
        row: 0,
        priority: 0,
        resources: cpu(10),
        overtakenCount: 0,
        owner: "default",
        weight: 1,
      };
      let overtaken = 0;
      for (const [row, size] of sizes.entries()) {
        const next: Waiting = {
          id: `${row}`,
          row: row + 1,
          priority: 0,
          resources: cpu(size),
          overtakenCount: 0,
          owner: "default",
          weight: 1,
        };
        const { granted, blocked } = grant([big, next], { room: allocations.room, countMax: 100 });
        if (blocked?.id === "big") big = { ...big, overtakenCount: blocked.overtakenCount };
        overtaken += granted.length; // each ends at once
      }
      assert.ok(overtaken <= OVERTAKES_MAX);
      allocations.release("old");
      assert.equal(grant([big], { room: allocations.room, countMax: 100 }).granted[0]?.id, "big");
    }),
    { numRuns: 20 },
  );
});

type Act = { readonly kind: "hold" | "release"; readonly id: number; readonly resources: Resources };
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("hold" as const, "release" as const),
    id: fc.nat({ max: 6 }),
    resources,
  }),
  { maxLength: 60 },
);

Deno.test("allocations are the sum of what is held, never below zero, whatever is told twice", () => {
  fc.assert(fc.property(acts, resources, (list, capacity) => {
    const allocations = new Allocations(capacity, { countMax: 1000 });
    const held = new Map<number, Resources>();
    for (const { kind, id, resources: amounts } of list) {
      if (kind === "hold") {
        allocations.hold(`${id}`, amounts);
        if (!held.has(id)) held.set(id, amounts);
      } else {
        allocations.release(`${id}`);
        held.delete(id);
      }
      const total = [...held.values()].reduce(add, NO_RESOURCES);
      assert.deepEqual(allocations.total, total);
      const room = fits(total, capacity) ? subtract(capacity, total) : undefined;
      assert.deepEqual(allocations.room, room);
      assert.ok(room === undefined || fits(NO_RESOURCES, room));
    }
  }));
});
