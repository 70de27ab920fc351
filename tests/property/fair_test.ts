/** Laws of whose turn it is, and of what namespaces come to hold. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { grant, type Waiting as Queued } from "../../agent/core/capacity.ts";
import { quotaRoom } from "../../orchestrator/core/quota.ts";
import { FairQueue } from "../../orchestrator/store/fair_queue.ts";
import type { Namespace } from "../../shared/model/namespace.ts";
import { add, DIMENSIONS, fits, NO_RESOURCES, type Resources, scale } from "../../shared/model/resources.ts";

const amounts = (max: number) =>
  fc.record({
    cpuMillis: fc.integer({ min: 0, max }),
    memoryBytes: fc.integer({ min: 0, max }),
    diskBytes: fc.integer({ min: 0, max }),
    gpuCount: fc.integer({ min: 0, max }),
  });

Deno.test("a line gives the first by priority, share and order, whatever came and went before", () => {
  const change = fc.record({
    jobRow: fc.integer({ min: 1, max: 12 }),
    priority: fc.integer({ min: 0, max: 2 }),
    isIn: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(change, { maxLength: 60 }), fc.array(fc.nat(3)), (changes, shares) => {
    const queue = new FairQueue();
    const model = new Map<number, { jobRow: number; priority: number; namespace: string }>();
    const shareOf = (namespace: string) => shares[Number(namespace)] ?? 0;
    for (const { jobRow, priority, isIn } of changes) {
      const waiter = { jobRow, priority, namespace: String(jobRow % 3) };
      if (isIn) queue.put(waiter, jobRow), model.set(jobRow, waiter);
      else queue.remove(jobRow), model.delete(jobRow);
      const [first] = [...model.values()].sort((a, b) =>
        b.priority - a.priority || shareOf(a.namespace) - shareOf(b.namespace) || a.jobRow - b.jobRow
      );
      assert.deepEqual(queue.first(shareOf), first);
      assert.equal(queue.size, model.size);
    }
  }));
});

Deno.test("who is ahead of one is who would be served before it if each turn added the same", () => {
  const jobs = fc.uniqueArray(fc.record({ jobRow: fc.nat(40), namespace: fc.constantFrom("a", "b", "c") }), {
    selector: ({ jobRow }) => jobRow,
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(fc.property(jobs, fc.array(fc.nat(8), { minLength: 3, maxLength: 3 }), (waiters, held) => {
    const fill = () => {
      const queue = new FairQueue();
      for (const one of waiters) queue.put({ ...one, priority: 0 }, one.jobRow);
      return queue;
    };
    const steps = { a: 2, b: 1, c: 4 };
    const shares = new Map([..."abc"].map((name, at) => [name, held[at]!]));
    const stepOf = (name: string) => steps[name as "a"];
    const served: number[] = [];
    const turns = fill();
    const now = new Map(shares);
    while (turns.size > 0) {
      const next = turns.first((name) => now.get(name)!)!;
      served.push(next.jobRow);
      now.set(next.namespace, now.get(next.namespace)! + stepOf(next.namespace));
      turns.remove(next.jobRow);
    }
    const queue = fill();
    for (const [at, jobRow] of served.entries()) {
      const ahead = queue.aheadOf(jobRow, { shareOf: (name) => shares.get(name)!, stepOf, namedMax: 100 });
      assert.deepEqual([ahead.count, ahead.rows], [at, served.slice(0, at)]);
    }
  }));
});

Deno.test("so many more as a quota has room for fit it, and one more does not", () => {
  fc.assert(fc.property(amounts(20), amounts(20), amounts(5), (quota, held, need) => {
    const namespace: Namespace = {
      ...{ name: "a", weight: 1, defaults: {}, maxima: {}, quota, createdAtMs: 0, modifiedAtMs: 0 },
    };
    const { count, refusal } = quotaRoom(namespace, { held, need });
    if (count === Infinity) return assert.deepEqual([need, refusal], [NO_RESOURCES, undefined]);
    const after = (n: number) => add(held, scale(need, n));
    const asked = (all: Resources, n: number) => {
      const then = after(n);
      return DIMENSIONS.every((it) => need[it] === 0 || then[it] <= all[it]);
    };
    if (count > 0) assert.ok(asked(quota, count));
    assert.ok(!asked(quota, count + 1));
    assert.ok(refusal!.message.includes('namespace "a" holds'));
  }));
});

Deno.test("shares of owners that always have something to run come to their weights", () => {
  const weights = { a: 1, b: 2, c: 1 };
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(1, 2, 3), { minLength: 3, maxLength: 3 }),
      fc.nat(30),
      (sizes, early) => {
        const capacity = { ...NO_RESOURCES, cpuMillis: 120 };
        const running: { owner: string; cpuMillis: number }[] = [];
        const heldBy = (owner: string) => ({
          ...NO_RESOURCES,
          cpuMillis: running.filter((one) => one.owner === owner).reduce(
            (sum, one) => sum + one.cpuMillis,
            0,
          ),
        });
        let row = 0;
        const queue: Queued[] = [];
        const fill = (owner: "a" | "b" | "c", at: number) => {
          while (queue.filter((one) => one.owner === owner).length < 50) {
            const resources = { ...NO_RESOURCES, cpuMillis: sizes[at]! };
            const weight = weights[owner];
            queue.push({
              id: String(row),
              row: row++,
              priority: 0,
              resources,
              owner,
              weight,
              overtakenCount: 0,
            });
          }
        };
        for (let round = 0; round < 60; round++) {
          fill("a", 0);
          if (round >= early) {
            for (const [at, owner] of (["b", "c"] as const).entries()) {
              fill(owner, at + 1);
            }
          }
          queue.sort((a, b) => a.row - b.row);
          const used = running.reduce((sum, one) => sum + one.cpuMillis, 0);
          const room = { ...NO_RESOURCES, cpuMillis: 120 - used };
          const { granted } = grant(queue, { room, countMax: 1000, shares: { heldBy, capacity } });
          for (const one of granted) {
            queue.splice(queue.indexOf(one), 1);
            running.push({ owner: one.owner, cpuMillis: one.resources.cpuMillis });
          }
          assert.ok(fits(add(heldBy("a"), add(heldBy("b"), heldBy("c"))), capacity));
          if (round < 59) running.splice(0, 10);
        }
        for (const [owner, share] of Object.entries({ a: 0.25, b: 0.5, c: 0.25 })) {
          const held = heldBy(owner).cpuMillis / running.reduce((sum, one) => sum + one.cpuMillis, 0);
          assert.ok(Math.abs(held - share) < 0.08, `${owner} holds ${held}`);
        }
      },
    ),
    { numRuns: 40 },
  );
});
