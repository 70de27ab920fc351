import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { type GroupKey, Waiting } from "./waiting.ts";

const waiter = (jobRow: number, priority = 0, namespace = "default") => ({ jobRow, priority, namespace });
const [small, large] = ["small", "large"].map((id): GroupKey => ({ id, resources: NO_RESOURCES })) as [
  GroupKey,
  GroupKey,
];
const refusal = { isLasting: false, message: "node busy", hint: "wait" };

Deno.test("what is due comes by priority, then in the order in which it became due", () => {
  const waiting = new Waiting();
  for (const one of [waiter(3), waiter(1), waiter(2, 5)]) waiting.putDue(one);
  const order: number[] = [];
  for (let next = waiting.next(); next !== undefined; next = waiting.next()) {
    order.push(next.jobRow);
    waiting.remove(next.jobRow);
  }
  assert.deepEqual(order, [2, 3, 1]);
});

Deno.test("blocked jobs rest until something opens, and then the first of each group goes first", () => {
  const waiting = new Waiting();
  for (const row of [2, 1, 3]) waiting.putBlocked(waiter(row), small, refusal);
  waiting.putBlocked(waiter(9), large, refusal);
  assert.equal(waiting.next(), undefined);
  waiting.nodesChanged();
  assert.deepEqual(waiting.next(), waiter(1));
  waiting.putBlocked(waiter(1), small, refusal);
  assert.deepEqual(waiting.next(), waiter(9), "the group that found no room is closed, the other is not");
});

Deno.test("a job due behind others of its group is told what they were told", () => {
  const waiting = new Waiting();
  waiting.putBlocked(waiter(1), small, refusal);
  assert.equal(waiting.aheadOf(waiter(2), small), refusal);
  assert.equal(waiting.aheadOf(waiter(2, 9), small), undefined, "a higher priority is not behind");
  assert.equal(waiting.aheadOf(waiter(2), large), undefined);
  waiting.nodesChanged();
  assert.equal(waiting.aheadOf(waiter(2), small), undefined, "room may have come");
});

Deno.test("a removed job waits nowhere", () => {
  const waiting = new Waiting();
  waiting.putBlocked(waiter(1), small, refusal);
  waiting.putDue(waiter(1));
  waiting.remove(1);
  waiting.nodesChanged();
  assert.equal(waiting.next(), undefined);
  assert.deepEqual([waiting.dueCount, waiting.blockedCount], [0, 0]);
});

Deno.test("who stands by is woken by what concerns it, and nobody waits behind it", () => {
  const waiting = new Waiting();
  const [one, other] = ["n-1" as NodeId, "n-2" as NodeId];
  waiting.standBy(waiter(1), { nodes: false, room: new Set([one]) });
  waiting.standBy(waiter(2), { nodes: true, room: new Set() });
  waiting.standBy(waiter(3), { nodes: false, room: new Set() });
  waiting.roomFreed(other);
  assert.equal(waiting.next(), undefined);
  waiting.roomFreed(one);
  assert.deepEqual(waiting.next(), waiter(1));
  waiting.remove(1);
  waiting.nodesChanged();
  assert.deepEqual(waiting.next(), waiter(2));
  waiting.standBy(waiter(2), { nodes: true, room: new Set() });
  assert.equal(waiting.next(), undefined);
  assert.deepEqual([waiting.dueCount, waiting.blockedCount], [0, 2]);
});

/** Shares that a test sets; each execution of a group adds one. */
function sharing(shares: Record<string, number>) {
  return new Waiting({ shareOf: (namespace) => shares[namespace] ?? 0, stepOf: () => 1 });
}

Deno.test("within one priority it is the turn of the namespace that holds least, then of the oldest", () => {
  const shares: Record<string, number> = { a: 3, b: 1 };
  const waiting = sharing(shares);
  for (const [row, namespace] of [[1, "a"], [2, "a"], [3, "b"], [4, "b"], [5, "c"]] as const) {
    waiting.putDue(waiter(row, 0, namespace));
  }
  waiting.putDue(waiter(6, 1, "a"));
  const order: number[] = [];
  for (let next = waiting.next(); next !== undefined; next = waiting.next()) {
    order.push(next.jobRow);
    shares[next.namespace] = (shares[next.namespace] ?? 0) + 1;
    waiting.remove(next.jobRow);
  }
  assert.deepEqual(order, [6, 5, 3, 4, 1, 2], "the higher priority whatever it holds");
});

Deno.test("a namespace with thousands in line does not keep another's first one waiting", () => {
  const waiting = sharing({ crowd: 5 });
  for (let row = 1; row <= 10_000; row++) waiting.putBlocked(waiter(row, 0, "crowd"), small, refusal);
  waiting.putDue(waiter(20_000, 0, "quiet"));
  assert.equal(waiting.aheadOf(waiter(20_000, 0, "quiet"), small), undefined);
  waiting.putBlocked(waiter(20_000, 0, "quiet"), small, refusal);
  assert.equal(waiting.aheadOf(waiter(20_001, 0, "crowd"), small), refusal);
  assert.equal(waiting.aheadOf(waiter(20_001, 0, "quiet"), small), refusal, "it is behind its own");
  waiting.nodesChanged();
  assert.equal(waiting.next()?.jobRow, 20_000);
});

Deno.test("who is ahead is told as turns would go now", () => {
  const waiting = sharing({ a: 1, b: 0 });
  for (const row of [1, 3, 5]) waiting.putBlocked(waiter(row, 0, "a"), small, refusal);
  for (const row of [2, 4, 6]) waiting.putBlocked(waiter(row, 0, "b"), small, refusal);
  waiting.putBlocked(waiter(7, 9, "c"), small, refusal);
  assert.deepEqual(waiting.standing(3, 4), { status: "blocked", aheadCount: 4, ahead: [7, 2, 1, 4] });
  assert.deepEqual(waiting.standing(2, 4), { status: "blocked", aheadCount: 1, ahead: [7] });
  assert.equal(waiting.standing(6, 9)?.aheadCount, 5);
});

Deno.test("who waits for a quota is woken by room in it, and not by room on a node", () => {
  const waiting = new Waiting();
  const quota = { id: "quota", resources: NO_RESOURCES, quotaOf: "a" };
  waiting.putBlocked(waiter(1, 0, "a"), quota, refusal);
  waiting.standBy(waiter(2, 0, "a"), { nodes: false, room: new Set(), quotaOf: "a" });
  waiting.roomFreed("n-1" as NodeId, "b");
  waiting.roomFreed("n-1" as NodeId);
  assert.equal(waiting.next(), undefined);
  waiting.roomFreed("n-1" as NodeId, "a");
  assert.equal(waiting.next()?.jobRow, 1);
  waiting.remove(1);
  assert.equal(waiting.next()?.jobRow, 2);
});
