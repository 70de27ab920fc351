import assert from "node:assert/strict";
import { NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { Allocations, compareWaiting, grant, OVERTAKES_MAX, type Waiting } from "./capacity.ts";

const cpu = (cpuMillis: number): Resources => ({ ...NO_RESOURCES, cpuMillis });
const waiting = (id: string, cpuMillis: number, more: Partial<Waiting> = {}): Waiting => ({
  id,
  priority: 0,
  row: Number(id),
  resources: cpu(cpuMillis),
  overtakenCount: 0,
  owner: "default",
  weight: 1,
  ...more,
});
const names = (list: readonly Waiting[]) => list.map(({ id }) => id);

Deno.test("grant() goes by priority, then by arrival", () => {
  const queue = [waiting("1", 1), waiting("2", 1, { priority: 5 }), waiting("3", 1)].sort(compareWaiting);
  assert.deepEqual(names(grant(queue, { room: cpu(10), countMax: 10 }).granted), ["2", "1", "3"]);
});

Deno.test("grant() lets small ones overtake one that does not fit", () => {
  const { granted, blocked } = grant([waiting("1", 8), waiting("2", 2), waiting("3", 2)], {
    room: cpu(4),
    countMax: 10,
  });
  assert.deepEqual(names(granted), ["2", "3"]);
  assert.deepEqual(blocked, { id: "1", overtakenCount: 2 });
});

Deno.test("grant() keeps room free for one that was overtaken often enough", () => {
  const big = waiting("1", 8, { overtakenCount: OVERTAKES_MAX });
  assert.deepEqual(names(grant([big, waiting("2", 2)], { room: cpu(4), countMax: 10 }).granted), []);
  assert.deepEqual(names(grant([big, waiting("2", 2)], { room: cpu(10), countMax: 10 }).granted), ["1", "2"]);
});

Deno.test("grant() lets owners take turns by what they hold and their weight, within one priority", () => {
  const shares = { heldBy: (owner: string) => owner === "a" ? cpu(2) : NO_RESOURCES, capacity: cpu(100) };
  const of = (owner: string, weight = 1) => ({ owner, weight });
  const queue = [
    ...["1", "2", "3", "4"].map((id) => waiting(id, 1, of("a"))),
    ...["5", "6", "7", "8"].map((id) => waiting(id, 1, of("b"))),
    waiting("9", 1, { ...of("a"), priority: 1 }),
  ].sort(compareWaiting);
  const all = { room: cpu(100), countMax: 100 };
  assert.deepEqual(names(grant(queue, { ...all, shares }).granted), [..."956718234"]);
  const heavy = queue.map((one) => one.owner === "b" ? { ...one, weight: 2 } : one);
  const light = { ...shares, heldBy: () => NO_RESOURCES };
  assert.deepEqual(names(grant(heavy, { room: cpu(7), countMax: 7, shares: light }).granted), [..."9561782"]);
});

Deno.test("grant() starts no more than there are places", () => {
  assert.deepEqual(names(grant([waiting("1", 0), waiting("2", 0)], { room: cpu(4), countMax: 1 }).granted), [
    "1",
  ]);
});

Deno.test("grant() starts nothing where there is no room at all", () => {
  assert.deepEqual(names(grant([waiting("1", 0)], { room: undefined, countMax: 10 }).granted), []);
});

Deno.test("Allocations count each execution once, however often it is told", () => {
  const allocations = new Allocations(cpu(10), { countMax: 10 });
  allocations.hold("1", cpu(4));
  allocations.hold("1", cpu(4));
  assert.deepEqual(allocations.total, cpu(4));
  assert.deepEqual(allocations.room, cpu(6));
  allocations.release("1");
  allocations.release("1");
  assert.deepEqual(allocations.total, NO_RESOURCES);
});

Deno.test("Allocations have no room while more is held than there is", () => {
  const allocations = new Allocations(cpu(10), { countMax: 10 });
  allocations.hold("1", cpu(12));
  assert.equal(allocations.room, undefined);
  allocations.release("1");
  assert.deepEqual(allocations.room, cpu(10));
});
