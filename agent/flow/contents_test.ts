import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { decodeMessage, encodeAnswer } from "../../shared/wire/envelope.ts";
import { ContentRequest } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { ManualClock } from "../../tests/support/agent_fixture.ts";
import { ContentFolder } from "../host/content_store.ts";
import { Contents } from "./contents.ts";

const HOME = "n-hub/orchestrator";
const BYTES = new TextEncoder().encode("some content in several pieces");
const CONTENT = {
  digest: `sha256:${createHash("sha256").update(BYTES).digest("hex")}`,
  sizeBytes: BYTES.length,
};

async function aStore() {
  const root = await Deno.makeTempDir({ prefix: "skerry-contents-" });
  const [bus, clock] = [openEmbeddedBus(), new ManualClock()];
  const store = new ContentFolder(root, clock);
  const offsets: number[] = [];
  const serve = () =>
    bus.respond(serveSubject(HOME, "content"), (bytes) => {
      const { offset } = decodeMessage(ContentRequest, bytes);
      offsets.push(offset);
      return Promise.resolve(encodeAnswer({ bytes: BYTES.subarray(offset, offset + 10) }));
    });
  /** Lets time pass until the work is done. */
  const passUntil = async <Value>(work: Promise<Value>, stepMs: number): Promise<Value> => {
    let isDone = false;
    work.then(() => isDone = true, () => isDone = true);
    for (let step = 0; step < 500 && !isDone; step++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      clock.pass(stepMs);
    }
    return await work;
  };
  const end = async () => {
    await bus.close();
    await Deno.remove(root, { recursive: true });
  };
  return { bus, clock, store, offsets, serve, passUntil, end, contents: new Contents({ bus, store, clock }) };
}

const never = new AbortController().signal;

Deno.test("two that want the same content share one pull; the next finds it here", async () => {
  const { contents, offsets, serve, end } = await aStore();
  serve();
  const [one, two] = await Promise.all([1, 2].map(() => contents.fetch(HOME, CONTENT, never)));
  assert.equal(one, two);
  assert.deepEqual(await Deno.readFile(one!), BYTES);
  await contents.fetch(HOME, CONTENT, never);
  assert.deepEqual(offsets, [0, 10, 20]);
  await end();
});

Deno.test("a pull goes on where it stopped when the home can be reached again", async () => {
  const { contents, store, offsets, serve, passUntil, end } = await aStore();
  store.append(CONTENT.digest, BYTES.subarray(0, 10));
  const fetching = contents.fetch(HOME, CONTENT, never);
  await new Promise((resolve) => setTimeout(resolve, 5));
  serve();
  await passUntil(fetching, 500);
  assert.deepEqual(offsets, [10, 20]);
  await end();
});

Deno.test("a home that does not answer for too long fails the input", async () => {
  const { contents, passUntil, end } = await aStore();
  await assert.rejects(passUntil(contents.fetch(HOME, CONTENT, never), LIMITS.contentWaitMs / 20), {
    code: "input_failed",
  });
  await end();
});

Deno.test("a content that the home does not have fails at once", async () => {
  const { bus, contents, end } = await aStore();
  const { code, message } = new AppError("not_found", "Cannot find content");
  bus.respond(
    serveSubject(HOME, "content"),
    () => Promise.resolve(encodeAnswer({ error: { code, message } })),
  );
  await assert.rejects(contents.fetch(HOME, CONTENT, never), {
    code: "input_failed",
    message: /Cannot find content/,
  });
  await end();
});

Deno.test("one that is aborted leaves the pull to the others", async () => {
  const { contents, serve, end } = await aStore();
  serve();
  const abort = new AbortController();
  const aborted = contents.fetch(HOME, CONTENT, abort.signal);
  const other = contents.fetch(HOME, CONTENT, never);
  abort.abort();
  await assert.rejects(aborted, { code: "stopped" });
  assert.deepEqual(await Deno.readFile(await other), BYTES);
  await end();
});

Deno.test("who wants a content that has just been given up on gets it, from where the other stopped", async () => {
  const { bus, contents, offsets, end } = await aStore();
  const held: (() => void)[] = [];
  bus.respond(serveSubject(HOME, "content"), async (bytes) => {
    const { offset } = decodeMessage(ContentRequest, bytes);
    offsets.push(offset);
    if (offsets.length <= 2) await new Promise<void>((resolve) => held.push(resolve));
    return encodeAnswer({ bytes: BYTES.subarray(offset, offset + 10) });
  });
  const abort = new AbortController();
  const aborted = contents.fetch(HOME, CONTENT, abort.signal);
  await new Promise((resolve) => setTimeout(resolve, 5));
  abort.abort();
  await assert.rejects(aborted, { code: "stopped" });
  const next = contents.fetch(HOME, CONTENT, never);
  await new Promise((resolve) => setTimeout(resolve, 5));
  // The answers come in the other order: only one of them counts.
  for (const answer of held.reverse()) answer();
  assert.deepEqual(await Deno.readFile(await next), BYTES);
  assert.deepEqual(offsets, [0, 0, 10, 20]);
  await end();
});
