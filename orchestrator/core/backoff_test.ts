import assert from "node:assert/strict";
import { ended } from "../../tests/support/plans.ts";
import { restartInMs, retryInMs, streakAfter } from "./backoff.ts";
import type { OpenExecution } from "./plan.ts";

const POLICY = { attempts: 9, lostAttempts: 9 };
const end = (change: Partial<OpenExecution> = {}) => ended(0, "n-a", { modifiedAtMs: 1_000, ...change });
const failed = (count: number, code: string) => Array.from({ length: count }, () => end({ code }));
const isAbout = (ms: number, wantedMs: number) =>
  assert.ok(Math.abs(ms - wantedMs) <= 0.2 * wantedMs, `${ms} is not about ${wantedMs}`);

Deno.test("pauses before a restart double from a second to a minute", () => {
  for (
    const [attempt, wantedMs] of [[0, 1_000], [1, 2_000], [5, 32_000], [6, 60_000], [50, 60_000]] as const
  ) {
    isAbout(restartInMs(end({ streak: attempt }), POLICY, 1_000), wantedMs);
  }
});

Deno.test("what ran well for a while begins with the first pause again", () => {
  isAbout(restartInMs(end({ streak: 9, modifiedAtMs: 60_000 }), POLICY, 60_000), 1_000);
});

Deno.test("only ends in a row count: a stable run begins anew, a lost one changes nothing", () => {
  assert.equal(streakAfter(end({ streak: 2 })), 3);
  assert.equal(streakAfter(end({ streak: 2, modifiedAtMs: 90_000 })), 1);
  assert.equal(streakAfter(end({ streak: 2, phase: "lost" })), 2);
  isAbout(restartInMs(end({ attempt: 50 }), POLICY, 1_000), 1_000);
});

Deno.test("a lost one has a successor at once, and time that has passed counts", () => {
  assert.equal(restartInMs(end({ streak: 9, phase: "lost" }), POLICY, 1_000), 0);
  const wholeMs = restartInMs(end({ streak: 2 }), POLICY, 1_000);
  assert.equal(restartInMs(end({ streak: 2 }), POLICY, 2_000), wholeMs - 1_000);
  assert.equal(restartInMs(end({ streak: 2 }), POLICY, 99_000), 0);
});

Deno.test("a wall clock that was set back ends a pause", () => {
  assert.equal(restartInMs(end({ streak: 2 }), POLICY, -1e9), 0);
});

Deno.test("executions that end together do not come back together", () => {
  const pauses = ["e-1", "e-2", "e-3", "e-4"].map((id) =>
    restartInMs(end({ id: id as OpenExecution["id"], streak: 3 }), POLICY, 1_000)
  );
  assert.equal(new Set(pauses).size, 4, `${pauses}`);
});

Deno.test("an attempt after a program's failure waits, longer each time, as its policy says", () => {
  isAbout(retryInMs(failed(1, "program_failed"), POLICY, 1_000), 1_000);
  isAbout(retryInMs(failed(3, "program_failed"), POLICY, 1_000), 4_000);
  isAbout(retryInMs(failed(1, "program_failed"), { ...POLICY, delayMs: 30_000 }, 1_000), 30_000);
  isAbout(
    retryInMs(failed(9, "program_failed"), { ...POLICY, delayMs: 30_000, maxDelayMs: 90_000 }, 1_000),
    90_000,
  );
  assert.equal(retryInMs(failed(5, "program_failed"), { ...POLICY, delayMs: 0 }, 1_000), 0);
});

Deno.test("what was no fault of the program is tried again at once the first time, and a refusal always", () => {
  assert.equal(retryInMs(failed(1, "interrupted"), POLICY, 1_000), 0);
  isAbout(retryInMs(failed(2, "interrupted"), POLICY, 1_000), 1_000);
  assert.equal(retryInMs([...failed(3, "interrupted"), end({ phase: "refused" })], POLICY, 1_000), 0);
  assert.equal(retryInMs([...failed(3, "interrupted"), end({ phase: "lost" })], POLICY, 1_000), 0);
});

Deno.test("an attempt that ran well for a while begins the pauses anew", () => {
  const ranWell = (code: string) => end({ code, modifiedAtMs: 100_000, createdAtMs: 0 });
  const before = failed(5, "interrupted");
  assert.equal(retryInMs([...before, ranWell("interrupted")], POLICY, 100_000), 0);
  isAbout(retryInMs([...before, ranWell("interrupted"), end({ code: "interrupted" })], POLICY, 1_000), 1_000);
  isAbout(retryInMs([...failed(5, "program_failed"), ranWell("program_failed")], POLICY, 100_000), 1_000);
});
