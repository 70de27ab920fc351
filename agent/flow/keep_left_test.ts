import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { PruneAnswer, type PruneRequest } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { type AgentFixture, anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

const KEPT_MS = LIMITS.executionKeptMs;
/** Beyond that the sweep looks, and weighs what has ended. */
const LOOK_MS = 40_000;

async function anEnded(agent: AgentFixture, id: string, overrides = {}) {
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder(id, { task: aTask({ publisher: undefined, ...overrides }) }));
  await agent.settle();
}

const published = { publisher: { type: "local", params: {} } };

async function fetchAll(agent: AgentFixture, id: string) {
  const request = encodeMessage({ executionId: id, path: "stdout", offset: 0 });
  await agent.bus.request(serveSubject(agent.program.peer, "result_read"), request, { timeoutMs: 1000 });
}

async function prune(agent: AgentFixture, change: Partial<PruneRequest> = {}) {
  const request = { kinds: ["results", "logs", "contents"], olderThanMs: 0, isDry: false, ...change };
  const subject = serveSubject(agent.program.peer, "prune");
  const answer = await agent.bus.request(subject, encodeMessage(request), { timeoutMs: 1000 });
  return PruneAnswer.parse(decodeAnswer(answer).value);
}

Deno.test("beyond the size the oldest go, as many as it takes and no more", async () => {
  const agent = await anAgent({ retention: { keptMs: KEPT_MS, bytesMax: 2_500 } });
  for (const id of ["e-1", "e-2", "e-3", "e-4"]) await anEnded(agent, id);
  await agent.pass(LOOK_MS);
  assert.deepEqual(agent.workspace.removed, ["e-1", "e-2"]);
  await anEnded(agent, "e-5");
  await agent.pass(LOOK_MS);
  assert.deepEqual(agent.workspace.removed, ["e-1", "e-2", "e-3"]);
  await agent.close();
});

Deno.test("beyond the size too, what runs, what nobody fetched and what no home has recorded stays", async () => {
  const agent = await anAgent({ retention: { keptMs: KEPT_MS, bytesMax: 0 } });
  await anEnded(agent, "e-1", published);
  await anEnded(agent, "e-2");
  agent.engine.behave = () => undefined;
  agent.home.order(anOrder("e-3"), anOrder("e-4", { task: aTask({ publisher: undefined }) }));
  await agent.pass(LOOK_MS);
  assert.deepEqual(agent.workspace.removed, ["e-2"]);
  agent.home.sync.close();
  agent.engine.end("e-4");
  await agent.pass(LOOK_MS);
  assert.deepEqual(agent.workspace.removed, ["e-2"]);
  await agent.close();
});

Deno.test("beyond the size results go once they were fetched, and not before the download can be repeated", async () => {
  const agent = await anAgent({ retention: { keptMs: KEPT_MS, bytesMax: 0 } });
  await anEnded(agent, "e-1", published);
  await fetchAll(agent, "e-1");
  await agent.pass(LIMITS.resultsFetchedKeptMs / 2);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(LIMITS.resultsFetchedKeptMs);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("the age that the settings name holds", async () => {
  const agent = await anAgent({ retention: { keptMs: 3_600_000 } });
  await anEnded(agent, "e-1");
  await agent.pass(3_500_000);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.pass(200_000);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await agent.close();
});

Deno.test("what ended before sizes were known is weighed, and each only once", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1");
  let count = 0;
  agent.workspace.sizeOf = () => Promise.resolve(++count);
  await agent.pass(LOOK_MS);
  await agent.pass(LOOK_MS);
  assert.equal(count, 1);
  assert.equal(agent.database.get("SELECT size_bytes FROM executions")!.size_bytes, 1);
  await agent.close();
});

Deno.test("a dry run tells what is there, what may go and why the rest stays, and removes nothing", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1", published);
  await anEnded(agent, "e-2", published);
  await anEnded(agent, "e-3");
  await anEnded(agent, "e-4");
  await fetchAll(agent, "e-2");
  const { items, isMore } = await prune(agent, { isDry: true });
  const none = { count: 0, bytes: 0 };
  assert.deepEqual(items, [
    {
      ...{ kind: "results", held: { count: 2, bytes: 2000 }, mayGo: none, gone: none },
      stays: ["1 that nobody has fetched", "1 that were fetched a moment ago"],
    },
    {
      kind: "logs",
      held: { count: 2, bytes: 2000 },
      mayGo: { count: 2, bytes: 2000 },
      gone: none,
      stays: [],
    },
    { kind: "contents", held: none, mayGo: none, gone: none, stays: [] },
  ]);
  assert.equal(isMore, false);
  assert.deepEqual(agent.workspace.removed, []);
  await agent.close();
});

Deno.test("pruning removes the kinds that were named, and of them what ended long enough ago", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1");
  await anEnded(agent, "e-2", published);
  await fetchAll(agent, "e-2");
  await agent.pass(3_600_000);
  await anEnded(agent, "e-3");
  const old = await prune(agent, { kinds: ["logs"], olderThanMs: 1_800_000 });
  assert.deepEqual(old.items.map(({ kind, gone }) => [kind, gone]), [["logs", { count: 1, bytes: 1000 }]]);
  assert.deepEqual(agent.workspace.removed, ["e-1"]);
  await prune(agent);
  assert.deepEqual(agent.workspace.removed, ["e-1", "e-2", "e-3"]);
  assert.equal(agent.database.get("SELECT count(*) AS n FROM executions")!.n, 0);
  await agent.close();
});

Deno.test("what its home has forgotten goes with its results, fetched or not", async () => {
  const agent = await anAgent();
  await anEnded(agent, "e-1", published);
  agent.home.order({ desired: "forget", executionId: anOrder("e-1").executionId });
  await agent.settle();
  const { items } = await prune(agent, { kinds: ["results"] });
  assert.deepEqual(items[0]!.gone, { count: 1, bytes: 1000 });
  await agent.close();
});

Deno.test("one answer removes a bounded number, and says that there is more", async () => {
  const agent = await anAgent();
  const count = LIMITS.executionsRemovedPerTick + 3;
  for (let at = 0; at < count; at++) await anEnded(agent, `e-${at}`);
  const first = await prune(agent, { kinds: ["logs"] });
  assert.deepEqual([first.items[0]!.gone.count, first.isMore], [LIMITS.executionsRemovedPerTick, true]);
  const second = await prune(agent, { kinds: ["logs"] });
  assert.deepEqual([second.items[0]!.gone.count, second.isMore], [3, false]);
  await agent.close();
});

Deno.test("two users and the sweep at the same time remove each folder once, and each is told to one of them", async () => {
  const agent = await anAgent();
  for (const id of ["e-1", "e-2", "e-3"]) await anEnded(agent, id);
  const removed: string[] = [];
  agent.workspace.remove = async (id) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    removed.push(id);
  };
  agent.clock.pass(LOOK_MS);
  const logs = { kinds: ["logs"] };
  const [a, b] = await Promise.all([prune(agent, logs), prune(agent, logs), agent.settle()]);
  assert.deepEqual(removed, ["e-1", "e-2", "e-3"]);
  assert.equal([a, b].reduce((sum, { items }) => sum + items[0]!.gone.count, 0), 3);
  await agent.close();
});
