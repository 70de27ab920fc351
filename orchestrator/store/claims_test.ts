import assert from "node:assert/strict";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { someResources } from "../../tests/support/builders.ts";
import { Claims } from "./claims.ts";

const NODE = "n-1" as NodeId;
const waiter = (jobRow: number, priority: number) => ({ jobRow, priority, namespace: "default" });
const claim = (cpuMillis: number) => ({
  ...{ nodeId: NODE, resources: someResources({ cpuMillis }), victims: ["e-1" as ExecutionId] },
});

Deno.test("room that is being made is kept from those who come after whom it is made for, and from nobody else", () => {
  const claims = new Claims();
  claims.put(waiter(5, 10), [claim(1000), claim(500)]);
  claims.put(waiter(7, 10), [claim(200)]);
  const kept = (jobRow: number, priority: number) =>
    claims.reservedFor(waiter(jobRow, priority)).get(NODE)?.cpuMillis;
  assert.deepEqual([kept(9, 9), kept(9, 10), kept(6, 10)], [1700, 1700, 1500]);
  assert.deepEqual([kept(9, 11), kept(4, 10), kept(5, 10)], [undefined, undefined, undefined]);
  assert.equal(kept(7, 10), 1500, "its own is not kept from it");
  assert.deepEqual([claims.take(5).length, claims.has(5), kept(9, 9)], [2, false, 200]);
});
