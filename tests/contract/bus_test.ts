/** What every bus promises, and what it does not. */
import assert from "node:assert/strict";
import type { Bus } from "../../shared/bus/bus.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { AppError } from "../../shared/errors.ts";
import { waitUntil } from "../support/wait_until.ts";

const BUSES: Readonly<Record<string, () => Bus | Promise<Bus>>> = { embedded: openEmbeddedBus };

const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (message: Uint8Array) => new TextDecoder().decode(message);
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

for (const [name, open] of Object.entries(BUSES)) {
  const test = (sentence: string, body: (bus: Bus) => Promise<void>) =>
    Deno.test(`the ${name} bus ${sentence}`, async () => {
      const bus = await open();
      try {
        await body(bus);
      } finally {
        await bus.close();
      }
    });

  test("delivers to every subscriber of the subject, in order, and to nobody else", async (bus) => {
    const heard: string[] = [];
    bus.subscribe("a.b", (message) => heard.push(`1 ${textOf(message)}`));
    bus.subscribe("a.b", (message) => heard.push(`2 ${textOf(message)}`));
    bus.subscribe("a.c", (message) => heard.push(`3 ${textOf(message)}`));
    bus.publish("a.b", bytes("x"));
    bus.publish("a.b", bytes("y"));
    await waitUntil("four deliveries", () => heard.length === 4);
    assert.deepEqual(heard, ["1 x", "2 x", "1 y", "2 y"]);
  });

  test("never delivers inside publish: the sender ends its own step first", async (bus) => {
    const order: string[] = [];
    bus.subscribe("s", () => order.push("delivered"));
    bus.publish("s", bytes(""));
    order.push("published");
    await waitUntil("the delivery", () => order.length === 2);
    assert.deepEqual(order, ["published", "delivered"]);
  });

  test("stops delivering to an ended subscription", async (bus) => {
    const heard: string[] = [];
    const end = bus.subscribe("s", (message) => heard.push(textOf(message)));
    bus.subscribe("s", (message) => heard.push(`other ${textOf(message)}`));
    end();
    bus.publish("s", bytes("x"));
    await waitUntil("the other's delivery", () => heard.length > 0);
    assert.deepEqual(heard, ["other x"]);
  });

  test("takes a message that nobody listens to", (bus) => {
    bus.publish("nobody", bytes("x"));
    return Promise.resolve();
  });

  test("answers a request by its responder", async (bus) => {
    bus.respond("echo", (message) => Promise.resolve(bytes(`re ${textOf(message)}`)));
    assert.equal(textOf(await bus.request("echo", bytes("x"), { timeoutMs: 1000 })), "re x");
  });

  test("refuses a request that nobody answers as unavailable", async (bus) => {
    await assert.rejects(bus.request("nobody", bytes(""), { timeoutMs: 1000 }), hasCode("unavailable"));
    const end = bus.respond("gone", (message) => Promise.resolve(message));
    end();
    await assert.rejects(bus.request("gone", bytes(""), { timeoutMs: 1000 }), hasCode("unavailable"));
  });

  test("gives up a request after its time", async (bus) => {
    const late = Promise.withResolvers<Uint8Array>();
    bus.respond("slow", () => late.promise);
    await assert.rejects(bus.request("slow", bytes(""), { timeoutMs: 5 }), hasCode("timed_out"));
    late.resolve(bytes(""));
  });

  test("tells whoever asks that the link is up", async (bus) => {
    const seen: boolean[] = [];
    bus.onLink((isUp) => seen.push(isUp));
    await waitUntil("the link's state", () => seen.length > 0);
    assert.deepEqual(seen, [true]);
  });
}
