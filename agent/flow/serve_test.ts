import assert from "node:assert/strict";
import { AppError } from "../../shared/errors.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import type { LogAnswer } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { type AgentFixture, anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";
import type { OutputPage } from "../host/host.ts";

type What = "logs" | "result_list" | "result_read";
const REQUEST = { executionId: "e-1", cursor: "", waitMs: 0, path: "stdout", offset: 0 };

async function ask(agent: AgentFixture, what: What, request: Record<string, unknown> = {}) {
  const bytes = encodeMessage({ ...REQUEST, ...request });
  return decodeAnswer(
    await agent.bus.request(serveSubject(agent.program.peer, what), bytes, { timeoutMs: 5000 }),
  );
}

const page = (text: string, isComplete = false): OutputPage => ({
  pieces: text === "" ? [] : [{ stream: "stdout", text, atMs: 1 }],
  cursor: "1.0.0.0.0",
  isComplete,
});

Deno.test("results are listed and read once the execution has ended", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  await assert.rejects(ask(agent, "result_list"), { code: "conflict" });
  agent.engine.end("e-1");
  await agent.settle();
  assert.deepEqual((await ask(agent, "result_list")).value, {
    entries: [{ path: "stdout", kind: "file", sizeBytes: 3 }],
  });
  const { value, bytes } = await ask(agent, "result_read", { offset: 1 });
  assert.deepEqual([value, new TextDecoder().decode(bytes)], [{ sizeBytes: 3 }, "ut"]);
  await agent.close();
});

Deno.test("what published nothing has no results, what never ran here is not found, nonsense is refused", async () => {
  const agent = await anAgent();
  agent.engine.behave = () => ({ kind: "exited", exitCode: 0 });
  agent.home.order(anOrder("e-1", { task: aTask({ publisher: undefined }) }));
  await agent.settle();
  await assert.rejects(ask(agent, "result_list"), { code: "not_found", message: /published none/ });
  await assert.rejects(ask(agent, "logs", { executionId: "e-9" }), { code: "not_found" });
  await assert.rejects(ask(agent, "result_read", { offset: -1 }), { code: "bad_request" });
  await agent.close();
});

Deno.test("who follows output hears of it when it comes, and of its end", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  let next = page("");
  agent.workspace.readOutput = () => Promise.resolve(next);
  const following = ask(agent, "logs", { waitMs: 10_000 });
  await agent.pass(100);
  next = page("hello");
  await agent.pass(200);
  const first = (await following).value as LogAnswer;
  assert.deepEqual(first.pieces.map(({ text }) => text), ["hello"]);
  assert.equal(first.isComplete, false);
  next = page("", true);
  const last = (await ask(agent, "logs", { cursor: first.cursor, waitMs: 10_000 })).value as LogAnswer;
  assert.deepEqual([last.pieces, last.isComplete], [[], true]);
  await agent.close();
});

Deno.test("who follows output that does not come is answered after the time he named", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.workspace.readOutput = () => Promise.resolve(page(""));
  const following = ask(agent, "logs", { waitMs: 1000 });
  for (let step = 0; step < 20; step++) await agent.pass(100);
  assert.deepEqual((await following).value, { pieces: [], cursor: "1.0.0.0.0", isComplete: false });
  await agent.close();
});

Deno.test("output of an execution that never started is complete at once", async () => {
  const agent = await anAgent();
  agent.engine.startError = new AppError("module_invalid", "Cannot load the module");
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.workspace.readOutput = () => Promise.resolve(page(""));
  assert.equal(((await ask(agent, "logs", { waitMs: 10_000 })).value as LogAnswer).isComplete, true);
  await agent.close();
});

Deno.test("a follower is answered when the agent closes", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.workspace.readOutput = () => Promise.resolve(page(""));
  const following = ask(agent, "logs", { waitMs: 60_000, executionId: "e-1" as ExecutionId });
  await agent.settle();
  await agent.close();
  assert.equal(((await following).value as LogAnswer).isComplete, false);
});

Deno.test("results whose files are read side by side count as fetched", async () => {
  const agent = await anAgent();
  agent.home.order(anOrder("e-1"));
  await agent.settle();
  agent.engine.end("e-1");
  await agent.settle();
  const files = ["a", "b", "c"];
  agent.workspace.listResults = () =>
    Promise.resolve(files.map((path) => ({ path, kind: "file" as const, sizeBytes: 3 })));
  await Promise.all(files.map((path) => ask(agent, "result_read", { path })));
  const kept = agent.database.get("SELECT keeps_results, fetched_lifetime_ms FROM executions");
  assert.equal(kept?.keeps_results, 0);
  await agent.close();
});
