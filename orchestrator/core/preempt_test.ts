import assert from "node:assert/strict";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { add, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { aSpec, aTask, aView, someFacts } from "../../tests/support/builders.ts";
import { needOf } from "./filters.ts";
import type { Slot } from "./place.ts";
import { type Occupant, type PreemptInput, RoomMaker } from "./preempt.ts";

const cpu = (cpuMillis: number): Resources => ({ ...NO_RESOURCES, cpuMillis });
const slot: Slot = { partition: 0, attempt: 0, excluded: [], avoided: [] };

const occupant = (id: string, cpuMillis: number, change: Partial<Occupant> = {}): Occupant => ({
  id: id as ExecutionId,
  priority: 0,
  resources: cpu(cpuMillis),
  hasBegun: true,
  isLeaving: false,
  isMovable: true,
  createdAtMs: 0,
  ...change,
});

/** Nodes of 4 cores with these on them. */
function maker(
  there: Record<string, readonly Occupant[]>,
  change: Partial<PreemptInput> & { asks?: number; queueCores?: number } = {},
) {
  const { asks = 2000, queueCores = 4, ...more } = change;
  const nodes = Object.entries(there).map(([id, occupants]) => ({
    ...aView(
      someFacts({ id: id as NodeId, capacity: cpu(4000), queueCapacity: cpu(queueCores * 1000) }),
      occupants.reduce((sum, { resources }) => add(sum, resources), NO_RESOURCES),
    ),
    waitingCount: occupants.filter(({ hasBegun }) => !hasBegun).length,
  }));
  return new RoomMaker({
    need: needOf(aSpec({ task: aTask({ resources: cpu(asks) }) })),
    ...{ priority: 10, difference: 5, nodes, reserved: new Map() },
    occupantsOf: (id) => there[id] ?? [],
    ...more,
  });
}

const made = (room: RoomMaker, now = false) => {
  const found = room.next(slot, { now });
  return found && [found.nodeId, found.victims.map(({ id }) => id).join(), found.isPlaceable];
};

Deno.test("the lowest priority makes way, then the youngest, and no more than are needed", () => {
  const on = [
    occupant("old", 1000),
    occupant("young", 1000, { createdAtMs: 9 }),
    occupant("higher", 2000, { priority: 5 }),
  ];
  assert.deepEqual(made(maker({ "n-1": on }, { asks: 1000 })), ["n-1", "young", true]);
  assert.deepEqual(made(maker({ "n-1": on })), ["n-1", "young,old", true]);
  assert.deepEqual(made(maker({ "n-1": on }, { asks: 3500 })), ["n-1", "young,old,higher", true]);
  const one = [occupant("small", 500, { createdAtMs: 9 }), occupant("large", 3500)];
  assert.deepEqual(made(maker({ "n-1": one })), ["n-1", "large", true], "the small one alone would not do");
});

Deno.test("what is not lower by enough, is fixed to its node or is as good as over stays", () => {
  for (const change of [{ priority: 6 }, { priority: 10 }, { isMovable: false }]) {
    assert.equal(made(maker({ "n-1": [occupant("a", 4000, change)] })), undefined);
  }
  assert.deepEqual(made(maker({ "n-1": [occupant("a", 4000, { priority: 5 })] })), ["n-1", "a", true]);
});

Deno.test("among nodes that where the lowest priorities, then the fewest and the youngest have to go", () => {
  const room = maker({
    "n-1": [occupant("a", 4000, { priority: 3 })],
    "n-2": [occupant("b", 2000), occupant("c", 1000), occupant("d", 1000)],
    "n-3": [occupant("e", 2000), occupant("f", 2000)],
    "n-4": [occupant("g", 2000, { createdAtMs: 9 }), occupant("h", 2000, { createdAtMs: 9 })],
  }, { asks: 4000 });
  assert.deepEqual([made(room)?.[0], made(room)?.[0], made(room)?.[0], made(room)?.[0]], [
    "n-4",
    "n-3",
    "n-2",
    "n-1",
  ]);
  assert.equal(made(room), undefined, "nobody is stopped twice");
});

Deno.test("what is on its way out is room to come: nobody else is stopped for it", () => {
  const leaving = occupant("leaving", 4000, { isLeaving: true });
  assert.deepEqual(made(maker({ "n-1": [leaving] })), ["n-1", "", true]);
  const reserved = new Map([["n-1" as NodeId, cpu(4000)]]);
  assert.equal(made(maker({ "n-1": [leaving] }, { reserved })), undefined, "it is for another");
});

Deno.test("what waits in a queue with lower priority is in nobody's way, unless the queue is full", () => {
  const waits = (id: string, cpuMillis: number) => occupant(id, cpuMillis, { hasBegun: false });
  assert.deepEqual(made(maker({ "n-1": [occupant("a", 2000), waits("b", 4000)] })), ["n-1", "", true]);
  const full = { "n-1": [occupant("a", 4000), waits("b", 3000), waits("c", 1000)] };
  assert.deepEqual(made(maker(full)), ["n-1", "b", false], "it makes way first, then it is looked again");
  assert.equal(made(maker(full), true), undefined);
  const ahead = { "n-1": [occupant("a", 2000), { ...waits("b", 2000), priority: 10 }] };
  assert.deepEqual(made(maker(ahead)), ["n-1", "a", true], "an equal that waits goes first");
});

Deno.test("a node without a queue takes it once all that make way have gone", () => {
  assert.deepEqual(made(maker({ "n-1": [occupant("a", 4000)] }, { queueCores: 0 })), ["n-1", "a", false]);
});

Deno.test("where it has to wait for those that leave already, nobody else has to go", () => {
  const room = maker({ "n-1": [occupant("leaves", 2000, { isLeaving: true }), occupant("stays", 2000)] }, {
    queueCores: 0,
  });
  assert.deepEqual(made(room), ["n-1", "", false]);
});

Deno.test("slots take what those before them have left", () => {
  const room = maker({ "n-1": [occupant("a", 2000), occupant("b", 2000)] });
  assert.deepEqual(made(room), ["n-1", "a", true]);
  assert.deepEqual(made(room), ["n-1", "b", true]);
  const noted = maker({ "n-1": [occupant("a", 2000)] });
  noted.note("n-1" as NodeId);
  assert.deepEqual(made(noted), ["n-1", "a", true]);
});

Deno.test("each node is worked out once, and again only when somebody has taken its room", () => {
  const NODES = 200;
  let looks = 0;
  const there = Object.fromEntries(
    Array.from({ length: NODES }, (_, at) => {
      const one = occupant(`e-${at}`, 4000);
      return [`n-${String(at).padStart(3, "0")}`, [
        new Proxy(one, { get: (target, key) => (looks++, Reflect.get(target, key)) }),
      ]];
    }),
  );
  const room = maker(there);
  for (let count = 0; count < 32; count++) assert.ok(made(room));
  assert.ok(looks < 40 * NODES, `${looks} looks`);
});
