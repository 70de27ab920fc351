import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { Waiting } from "./waiting.ts";

const waiter = (jobRow: number, priority = 0) => ({ jobRow, priority });
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
  for (const row of [2, 1, 3]) waiting.putBlocked(waiter(row), "small", refusal);
  waiting.putBlocked(waiter(9), "large", refusal);
  assert.equal(waiting.next(), undefined);
  waiting.nodesChanged();
  assert.deepEqual(waiting.next(), waiter(1));
  waiting.putBlocked(waiter(1), "small", refusal);
  assert.deepEqual(waiting.next(), waiter(9), "the group that found no room is closed, the other is not");
});

Deno.test("a job due behind others of its group is told what they were told", () => {
  const waiting = new Waiting();
  waiting.putBlocked(waiter(1), "small", refusal);
  assert.equal(waiting.aheadOf(waiter(2), "small"), refusal);
  assert.equal(waiting.aheadOf(waiter(2, 9), "small"), undefined, "a higher priority is not behind");
  assert.equal(waiting.aheadOf(waiter(2), "large"), undefined);
  waiting.nodesChanged();
  assert.equal(waiting.aheadOf(waiter(2), "small"), undefined, "room may have come");
});

Deno.test("a removed job waits nowhere", () => {
  const waiting = new Waiting();
  waiting.putBlocked(waiter(1), "small", refusal);
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
