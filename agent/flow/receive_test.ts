import assert from "node:assert/strict";
import type { TransactionOptions } from "../../shared/ledger/database.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { Input } from "../inputs/input.ts";
import { anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

const id = (text: string) => text as ExecutionId;

Deno.test("what the node cannot run is refused, with reason and hint", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1", { task: aTask({ engine: { type: "docker", params: {} } }) }));
  await agent.settle();
  const report = agent.home.reportOf("e-1");
  assert.equal(report?.phase, "refused");
  assert.equal(report?.code, "engine_missing");
  assert.equal(report?.message, 'this node does not have the engine "docker"');
  assert.equal(report?.hint, "It has wasm");
  await agent.close();
});

Deno.test("an input that may not be used here is refused in the words of its adapter", async () => {
  const failure = { code: "input_refused", message: 'this node does not allow the path "/etc"' } as const;
  const input: Input = {
    types: ["local"],
    probe: () => ({ isUsable: false, failure }),
    prepare: () => Promise.reject(new Error("never asked")),
  };
  const agent = await anAgent({ inputs: [input] });
  const inputs = [{ source: { type: "local", params: {} }, alias: "", target: "/in" }];
  agent.home.order(anOrder("e-1", { task: aTask({ inputs }) }));
  await agent.settle();
  assert.equal(agent.home.reportOf("e-1")?.message, failure.message);
  await agent.close();
});

Deno.test("on a disk that is nearly full new work is refused, and taken again once there is room", async () => {
  const agent = await anAgent();
  agent.machine.freeBytes = 1024;
  await agent.pass(2000);
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.home.reportOf("e-1")?.code, "disk_full");
  assert.ok(agent.program.load().refuses?.includes("free disk"));
  agent.machine.freeBytes = 1e12;
  await agent.pass(2000);
  agent.home.order(anOrder("e-2"));
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-2"), "running");
  await agent.close();
});

Deno.test("a doubled order runs once; one that has ended is reported again", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"), anOrder("e-1"));
  await agent.pass(20);
  assert.equal(agent.engine.started.length, 1);
  agent.engine.end("e-1");
  await agent.settle();
  const before = agent.home.reports.length;
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.engine.started.length, 1);
  assert.equal(agent.home.reports.length, before + 1);
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  await agent.close();
});

Deno.test("an order and its stop in one batch start nothing", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"), { desired: "stop", executionId: id("e-1"), message: "Never mind" });
  await agent.settle();
  assert.equal(agent.engine.started.length, 0);
  assert.equal(agent.home.phaseOf("e-1"), "stopped");
  await agent.close();
});

Deno.test("a stop for an execution that this node never had is answered", async () => {
  const agent = await anAgent();
  agent.home.order({ desired: "stop", executionId: id("e-9"), message: "Enough" });
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-9"), "stopped");
  await agent.close();
});

Deno.test("what is missing in a census is stopped, what ended may be forgotten", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"), anOrder("e-2"), anOrder("e-3"));
  await agent.pass(20);
  agent.engine.end("e-3");
  await agent.settle();
  agent.home.census("e-1");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "running");
  assert.equal(agent.home.phaseOf("e-2"), "stopped");
  const row = agent.database.get("SELECT is_forgettable FROM executions WHERE id = 'e-3'");
  assert.equal(row?.is_forgettable, 1);
  await agent.close();
});

Deno.test("a full queue refuses as busy", async () => {
  const capacity = { cpuMillis: 1000, memoryBytes: 1, diskBytes: 1, gpuCount: 0 };
  const queueCapacity = { cpuMillis: 1000, memoryBytes: 1, diskBytes: 1, gpuCount: 0 };
  const agent = await anAgent({ facts: { capacity, queueCapacity } });
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  agent.home.order(anOrder("e-2"), anOrder("e-3"));
  await agent.pass(20);
  assert.deepEqual(["e-1", "e-2", "e-3"].map((it) => agent.home.phaseOf(it)), [
    "running",
    "queued",
    "refused",
  ]);
  assert.equal(agent.home.reportOf("e-3")?.code, "exhausted");
  await agent.close();
});

Deno.test("a failed transaction leaves no execution behind, and the order is taken when it comes again", async () => {
  const agent = await anAgent();
  const { transaction } = agent.database;
  let failures = 2;
  agent.database.transaction = <Result>(work: () => Result, options?: TransactionOptions): Result => {
    if (failures-- <= 0) return transaction.call(agent.database, work, options) as Result;
    return transaction.call(agent.database, () => {
      work();
      throw new AppError("disk_full", "The disk is full");
    }, options) as Result;
  };
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  assert.equal(agent.program.executions.find(id("e-1")), undefined);
  assert.equal(agent.engine.started.length, 0);
  failures = 0;
  await agent.pass(3000);
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await agent.close();
});

Deno.test("what its home has forgotten is removed in its time, results and all", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"), anOrder("e-2"));
  await agent.pass(20);
  for (const one of ["e-1", "e-2"]) agent.engine.end(one);
  await agent.settle();
  agent.home.order({ desired: "forget", executionId: id("e-1") });
  await agent.settle();
  await agent.pass(LIMITS.executionKeptMs + 60_000);
  assert.deepEqual(agent.workspace.removed, ["e-1"], "the results of the other may still be fetched");
  await agent.close();
});
