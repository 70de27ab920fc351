import assert from "node:assert/strict";
import { ended, lost, open } from "../../tests/support/plans.ts";
import type { OpenExecution } from "./plan.ts";
import { byPartition, exclusionsOf, nextSlot, stopAll } from "./plan.ts";

const id = (text: string) => text as OpenExecution["id"];

Deno.test("attempts are told apart by partition, the first first", () => {
  const attempts = byPartition([
    open({ partition: 1, attempt: 1 }),
    open({ partition: 0, attempt: 2 }),
    open({ partition: 1, attempt: 0 }),
  ]);
  assert.deepEqual([...attempts.keys()], [0, 1]);
  assert.deepEqual(attempts.get(1)!.map(({ attempt }) => attempt), [0, 1]);
});

Deno.test("what may run is stopped, once: also what is lost, and nothing that has ended", () => {
  const executions = [
    open({ id: id("e-live") }),
    open({ id: id("e-told"), desired: "stop" }),
    lost({ id: id("e-lost") }),
    ended(0, "n-a"),
  ];
  assert.deepEqual(stopAll(executions, "why").stops, [
    { id: "e-live", message: "why" },
    { id: "e-lost", message: "why" },
  ]);
});

Deno.test("a successor goes anywhere but where it was refused, rather not where it ended, or to its own node", () => {
  const failed = ended(0, "n-a", { attempt: 2 });
  assert.deepEqual(nextSlot(failed, { partition: 0 }).avoided, ["n-a"]);
  const refused = ended(0, "n-a", { phase: "refused", code: "refused", message: "no such folder" });
  assert.deepEqual(nextSlot(refused, { partition: 0 }).excluded, [
    { nodeId: "n-a", reason: "no such folder" },
  ]);
  const own = nextSlot(refused, { partition: 0, nodeId: refused.nodeId });
  assert.deepEqual([own.excluded, own.avoided, own.attempt, own.previousId], [[], [], 1, refused.id]);
});

Deno.test("each node is named once, with its latest reason", () => {
  const refusal = (message: string) => ended(0, "n-a", { phase: "refused", message });
  assert.deepEqual(exclusionsOf([refusal("first"), refusal("second")]), [{
    nodeId: "n-a",
    reason: "second",
  }]);
});
