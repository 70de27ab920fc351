import assert from "node:assert/strict";
import { anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

/** An agent whose journal is a file, so that it can be started again. */
async function aDurableAgent(options: Parameters<typeof anAgent>[0] = {}) {
  const folder = await Deno.makeTempDir({ prefix: "skerry-agent-" });
  const agent = await anAgent({ ...options, path: `${folder}/agent.db` });
  return { agent, end: async () => (await agent.close(), await Deno.remove(folder, { recursive: true })) };
}

const ONE_AT_A_TIME = { capacity: { cpuMillis: 1000, memoryBytes: 1, diskBytes: 1, gpuCount: 0 } };

Deno.test("after kill -9 a running task is taken over, and ends as if nothing had been", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  await agent.restart({ isKilled: true });
  assert.equal(agent.engine.started.length, 1);
  assert.equal(agent.program.load().allocated.cpuMillis, 1000);
  agent.engine.end("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  assert.equal(agent.program.load().allocated.cpuMillis, 0);
  await end();
});

Deno.test("after kill -9 between a start and its commit the task is taken over, not started again", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.database.get("SELECT phase FROM executions")?.phase, "queued");
  await agent.restart({ isKilled: true });
  await agent.pass(20);
  assert.equal(agent.engine.started.length, 1);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await end();
});

Deno.test("a task that ended while the agent was away is reported with its exit code", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.engine.held.get("e-1")!.exit = { kind: "exited", exitCode: 5 };
  await agent.restart({ isKilled: true });
  const report = agent.home.reportOf("e-1");
  assert.deepEqual([report?.phase, report?.output?.exitCode], ["completed", 5]);
  await end();
});

Deno.test("a task that is gone was interrupted", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.engine.held.delete("e-1");
  await agent.restart({ isKilled: true });
  const report = agent.home.reportOf("e-1");
  assert.deepEqual([report?.phase, report?.code], ["failed", "interrupted"]);
  assert.equal(agent.program.load().allocated.cpuMillis, 0);
  await end();
});

Deno.test("queued executions stay queued, in their order", async () => {
  const { agent, end } = await aDurableAgent({ facts: ONE_AT_A_TIME });
  agent.home.order(anOrder("e-1"), anOrder("e-2"), anOrder("e-3", { priority: 5 }));
  await agent.pass(20);
  await agent.restart({ isKilled: true });
  assert.deepEqual(agent.program.load().queuedCount, 2);
  for (const id of ["e-3", "e-1", "e-2"]) {
    agent.engine.end(id);
    await agent.settle();
  }
  assert.deepEqual(agent.engine.started.map(({ executionId }) => executionId), ["e-3", "e-1", "e-2"]);
  await end();
});

Deno.test("a stop that was applied goes on after kill -9", async () => {
  const { agent, end } = await aDurableAgent();
  agent.engine.isDeaf = true;
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.home.order({ desired: "stop", executionId: anOrder("e-1").executionId, message: "Enough" });
  await agent.settle();
  agent.engine.isDeaf = false;
  await agent.restart({ isKilled: true });
  assert.equal(agent.home.reportOf("e-1")?.phase, "stopped");
  assert.equal(agent.home.reportOf("e-1")?.message, "Enough");
  await end();
});

Deno.test("what must not run twice starts once its start is on disk, and a power cut ends it", async () => {
  const { agent, end } = await aDurableAgent();
  const phases: unknown[] = [];
  agent.engine.behave = () => {
    phases.push(agent.database.get("SELECT phase FROM executions ORDER BY row DESC")?.phase);
    return undefined;
  };
  agent.home.order(anOrder("e-1", { runsOnce: true }));
  await agent.settle();
  assert.deepEqual(phases, ["preparing"]);
  // The power cut takes the engine's own record with it.
  agent.engine.held.clear();
  await agent.restart({ isKilled: true });
  await agent.pass(20);
  assert.equal(agent.engine.started.length, 1);
  assert.deepEqual([agent.home.reportOf("e-1")?.phase, agent.home.reportOf("e-1")?.code], [
    "failed",
    "interrupted",
  ]);
  await end();
});

Deno.test("what may run twice is started again after a power cut took every trace of its start", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.engine.held.clear();
  await agent.restart({ isKilled: true });
  await agent.pass(20);
  assert.equal(agent.engine.started.length, 2);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await end();
});

Deno.test("a stop that comes while the engine is still asked finds the task of which the journal knows no start", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.database.get("SELECT phase FROM executions")?.phase, "queued");
  const { engine, home } = agent;
  const list = engine.list.bind(engine);
  engine.list = async (folders) => {
    home.order({ desired: "stop", executionId: anOrder("e-1").executionId, message: "Enough" });
    for (let turn = 0; turn < 10; turn++) {
      home.sync.tick();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return await list(folders);
  };
  await agent.restart({ isKilled: true });
  assert.deepEqual(engine.stopped, ["e-1"]);
  assert.equal(home.reportOf("e-1")?.phase, "stopped");
  await end();
});

Deno.test("what runs keeps its allocation when the node got smaller, and nothing else starts until it fits", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"), anOrder("e-2"));
  await agent.pass(20);
  await agent.restart({ facts: ONE_AT_A_TIME });
  agent.home.order(
    anOrder("e-3", {
      task: aTask({ resources: { cpuMillis: 0, memoryBytes: 0, diskBytes: 0, gpuCount: 0 } }),
    }),
  );
  await agent.pass(20);
  assert.equal(agent.program.load().allocated.cpuMillis, 2000);
  assert.equal(agent.home.phaseOf("e-3"), "queued");
  agent.engine.end("e-1");
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-3"), "running");
  await end();
});

Deno.test("an orderly end leaves running tasks running, and keeps what is left of their time-out", async () => {
  const { agent, end } = await aDurableAgent();
  const timeouts = { executionMs: 5000, queueMs: 0, totalMs: 0 };
  agent.home.order(anOrder("e-1", { task: aTask({ timeouts }) }));
  await agent.pass(3000);
  await agent.restart();
  assert.deepEqual(agent.engine.stopped, []);
  await agent.pass(1000);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await agent.pass(1500);
  assert.equal(agent.home.reportOf("e-1")?.code, "execution_timed_out");
  await end();
});

Deno.test("a node tells what it is once, and again only when that changed", async () => {
  const { agent, end } = await aDurableAgent();
  assert.equal(agent.home.facts.length, 1);
  await agent.restart();
  assert.equal(agent.home.facts.length, 1);
  await agent.restart({ facts: { labels: { zone: "b" } } });
  assert.equal(agent.home.facts.length, 2);
  assert.deepEqual(agent.home.facts.at(-1)?.labels, { zone: "b" });
  await end();
});

Deno.test("an order that cannot be read costs its own execution: the agent starts, and its home hears of it", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"), anOrder("e-2"));
  await agent.pass(20);
  agent.database.transaction(() =>
    agent.database.run("UPDATE orders SET body = replace(body, 'wasm', 'wasn') WHERE row = 1")
  );
  await agent.restart({ isKilled: true });
  await agent.pass(20);
  assert.deepEqual([agent.home.reportOf("e-1")?.phase, agent.home.reportOf("e-1")?.code], [
    "failed",
    "interrupted",
  ]);
  assert.equal(agent.program.load().allocated.cpuMillis, 1000);
  agent.engine.end("e-2");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-2"), "completed");
  await agent.restart({ isKilled: true });
  assert.deepEqual(agent.program.executions.all(), []);
  await end();
});

Deno.test("a state that cannot be read is found out from the engine", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.database.transaction(() => agent.database.run("UPDATE executions SET body = 'x' || body"));
  await agent.restart({ isKilled: true });
  agent.engine.end("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  agent.database.transaction(() => agent.database.run("UPDATE executions SET body = 'x' || body"));
  await agent.restart({ isKilled: true });
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.home.reportOf("e-1")?.code, "interrupted", "ended, and never run again");
  assert.equal(agent.engine.started.length, 1);
  await end();
});

Deno.test("what an image was found to be is told with every report, also by an agent that was killed meanwhile", async () => {
  const { agent, end } = await aDurableAgent();
  const image = { name: "app:1", digest: "app@sha256:0123", id: "sha256:45" };
  agent.engine.image = image;
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  assert.deepEqual(agent.home.reportOf("e-1")?.image, image);
  await agent.restart({ isKilled: true });
  agent.engine.end("e-1");
  await agent.settle();
  const report = agent.home.reportOf("e-1");
  assert.deepEqual([report?.phase, report?.image], ["completed", image]);
  await end();
});

Deno.test("the digest of an order reaches the engine", async () => {
  const { agent, end } = await aDurableAgent();
  agent.home.order(anOrder("e-1", { image: "app@sha256:0123" }));
  await agent.pass(20);
  assert.equal(agent.engine.started[0]?.image, "app@sha256:0123");
  await end();
});
