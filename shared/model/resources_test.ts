import assert from "node:assert/strict";
import { add, fits, NO_RESOURCES, scale, subtract } from "./resources.ts";

const some = { cpuMillis: 1500, memoryBytes: 1000, diskBytes: 10, gpuCount: 1 };

Deno.test("amounts add, subtract and scale in every dimension, rounded down", () => {
  assert.deepEqual(subtract(add(some, some), some), some);
  assert.deepEqual(scale(some, 0.5), { cpuMillis: 750, memoryBytes: 500, diskBytes: 5, gpuCount: 0 });
});

Deno.test("a need fits when it is at most the room in every dimension", () => {
  assert.ok(fits(some, some));
  for (const dimension of ["cpuMillis", "memoryBytes", "diskBytes", "gpuCount"] as const) {
    assert.ok(!fits({ ...some, [dimension]: some[dimension] + 1 }, some), dimension);
  }
  assert.ok(fits(NO_RESOURCES, NO_RESOURCES));
});
