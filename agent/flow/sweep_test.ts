import assert from "node:assert/strict";
import type { TransactionOptions } from "../../shared/ledger/database.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { type AgentFixture, anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

const forget = (id: string) => ({ desired: "forget" as const, executionId: id as ExecutionId });

async function anEnded(agent: AgentFixture, id: string, overrides = {}) {
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder(id, { task: aTask(overrides) }));
  await agent.settle();
  agent.home.order(forget(id));
  await agent.settle();
}

async function fetchAll(agent: AgentFixture, id: string) {
  const request = encodeMessage({ executionId: id, path: "stdout", offset: 0 });
  const answer = await agent.bus.request(serveSubject(agent.program.peer, "result_read"), request, {
    timeoutMs: 1000,
  });
  return decodeAnswer(answer);
}

Deno.test("ended executions are kept for a while, then their folders and rows go", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1", { publisher: undefined });
  await agent.pass(60_000);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(LIMITS.executionKeptMs);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  for (const table of ["executions", "orders", "ledger"]) {
    assert.equal(agent.database.get(`SELECT count(*) AS n FROM ${table}`)?.n, 0, table);
  }
  await agent.close();
});

Deno.test("results that nobody has fetched stay, however old; fetched ones go", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1");
  await anEnded(agent, "e-2");
  assert.equal(new TextDecoder().decode((await fetchAll(agent, "e-2")).bytes), "out");
  await agent.pass(LIMITS.executionKeptMs + 60_000);
  assert.deepEqual(agent.workspace.removed, ["e-2"]);
  await agent.close();
});

Deno.test("what its home has not acknowledged stays, however old", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1", { task: aTask({ publisher: undefined }) }));
  await agent.pass(20);
  agent.home.sync.close();
  agent.engine.end("e-1");
  await agent.pass(LIMITS.executionKeptMs + 60_000);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.close();
});

Deno.test("an end that its home has acknowledged needs no further word to be forgotten", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder("e-1", { task: aTask({ publisher: undefined }) }));
  await agent.pass(60_000);
  await agent.pass(LIMITS.executionKeptMs);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("on a disk that gets full old executions go before their time", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1", { publisher: undefined });
  agent.machine.freeBytes = LIMITS.diskReserveBytes + 1;
  await agent.pass(60_000);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("a full disk costs the reserve, and what was decided is recorded then", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.pass(20);
  const { transaction } = agent.database;
  agent.database.transaction = <Result>(work: () => Result, options?: TransactionOptions): Result => {
    if (agent.machine.reserve.at(-1) === "released") {
      return transaction.call(agent.database, work, options) as Result;
    }
    return transaction.call(agent.database, () => {
      work();
      throw new AppError("disk_full", "The disk is full");
    }, options) as Result;
  };
  agent.engine.end("e-1");
  await assert.rejects(agent.settle(), { code: "disk_full" });
  assert.equal(agent.home.phaseOf("e-1"), "running");
  await agent.settle();
  assert.equal(agent.home.phaseOf("e-1"), "completed");
  assert.deepEqual(agent.engine.forgotten, ["e-1"]);
  await agent.close();
});
