import assert from "node:assert/strict";
import type { Clock } from "../clock.ts";
import { Database } from "./database.ts";
import { DEADLINE_TABLES, Deadlines } from "./deadlines.ts";
import { Lifetime } from "./lifetime.ts";

/** A clock that is moved by hand. */
function handClock() {
  let uptimeMs = 0;
  const timers = new Set<{ atMs: number; call: () => void }>();
  const clock: Clock & { advance(ms: number): void } = {
    wallMs: () => -1,
    uptimeMs: () => uptimeMs,
    after(delayMs, call) {
      const timer = { atMs: uptimeMs + delayMs, call };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      uptimeMs += ms;
      for (const timer of [...timers]) {
        if (timer.atMs <= uptimeMs && timers.delete(timer)) timer.call();
      }
    },
  };
  return clock;
}

function open() {
  const database = Database.open({ path: ":memory:", migrations: [DEADLINE_TABLES], applicationId: 1 });
  const start = (clock: Clock, nudge = () => {}) =>
    new Deadlines({ database, clock, lifetime: new Lifetime({ database, clock }), nudge });
  return { database, start };
}

Deno.test("a deadline passes after its time, once it is asked for, and is answered until cleared", () => {
  const { database, start } = open();
  const clock = handClock();
  let nudges = 0;
  const deadlines = start(clock, () => nudges++);
  database.transaction(() => deadlines.set("j-1", "total", 1000));
  clock.advance(999);
  assert.deepEqual([deadlines.passed(), nudges], [[], 0]);
  clock.advance(1);
  assert.deepEqual([deadlines.passed(), nudges], [[{ about: "j-1", kind: "total" }], 1]);
  database.transaction(() => deadlines.clear("j-1", "total"));
  assert.deepEqual(deadlines.passed(), []);
});

Deno.test("a restart cuts no deadline short, and a checkpoint keeps what has passed of it", () => {
  const { database, start } = open();
  const clock = handClock();
  const first = start(clock);
  database.transaction(() => first.set("j-1", "total", 100_000));
  clock.advance(40_000);
  const crashed = start(handClock());
  assert.equal(
    crashed.remainingMs("j-1", "total"),
    100_000,
    "without a checkpoint the whole time is granted again",
  );
  first.checkpoint({ isForced: true });
  const orderly = start(handClock());
  assert.equal(orderly.remainingMs("j-1", "total"), 60_000);
});

Deno.test("a second deadline of the same kind keeps the first", () => {
  const { database, start } = open();
  const deadlines = start(handClock());
  database.transaction(() => deadlines.set("j-1", "total", 1000));
  database.transaction(() => deadlines.set("j-1", "total", 5));
  assert.equal(deadlines.remainingMs("j-1", "total"), 1000);
});

Deno.test("what passes comes in its order and in bounded numbers, however many there are", () => {
  const { database, start } = open();
  const clock = handClock();
  const deadlines = start(clock);
  const count = 20_000;
  database.transaction(() => {
    for (let number = 0; number < count; number++) {
      deadlines.set(`j-${number}`, "total", 1_000 + (number * 7_919) % count);
    }
  });
  clock.advance(1_000 + 99);
  const passed = deadlines.passed(10);
  assert.equal(passed.length, 10);
  assert.equal(passed[0]!.about, "j-0");
  assert.equal(deadlines.passed().length, 100);
  database.transaction(() => passed.forEach(({ about, kind }) => deadlines.clear(about, kind)));
  assert.equal(deadlines.passed().length, 90);
});

Deno.test("that time has passed is written down once for all deadlines", () => {
  const { database, start } = open();
  const clock = handClock();
  const deadlines = start(clock);
  database.transaction(() => {
    for (let number = 0; number < 1_000; number++) deadlines.set(`j-${number}`, "total", 100_000);
  });
  const changes = () => Number(database.get("SELECT total_changes() AS n")!.n);
  const before = changes();
  clock.advance(30_000);
  deadlines.checkpoint({ isForced: false });
  assert.equal(changes() - before, 1);
  const next = start(handClock());
  assert.equal(next.remainingMs("j-999", "total"), 70_000);
});
