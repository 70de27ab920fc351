import assert from "node:assert/strict";
import { HEALTH_DEFAULT, type HealthCheck } from "../../shared/model/policy.ts";
import {
  beginHealth,
  healthCheckOf,
  type HealthState,
  isRestartDue,
  nextCheckMs,
  observeHealth,
} from "./health.ts";

const PROBED: HealthCheck = { ...HEALTH_DEFAULT, minHealthyMs: 3_000, exec: { command: ["true"] } };
const FAILED = { hasPassed: false, message: "no answer" } as const;
const PASSED = { hasPassed: true } as const;

/** States after checks that pass (`+`) or fail (`-`), one each second. */
function statesOf(results: string, check = PROBED, from = beginHealth()): HealthState[] {
  const states = [from];
  for (const [at, sign] of [...results].entries()) {
    const nowMs = (at + 1) * 1_000;
    states.push(
      observeHealth(states.at(-1)!, sign === "+" ? PASSED : FAILED, { check, startedMs: 0, nowMs }),
    );
  }
  return states.slice(1);
}
const statuses = (results: string, check = PROBED) => statesOf(results, check).map(({ status }) => status);

Deno.test("healthy is what passed without a break for so long", () => {
  assert.deepEqual(statuses("++-++++"), [
    ...["unknown", "unknown", "unknown", "unknown", "unknown", "unknown"],
    "healthy",
  ]);
});

Deno.test("unhealthy is what failed so often in a row, and it may become healthy again", () => {
  assert.deepEqual(statuses("++++--+---++++"), [
    ...["unknown", "unknown", "unknown", "healthy", "healthy", "healthy", "healthy"],
    ...["healthy", "healthy", "unhealthy", "unhealthy", "unhealthy", "unhealthy", "healthy"],
  ]);
  const last = statesOf("+++---").at(-1)!;
  assert.equal(last.message, "no answer");
});

Deno.test("checks that fail in the start period do not count until one has passed", () => {
  const check = { ...PROBED, startPeriodMs: 5_000 };
  assert.equal(statesOf("----", check).at(-1)!.failureCount, 0);
  assert.equal(statesOf("-------", check).at(-1)!.status, "unhealthy");
  assert.equal(statesOf("+---", check).at(-1)!.status, "unhealthy");
});

Deno.test("without a check, healthy is what has run so long, and nothing is looked at any more", () => {
  const check = HEALTH_DEFAULT;
  const begun = beginHealth();
  assert.equal(nextCheckMs(begun, { check, startedMs: 1_000, nowMs: 4_000 }), 7_000);
  const after = observeHealth(begun, PASSED, { check, startedMs: 1_000, nowMs: 11_000 });
  assert.equal(after.status, "healthy");
  assert.equal(nextCheckMs(after, { check, startedMs: 1_000, nowMs: 11_000 }), undefined);
});

Deno.test("checks come at their interval, the first and the deciding one earlier", () => {
  const next = (state: HealthState, nowMs: number) =>
    nextCheckMs(state, { check: PROBED, startedMs: 0, nowMs });
  assert.equal(next(beginHealth(), 0), 1_000);
  const [passed] = statesOf("+");
  assert.equal(next(passed!, 1_500), 2_500);
  assert.equal(next(statesOf("-").at(-1)!, 1_000), 10_000);
  assert.equal(next(statesOf("++++").at(-1)!, 4_000), 10_000);
});

Deno.test("what was healthy is started again; what never was only when its job gave it a start period", () => {
  const due = (results: string, check = PROBED) => {
    const states = [beginHealth(), ...statesOf(results, check)];
    return isRestartDue(states.at(-2)!, states.at(-1)!, check);
  };
  assert.equal(due("++++---"), true);
  assert.equal(due("++++--"), false);
  assert.equal(due("++++----"), false, "once");
  assert.equal(due("---"), false);
  assert.equal(due("---", { ...PROBED, startPeriodMs: 1 }), true);
  assert.equal(beginHealth("healthy").wasHealthy, true);
});

Deno.test("only tasks that are not meant to end are watched without being asked", () => {
  assert.equal(healthCheckOf({ jobType: "batch" }), undefined);
  assert.equal(healthCheckOf({ jobType: "service" }), HEALTH_DEFAULT);
  assert.equal(healthCheckOf({ jobType: "batch", health: PROBED }), PROBED);
});
