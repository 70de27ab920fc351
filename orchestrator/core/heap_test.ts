import assert from "node:assert/strict";
import { Heap } from "./heap.ts";

Deno.test("a heap gives the greatest score first and breaks ties by the smaller number", () => {
  const heap = new Heap(6);
  for (const [item, score] of [[3, 0.5], [1, 0.9], [5, 0.5], [0, 0.1], [4, 0.9], [2, 0.5]] as const) {
    heap.push(item, score);
  }
  const order = Array.from({ length: 6 }, () => heap.pop());
  assert.deepEqual(order, [1, 4, 2, 3, 5, 0]);
  assert.equal(heap.pop(), undefined);
  assert.equal(heap.size, 0);
});
