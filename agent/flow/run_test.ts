import assert from "node:assert/strict";
import { anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

Deno.test("an order is accepted, runs, is published and reported", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 3 });
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  const report = agent.home.reportOf("e-1");
  assert.equal(report?.phase, "completed");
  assert.equal(report?.output?.exitCode, 3);
  assert.equal(report?.output?.stdout, "out of e-1");
  assert.deepEqual(report?.result, { type: "local", params: { NodeID: "n-1", ExecutionID: "e-1" } });
  assert.deepEqual(agent.engine.forgotten, ["e-1"]);
  assert.equal(agent.program.load().allocated.cpuMillis, 0);
  await agent.close();
});

Deno.test("a task is told its execution, job and partition", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1", { partition: 2, partitionCount: 5, task: aTask({ env: { A: "b" } }) }));
  await agent.settle();
  const env = agent.engine.started[0]?.env ?? {};
  assert.equal(env.A, "b");
  assert.equal(env.BACALHAU_PARTITION_INDEX, "2");
  assert.equal(env.SKERRY_PARTITION_COUNT, "5");
  assert.equal(env.BACALHAU_EXECUTION_ID, "e-1");
  assert.equal(env.BACALHAU_JOB_TYPE, "batch");
  await agent.close();
});

Deno.test("what does not fit waits, and starts when room is freed", async () => {
  const agent = await anAgent({
    facts: { capacity: { cpuMillis: 2000, memoryBytes: 1, diskBytes: 1, gpuCount: 0 } },
  });
  agent.home.order(anOrder("e-1"), anOrder("e-2"), anOrder("e-3"));
  await agent.settle();
  await new Promise((resolve) => setTimeout(resolve, 30));
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-2"), "running");
  assert.equal(agent.home.phaseOf("e-3"), "queued");
  agent.engine.end("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  assert.deepEqual(agent.engine.started.map(({ executionId }) => executionId), ["e-1", "e-2", "e-3"]);
  await agent.close();
});
