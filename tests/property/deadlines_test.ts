import assert from "node:assert/strict";
import fc from "fast-check";
import type { Clock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { DEADLINE_TABLES, Deadlines } from "../../shared/ledger/deadlines.ts";
import { Lifetime } from "../../shared/ledger/lifetime.ts";

/** A program's clock: true time since its start, and a wall clock that says anything. */
function clockOf(nowMs: () => number): Clock {
  const bornAtMs = nowMs();
  return { wallMs: () => 1e12 - 7 * nowMs(), uptimeMs: () => nowMs() - bornAtMs, after: () => () => {} };
}

const openDeadlines = (database: Database, clock: Clock) =>
  new Deadlines({ database, clock, lifetime: new Lifetime({ database, clock }), nudge: () => {} });

const step = fc.oneof(
  fc.record({
    do: fc.constant("set" as const),
    about: fc.constantFrom("a", "b"),
    ms: fc.integer({ min: 0, max: 200_000 }),
  }),
  fc.record({ do: fc.constant("clear" as const), about: fc.constantFrom("a", "b") }),
  fc.record({ do: fc.constant("sleep" as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
  fc.record({
    do: fc.constant("restart" as const),
    isOrderly: fc.boolean(),
    downMs: fc.integer({ min: 0, max: 1e7 }),
  }),
);

Deno.test("a deadline never passes before its time, whatever restarts come between, and passes soon after it", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let nowMs = 0;
      const database = Database.open({ path: ":memory:", migrations: [DEADLINE_TABLES], applicationId: 7 });
      const open = () => openDeadlines(database, clockOf(() => nowMs));
      let deadlines = open();
      /** What was promised: time that must pass while a program lives, and how often one was killed since. */
      const promised = new Map<string, { leftMs: number; kills: number }>();
      for (const it of steps) {
        switch (it.do) {
          case "set":
            database.transaction(() => deadlines.set(it.about, "x", it.ms));
            if (!promised.has(it.about)) promised.set(it.about, { leftMs: it.ms, kills: 0 });
            break;
          case "clear":
            database.transaction(() => deadlines.clear(it.about, "x"));
            promised.delete(it.about);
            break;
          case "sleep":
            nowMs += it.ms;
            for (const one of promised.values()) one.leftMs -= it.ms;
            deadlines.checkpoint({ isForced: false });
            break;
          case "restart":
            if (it.isOrderly) deadlines.checkpoint({ isForced: true });
            else for (const one of promised.values()) one.kills++;
            deadlines.close();
            nowMs += it.downMs;
            deadlines = open();
        }
        const passed = new Set(deadlines.passed().map(({ about }) => about));
        for (const [about, { leftMs, kills }] of promised) {
          if (leftMs > 0) assert.ok(!passed.has(about), `${about} passed ${leftMs} ms early`);
          // A kill gives back what ran since the last checkpoint: at most that and the step that made it.
          if (leftMs < -kills * 90_001) assert.ok(passed.has(about), `${about} is ${-leftMs} ms late`);
        }
        for (const about of passed) assert.ok(promised.has(about), `${about} was cleared`);
      }
      database.close();
    }),
    { numRuns: 300 },
  );
});

Deno.test("setting and clearing in one transaction leaves what was said last", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), fc.boolean(), (words, wasSet) => {
      const database = Database.open({ path: ":memory:", migrations: [DEADLINE_TABLES], applicationId: 7 });
      const open = () => openDeadlines(database, clockOf(() => 0));
      const deadlines = open();
      if (wasSet) database.transaction(() => deadlines.set("a", "x", 1_000));
      database.transaction(() => {
        for (const isSet of words) {
          if (isSet) deadlines.set("a", "x", 1_000);
          else deadlines.clear("a", "x");
        }
      });
      const expected = words.at(-1) ? 1_000 : undefined;
      assert.equal(deadlines.remainingMs("a", "x"), expected);
      assert.equal(open().remainingMs("a", "x"), expected);
      database.close();
    }),
  );
});
