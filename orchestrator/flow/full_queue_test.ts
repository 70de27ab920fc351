import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { aTask, someResources } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";

const MAX = LIMITS.agentQueueMax;
/** Far more partitions than the node's queue takes, each so small that the node has room for all. */
const many = {
  count: MAX + 200,
  task: aTask({ resources: someResources({ cpuMillis: 1, memoryBytes: 1 }) }),
};

Deno.test("a node gets no more orders than its queue takes, and the next one as soon as one has begun", async () => {
  const { report, plan, store } = await aHome(many);
  const waitingCount = () => store.projection.find(NODE)!.waitingCount;
  assert.equal(waitingCount(), MAX);
  report("queued");
  assert.deepEqual([plan().length, waitingCount()], [0, MAX]);
  report("running");
  assert.deepEqual([plan().length, waitingCount()], [1, MAX]);
  report("completed");
  assert.deepEqual([plan().length, waitingCount()], [0, MAX]);
});

Deno.test("what is lost or ends in the queue leaves it", async () => {
  const { report, lose, plan, store } = await aHome(many);
  const waitingCount = () => store.projection.find(NODE)!.waitingCount;
  report("stopped");
  assert.equal(waitingCount(), MAX - 1);
  plan();
  lose();
  assert.equal(waitingCount(), 0);
});
