import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { type Client, openClient } from "./client.ts";
import { openSettings } from "./config.ts";

/** A peer that answers as told, one answer for each request; an `undefined` breaks the connection off. */
async function withPeer(
  answers: readonly (Response | undefined)[],
  use: (client: Client, seen: readonly Request[], bodies: readonly string[]) => Promise<void>,
): Promise<void> {
  const seen: Request[] = [];
  const bodies: string[] = [];
  const quiet = { onListen() {}, onError: () => new Response() };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", ...quiet }, async (request) => {
    bodies.push(await request.text());
    seen.push(request);
    const answer = answers[Math.min(seen.length, answers.length) - 1];
    return answer?.clone() ??
      new Response(ReadableStream.from(brokenOff()), { headers: { "content-length": "9" } });
  });
  try {
    await use(await clientOf(`http://127.0.0.1:${server.addr.port}`), seen, bodies);
  } finally {
    await server.shutdown();
  }
}

async function* brokenOff(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode("{");
  await Promise.resolve();
  throw new Error("the link is cut");
}

const clientOf = (api: string) =>
  openClient(openSettings({ path: "/dev/null", flags: { api: [api], api_timeout: ["2s"] } }));
const json = (value: unknown, status = 200) => Response.json(value, { status });

Deno.test("a lost answer is asked for again, with the same body", () =>
  withPeer([undefined, undefined, json({ JobID: "j-1" })], async (client, seen, bodies) => {
    const body = { IdempotencyToken: "t-1", Job: {} };
    assert.deepEqual(await client.put("/orchestrator/jobs", { body }), { JobID: "j-1" });
    assert.equal(seen.length, 3);
    assert.equal(new Set(bodies).size, 1);
    assert.match(bodies[0]!, /"IdempotencyToken":"t-1"/);
  }));

Deno.test("an error envelope becomes an error with its code and hint, and is not asked again", () =>
  withPeer(
    [json({ Status: 404, Message: "job not found", Code: "NotFound", Hint: "Look" }, 404)],
    async (client, seen) => {
      await assert.rejects(client.get("/x"), (error: unknown) => {
        assert.ok(error instanceof AppError);
        assert.deepEqual([error.code, error.message, error.hint], ["not_found", "job not found", "Look"]);
        return true;
      });
      assert.equal(seen.length, 1);
    },
  ));

Deno.test("the server's own code wins over status and Bacalhau's name", () =>
  withPeer(
    [json({ Message: "x", Code: "ValidationError", Details: { code: "invalid" } }, 400)],
    async (client) => {
      await assert.rejects(client.get("/x"), (error: unknown) => (error as AppError).code === "invalid");
    },
  ));

Deno.test("a busy server is asked again", () =>
  withPeer([json({ Message: "busy" }, 503), json({ ok: true })], async (client, seen) => {
    assert.deepEqual(await client.get("/x"), { ok: true });
    assert.equal(seen.length, 2);
  }));

Deno.test("an answer that is no JSON is told as such", () =>
  withPeer([new Response("<html>", { status: 200 })], async (client) => {
    await assert.rejects(client.get("/x"), /is something that is not JSON/);
  }));

Deno.test("a server that is not there is told within seconds, with what to do", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const client = await clientOf(`http://127.0.0.1:${port}`);
  const startMs = performance.now();
  await assert.rejects(client.get("/agent/alive"), (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "unreachable");
    assert.match(`${error.message} ${error.hint}`, /connection refused.*skerry serve/);
    return true;
  });
  assert.ok(performance.now() - startMs < 3000);
});

Deno.test("a server that never answers is given up after the time-out", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const client = await clientOf(`http://127.0.0.1:${listener.addr.port}`);
  await assert.rejects(
    client.get("/x"),
    (error: unknown) => /no answer in time/.test((error as Error).message),
  );
});

Deno.test("moments are shown by the server's clock when ours is wrong", () =>
  withPeer([
    new Response("{}", { headers: { date: new Date(Date.now() - 3_600_000).toUTCString() } }),
  ], async (client) => {
    await client.get("/x");
    assert.ok(Math.abs(client.nowMs() - (Date.now() - 3_600_000)) < 5000);
  }));

Deno.test("https to a server of plain HTTP says so, and names the address to try", () =>
  withPeer([json({})], async ({ api }) => {
    const client = await clientOf(api.replace("http:", "https:"));
    await assert.rejects(client.get("/x"), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.match(error.message, /it does not speak HTTPS$/);
      assert.equal(error.hint, `Try --api ${api}`);
      return true;
    });
  }));
