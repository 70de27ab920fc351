import { equal, rejects } from "node:assert/strict";
import { type Clock, systemClock } from "../../shared/clock.ts";
import type { JobId } from "../../shared/model/ids.ts";
import type { Desk } from "../flow/desk.ts";
import { Slots } from "./slots.ts";
import { readUntil } from "./watch.ts";

/** The machine's clock, its timers keeping the test alive. */
const clock: Clock = {
  ...systemClock,
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A desk of which only changes matter. */
function changing() {
  let tell = () => {};
  const changed = (_id: JobId, { signal }: { signal: AbortSignal }) =>
    new Promise<void>((resolve) => {
      tell = resolve;
      signal.addEventListener("abort", () => resolve());
    });
  return { desk: { changed } as unknown as Desk, tell: () => tell() };
}

const request = () => new Request("http://localhost/");
const id = "j-1" as JobId;

Deno.test("readUntil() answers at once what is enough, and reads again after each change", async () => {
  const { desk, tell } = changing();
  const door = { desk, clock, polls: new Slots("x", 1) };
  let value = 5;
  const isEnough = (it: number) => it > 9;
  const options = { jobId: id, isEnough, waitMs: 10_000, request: request() };
  const held = readUntil(door, () => value, options);
  equal(door.polls.heldCount, 1);
  value = 7;
  tell();
  await new Promise((resolve) => setTimeout(resolve));
  value = 11;
  tell();
  equal(await held, 11);
  equal(door.polls.heldCount, 0);
  equal(await readUntil(door, () => value, options), 11);
});

Deno.test("readUntil() answers what there is when the time is up or the client has gone", async () => {
  const { desk } = changing();
  const door = { desk, clock, polls: new Slots("x", 1) };
  const options = { jobId: id, isEnough: () => false, request: request() };
  equal(await readUntil(door, () => 1, { ...options, waitMs: 20 }), 1);
  equal(await readUntil(door, () => 2, { ...options, waitMs: 0 }), 2);
  const gone = new AbortController();
  const held = readUntil(door, () => 3, {
    ...options,
    waitMs: 10_000,
    request: new Request("http://localhost/", { signal: gone.signal }),
  });
  gone.abort();
  equal(await held, 3);
  equal(door.polls.heldCount, 0);
});

Deno.test("readUntil() refuses when too many answers are held back", async () => {
  const { desk } = changing();
  const door = { desk, clock, polls: new Slots("waiting requests", 0) };
  const options = { jobId: id, isEnough: () => false, waitMs: 1000, request: request() };
  await rejects(readUntil(door, () => 1, options), { code: "exhausted" });
});

Deno.test("a place that is given back twice counts once", () => {
  const slots = new Slots("x", 2);
  const [first] = [slots.take(), slots.take()];
  first();
  first();
  equal(slots.heldCount, 1);
});
