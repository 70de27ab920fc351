import assert from "node:assert/strict";
import type { Input } from "../inputs/input.ts";
import type { Publisher } from "../publishers/publisher.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
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
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-2"), "running");
  assert.equal(agent.home.phaseOf("e-3"), "queued");
  agent.engine.end("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  assert.deepEqual(agent.engine.started.map(({ executionId }) => executionId), ["e-1", "e-2", "e-3"]);
  await agent.close();
});

Deno.test("a short task costs two commits, and its home hears of it once", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  let commits = 0;
  agent.database.beforeEachCommit(() => commits++);
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(commits, 2);
  assert.deepEqual(agent.home.reports.map(({ phase }) => phase), ["completed"]);
  assert.deepEqual(agent.home.happened.map(({ event }) => event.message), ["Running execution"]);
  await agent.close();
});

Deno.test("a longer task is told as running, and as completed with a higher revision", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), undefined);
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  agent.engine.end("e-1");
  await agent.settle();
  const [first, last] = agent.home.reports;
  assert.equal(last?.phase, "completed");
  assert.ok(last.revision > first!.revision);
  await agent.close();
});

Deno.test("a running task is stopped by its home's order", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.home.order({ desired: "stop", executionId: anOrder("e-1").executionId, message: "Enough" });
  await agent.settle();
  assert.deepEqual(agent.engine.stopped, ["e-1"]);
  const report = agent.home.reportOf("e-1");
  assert.deepEqual([report?.phase, report?.message], ["stopped", "Enough"]);
  await agent.close();
});

Deno.test("a task that runs longer than its time-out is stopped and has failed, with its output", async () => {
  const agent = await anAgent();
  const timeouts = { executionMs: 5000, queueMs: 0, totalMs: 0 };
  agent.home.order(anOrder("e-1", { task: aTask({ timeouts }) }));
  await agent.pass(20);
  await agent.pass(4900);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await agent.pass(200);
  const report = agent.home.reportOf("e-1");
  assert.equal(report?.phase, "failed");
  assert.equal(report?.code, "execution_timed_out");
  assert.equal(report?.message, "Execution timed out after 5s");
  assert.equal(report?.hint, "Increase the task timeout or allocate more resources");
  assert.equal(report?.output?.stdout, "out of e-1");
  assert.equal(agent.database.get("SELECT count(*) AS n FROM deadlines")?.n, 0);
  await agent.close();
});

Deno.test("an exit code that the job does not accept fails it, and its results are published all the same", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 4 });
  agent.home.order(anOrder("e-1", { successExitCodes: [0] }));
  await agent.settle();
  const report = agent.home.reportOf("e-1");
  assert.deepEqual([report?.phase, report?.code, report?.output?.exitCode], ["failed", "program_failed", 4]);
  assert.equal(report?.result?.type, "local");
  await agent.close();
});

Deno.test("a job without a publisher leaves its output, and no result", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder("e-1", { task: aTask({ publisher: undefined }) }));
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  assert.equal(agent.home.reportOf("e-1")?.result, undefined);
  assert.equal(agent.home.reportOf("e-1")?.output?.stdout, "out of e-1");
  await agent.close();
});

Deno.test("an engine that cannot start a task fails the execution with the engine's words", async () => {
  const agent = await anAgent();
  agent.engine.startError = new AppError("module_invalid", "Cannot load the module", {
    hint: "Build it for WASI",
  });
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  const report = agent.home.reportOf("e-1");
  assert.deepEqual(
    [report?.phase, report?.code, report?.message, report?.hint],
    ["failed", "module_invalid", "Cannot load the module", "Build it for WASI"],
  );
  assert.equal(agent.program.load().allocated.cpuMillis, 0);
  await agent.close();
});

Deno.test("publishing waits until the other side can be reached", async () => {
  let attempts = 0;
  const publisher: Publisher = {
    type: "away",
    keepsResultsHere: false,
    publish: () =>
      ++attempts < 3
        ? Promise.reject(new AppError("unreachable", "Cannot reach the store"))
        : Promise.resolve({ type: "away", params: {} }),
  };
  const agent = await anAgent({ publishers: [publisher] });
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder("e-1", { task: aTask({ publisher: { type: "away", params: {} } }) }));
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-1"), "publishing");
  await agent.pass(1000);
  await agent.pass(2000);
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  await agent.close();
});

Deno.test("a stop breaks off an input that is being fetched", async () => {
  let isAborted = false;
  const input: Input = {
    types: ["inline"],
    probe: () => ({ isUsable: true, hereBytes: 0, fetchBytes: 1 }),
    prepare: (_input, { signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          isAborted = true;
          reject(new AppError("stopped", "Broken off"));
        })
      ),
  };
  const agent = await anAgent({ inputs: [input] });
  const inputs = [{ source: { type: "inline", params: {} }, alias: "", target: "/in" }];
  agent.home.order(anOrder("e-1", { task: aTask({ inputs }) }));
  await agent.settle();
  agent.home.order({ desired: "stop", executionId: anOrder("e-1").executionId, message: "Enough" });
  await agent.settle();
  assert.ok(isAborted);
  assert.equal(agent.home.phaseOf("e-1"), "stopped");
  assert.equal(agent.engine.started.length, 0);
  await agent.close();
});

Deno.test("an end is recorded although the beginning of the output cannot be read", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.workspace.readPreview = () => {
    throw new AppError("io", "Cannot read: too many open files");
  };
  agent.engine.end("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  await agent.close();
});

Deno.test("a task that names no disk is given what every task has", async () => {
  const agent = await anAgent();
  const resources = { cpuMillis: 1, memoryBytes: 1, diskBytes: 5, gpuCount: 0 };
  agent.home.order(anOrder("e-1"), anOrder("e-2", { task: aTask({ resources }) }));
  await agent.settle();
  assert.deepEqual(agent.engine.started.map(({ diskBytes }) => diskBytes), [LIMITS.diskBytesDefault, 5]);
  await agent.close();
});
