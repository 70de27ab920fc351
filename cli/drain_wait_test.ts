import assert from "node:assert/strict";
import { aTerminal } from "../tests/support/terminal.ts";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import { waitForDrain } from "./drain_wait.ts";

/** A server whose node is in these states, one for each time that it is asked; the last one stays. */
async function waitOn(
  states: readonly string[],
  { timeoutMs, abortAt }: { timeoutMs?: number; abortAt?: string } = {},
) {
  const interrupt = new AbortController();
  let askedCount = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    const State = states[Math.min(askedCount++, states.length - 1)];
    if (State === abortAt) interrupt.abort(new DOMException("interrupted", "AbortError"));
    if (State === "gone") return new Response(null, { status: 503 });
    const Info = { NodeID: "n-1", ComputeNodeInfo: { RunningExecutions: 2, EnqueuedExecutions: 1 } };
    return Response.json({
      Node: { Info, ...(State !== "none" && { Drain: { State, DeadlineLeftMs: 300_000 } }) },
    });
  });
  const terminal = aTerminal();
  try {
    const api = [`http://127.0.0.1:${server.addr.port}`];
    const client = await openClient(openSettings({ path: "/dev/null", flags: { api } }));
    const node = await waitForDrain(client, "n-1", { terminal, signal: interrupt.signal, timeoutMs });
    return { state: node.drain?.state, askedCount, notes: terminal.texts().notes };
  } finally {
    await server.shutdown();
  }
}

Deno.test("a drain is waited for until nothing is left, and no longer", async () => {
  const { state, askedCount } = await waitOn(["draining", "drained"]);
  assert.deepEqual([state, askedCount], ["drained", 2]);
});

Deno.test("a link that is lost meanwhile is said once, and does not end the waiting", async () => {
  const { state, notes } = await waitOn(["draining", ...Array(4).fill("gone"), "drained"]);
  assert.equal(state, "drained");
  assert.match(notes, /the drain does not need this link.*\nThe server answers again\n$/);
});

Deno.test("after the time-out it says what is left; the drain goes on", async () => {
  await assert.rejects(waitOn(["draining"], { timeoutMs: 50 }), {
    code: "timed_out",
    message: /3 executions there, 5m.* at most/,
    hint: /goes on/,
  });
});

Deno.test("who waits for a drain that somebody ends is told so", async () => {
  await assert.rejects(waitOn(["draining", "none"]), { code: "conflict", message: /takes work again/ });
  await assert.rejects(waitOn(["cordoned"]), { code: "conflict", message: /what is there stays/ });
});

Deno.test("an interrupt ends the waiting at once", async () => {
  await assert.rejects(waitOn(["draining"], { abortAt: "draining" }), { name: "AbortError" });
});
