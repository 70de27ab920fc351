import assert from "node:assert/strict";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import { type LogSelection, showLogs } from "./log_follow.ts";
import { aTerminal } from "../tests/support/terminal.ts";

/** A server with one job of some partitions, whose log sockets send these frames; a `cut` breaks the link off. */
async function watch(
  sockets: readonly (readonly (string | "cut")[])[],
  { count = 1, ...selection }: Partial<LogSelection> & { count?: number } = {},
) {
  const queries: URLSearchParams[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const url = new URL(request.url);
    if (!url.pathname.endsWith("/logs")) {
      return Response.json({
        Items: [{}],
        Job: { ID: "j-1", Count: count, State: { StateType: "Running" } },
      });
    }
    queries.push(url.searchParams);
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => {
      for (const frame of sockets[queries.length - 1] ?? []) {
        if (frame === "cut") return socket.close(4000);
        socket.send(frame);
      }
      socket.close(1000);
    };
    return response;
  });
  try {
    const api = [`http://127.0.0.1:${server.addr.port}`];
    const client = await openClient(openSettings({ path: "/dev/null", flags: { api } }));
    const terminal = aTerminal();
    const signal = new AbortController().signal;
    await showLogs(client, "j-1", { terminal, signal, selection: { isFollowing: true, ...selection } });
    return { ...terminal.texts(), queries };
  } finally {
    await server.shutdown();
  }
}

const frame = (Line: string, { Type = 1, PartitionIndex = 0, ExecutionID = "e-0" } = {}) =>
  JSON.stringify({ value: { Type, Line, PartitionIndex, ExecutionID } });

Deno.test("stdout goes to stdout and stderr to stderr, as they are", async () => {
  const { out, notes } = await watch([[frame("a\n"), frame("b\n", { Type: 2 }), frame("no line break")]]);
  assert.equal(out, "a\nno line break");
  assert.equal(notes, "b\n");
});

Deno.test("lines of several partitions begin with their partition", async () => {
  const frames = [frame("a\nb\n"), frame("c\n", { PartitionIndex: 2, ExecutionID: "e-2" })];
  assert.equal((await watch([frames], { count: 3 })).out, "0| a\n0| b\n2| c\n");
  assert.equal((await watch([[frame("a\n")]], { count: 3, partition: 0 })).out, "a\n");
});

Deno.test("a stream that breaks off goes on without showing anything twice", async () => {
  const first = [frame("one\n"), frame("x\n", { Type: 2 }), frame("two\n"), "cut"];
  const second = [frame("one\ntw"), frame("o\nthree\n"), frame("x\ny\n", { Type: 2 })];
  const { out, notes } = await watch([first, second]);
  assert.equal(out, "one\ntwo\nthree\n");
  assert.match(notes, /^x\nThe log broke off; trying again.*\ny\n$/);
});

Deno.test("what runs again is said, and shown from its beginning", async () => {
  const { out, notes } = await watch([[frame("a\n"), frame("a\n", { ExecutionID: "e-9" })]]);
  assert.equal(out, "a\na\n");
  assert.match(notes, /The task runs again, as execution e-9/);
});

Deno.test("what was selected is asked of the server", async () => {
  const { queries } = await watch([[]], { tail: 5, sinceMs: 0, executionId: "e-1", isFollowing: false });
  assert.equal(queries[0]!.get("tail"), "5");
  assert.equal(queries[0]!.get("since"), "1970-01-01T00:00:00.000Z");
  assert.equal(queries[0]!.get("execution_id"), "e-1");
  assert.equal(queries[0]!.get("follow"), "false");
});

Deno.test("an error of the server ends it", async () => {
  const refusal = (frame: unknown) => watch([[JSON.stringify(frame)]]).catch((error) => error);
  const known = await refusal({ error: "execution not found", code: "not_found", hint: "Look" });
  assert.deepEqual([known.code, known.message, known.hint], ["not_found", "execution not found", "Look"]);
  assert.equal((await refusal({ error: "no logs" })).code, "conflict");
});
