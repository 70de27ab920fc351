import assert from "node:assert/strict";
import { Database, type TransactionOptions } from "../../shared/ledger/database.ts";
import { AppError } from "../../shared/errors.ts";
import { silentLog } from "../../shared/log.ts";
import { LIMITS } from "../../shared/limits.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { type AgentFixture, anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "../store/migrations.ts";

async function anEnded(agent: AgentFixture, id: string, overrides = {}) {
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder(id, { task: aTask(overrides) }));
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

Deno.test("a wall clock that jumps removes nothing before its time", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1", { publisher: undefined });
  agent.clock.wallErrorMs = 10 * 365 * 86_400_000;
  await agent.pass(60_000);
  assert.deepEqual(agent.workspace.removed, []);
  agent.clock.wallErrorMs = -agent.clock.wallErrorMs;
  await agent.pass(LIMITS.executionKeptMs);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("the time that counts is that in which the agent runs, all its processes together", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-agent-" });
  const agent = await anAgent({ path: `${folder}/agent.db` });
  await anEnded(agent, "e-1", { publisher: undefined });
  await agent.pass(LIMITS.executionKeptMs - 3_600_000);
  await agent.restart();
  await agent.pass(1_800_000);
  await agent.restart({ isKilled: true });
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(2_400_000);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("what has ended under an older store is kept for a while from now on", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-agent-" });
  const path = `${folder}/agent.db`;
  using stack = new DisposableStack();
  stack.defer(() => Deno.removeSync(folder, { recursive: true }));
  const old = Database.open({
    path,
    migrations: AGENT_MIGRATIONS.slice(0, 2),
    applicationId: AGENT_APPLICATION_ID,
  });
  old.transaction(() => {
    old.run(
      "INSERT INTO executions VALUES (1, 'e-1', 'n-hub/orchestrator', 'ended', 1, '{}', 1700000000000, 1, 0)",
    );
  });
  old.close();
  const agent = await anAgent({ path });
  await agent.pass(LIMITS.executionKeptMs - 60_000);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(120_000);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("fetched results stay for a while on a disk that gets full: the download may have broken", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1");
  await agent.pass(60_000);
  agent.machine.freeBytes = LIMITS.diskReserveBytes + 1;
  await fetchAll(agent, "e-1");
  await agent.pass(LIMITS.resultsFetchedKeptMs / 2);
  await fetchAll(agent, "e-1");
  await agent.pass(LIMITS.resultsFetchedKeptMs * 0.75);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(LIMITS.resultsFetchedKeptMs / 2);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
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

Deno.test("the log says once when a disk that gets full ends the taking of work, and when it goes on", async () => {
  const told: string[] = [];
  const note = (text: string) => void told.push(text);
  const agent = await anAgent({ log: { ...silentLog, info: note, warn: note } });
  for (
    const free of [LIMITS.diskReserveBytes - 1, LIMITS.diskReserveBytes - 2, 8 * LIMITS.diskReserveBytes]
  ) {
    agent.machine.freeBytes = free;
    await agent.pass(31_000);
  }
  assert.deepEqual(told.length, 2, told.join("\n"));
  assert.match(told[0]!, /No new work is taken: this node does not have enough free disk/);
  assert.match(told[1]!, /New work is taken again/);
  await agent.close();
});

Deno.test("homes hear at once that a node takes work again, and not with its next sign of life", async () => {
  const agent = await anAgent();
  const refusing = () => agent.home.hellos.at(-1)?.load?.refuses;
  agent.machine.freeBytes = LIMITS.diskReserveBytes - 1;
  await agent.pass(30_000);
  assert.match(refusing() ?? "", /free disk/);
  agent.machine.freeBytes = 8 * LIMITS.diskReserveBytes;
  await agent.pass(2_500);
  assert.equal(refusing(), undefined);
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
