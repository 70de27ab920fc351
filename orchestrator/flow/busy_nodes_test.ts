import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { aTask, someResources } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";

/** Far more partitions than any queue takes, each so small that the node has room for all. */
const many = {
  count: 5_000,
  task: aTask({ resources: someResources({ cpuMillis: 0, memoryBytes: 0 }) }),
};
const HELLO_MS = 10_000;
const busy = { code: "exhausted", message: "this node does not take more" };

Deno.test("a node that refuses for want of room, whatever its home counts, is asked rarely and with few", async () => {
  const home = await aHome(many);
  const { store, plan, report, hello, pass } = home;
  const placed = () => store.database.all("SELECT id FROM executions WHERE phase = 'placed'");
  const refuseAll = () => placed().forEach(({ id }) => report("refused", String(id) as never, busy));
  const made = () => Number(store.database.get("SELECT count(*) AS n FROM executions")!.n);
  const entries = () => Number(store.database.get("SELECT count(*) AS n FROM ledger")!.n);
  refuseAll();
  assert.deepEqual(plan(), []);
  assert.match(store.projection.find(NODE)!.node.load!.refuses!, /does not take more/);
  const [madeFirst, entriesFirst] = [made(), entries()];
  assert.equal(madeFirst, LIMITS.agentQueueMax);
  for (let atMs = 0; atMs < 3_600_000; atMs += HELLO_MS) {
    pass(HELLO_MS);
    hello({ queuedCount: 0 });
    plan();
    refuseAll();
    plan();
    assert.ok(made() - madeFirst < 40, `${made() - madeFirst} executions within ${atMs} ms`);
  }
  assert.ok(entries() - entriesFirst < 200, `${entries() - entriesFirst} ledger entries in an hour`);
});

Deno.test("a busy node gets nothing before its load says that its queue has room, then more and more", async () => {
  const { plan, report, hello, pass, store, executionId } = await aHome(many);
  report("refused", executionId, busy);
  const orders = (queuedCount: number) => {
    pass(HELLO_MS);
    hello({ queuedCount });
    return plan().map(({ executionId }) => executionId);
  };
  assert.deepEqual(orders(LIMITS.agentQueueMax), []);
  assert.deepEqual(orders(LIMITS.agentQueueMax), []);
  const [first, ...others] = orders(LIMITS.agentQueueMax - 1);
  assert.deepEqual(others, []);
  report("running", first);
  for (const { id } of store.database.all("SELECT id FROM executions WHERE phase = 'placed'")) {
    report("running", String(id) as never);
  }
  assert.equal(plan().length > 0, true);
  orders(0);
  orders(0);
  orders(0);
  assert.equal(store.projection.find(NODE)!.waitingCount, LIMITS.agentQueueMax);
});

Deno.test("a job whose execution stands in the queue of its node says so", async () => {
  const { report, job } = await aHome();
  report("queued");
  assert.deepEqual([job().phase, job().message], ["queued", `an execution waits on node ${NODE} for room`]);
  report("running");
  assert.deepEqual([job().phase, job().message], ["running", undefined]);
});

Deno.test("a job of which something has no node says why that is", async () => {
  const { report, job } = await aHome({
    count: 100,
    task: aTask({ resources: someResources({ cpuMillis: 1000 }) }),
  });
  const { message } = job();
  assert.match(message!, /not enough nodes/);
  report("queued");
  assert.equal(job().message, message);
});
