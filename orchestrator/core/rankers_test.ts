import assert from "node:assert/strict";
import { aSpec, someFacts, someResources } from "../../tests/support/builders.ts";
import { needOf } from "./filters.ts";
import { type Candidate, score, scores, WEIGHTS, wishes } from "./rankers.ts";

const candidate = (change: Partial<Candidate> = {}): Candidate => ({
  capacity: someFacts().capacity,
  labels: {},
  used: someResources({ cpuMillis: 0, memoryBytes: 0 }),
  sameJobCount: 0,
  ...change,
});

Deno.test("the total is the weighted mean of the named scores", () => {
  const need = needOf(aSpec());
  const one = candidate({ used: someResources({ cpuMillis: 1000 }), sameJobCount: 2 });
  const named = scores(need, one);
  const total = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  const mean = (Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[])
    .reduce((sum, ranker) => sum + WEIGHTS[ranker] * named[ranker], 0) / total;
  assert.ok(Math.abs(score(need, one, named.wishes) - mean) < 1e-12);
});

Deno.test("room now outweighs packing and being apart together", () => {
  const need = needOf(aSpec());
  const empty = candidate({ sameJobCount: 9 });
  const full = candidate({ used: someFacts().capacity });
  assert.ok(score(need, empty, 1) > score(need, full, 1));
});

Deno.test("wishes count by the share that is met, with or without their prefix", () => {
  const need = needOf(aSpec({
    constraints: [
      { key: "favour_disk", operator: "=", values: ["ssd"] },
      { key: "favour_zone", operator: "=", values: ["a"] },
    ],
  }));
  assert.equal(wishes(need, { disk: "ssd", zone: "b" }), 0.5);
  assert.equal(wishes(needOf(aSpec()), {}), 1);
});
