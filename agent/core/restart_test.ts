import assert from "node:assert/strict";
import type { RestartPolicy } from "../../shared/model/policy.ts";
import { defaultRestart } from "../../shared/model/restart_default.ts";
import { type Circumstances, isCrash, type Past, restartAfter, STABLE_MS } from "./restart.ts";

const LAST_EXIT = { code: "program_failed", message: "Program exited with code 1", exitCode: 1 };
const POLICY: RestartPolicy = {
  attempts: 3,
  intervalMs: 100_000,
  delayMs: 1_000,
  maxDelayMs: 6_000,
  mode: "fail",
};

function around(change: Partial<Circumstances> = {}): Circumstances {
  return {
    policy: POLICY,
    ...{ nowMs: 0, jitter: 0, isCrash: true, isHomeReached: true, isBlameless: false },
    outputEnd: { stdout: 5, stderr: 0 },
    ...change,
  };
}

/** Crashes one after the other, each at its time; the pauses until none is granted. */
function crash(atMs: readonly number[], change: Partial<Circumstances> = {}, ranMs = 0) {
  let past: Past | undefined;
  const pauses: (number | undefined)[] = [];
  for (const nowMs of atMs) {
    const again = restartAfter(past, {
      lastExit: LAST_EXIT,
      ranMs,
      circumstances: around({ ...change, nowMs }),
    });
    pauses.push(again?.inMs);
    past = again?.past ?? past;
  }
  return { past, pauses };
}

Deno.test("the pause doubles up to the longest, and after so many starts the policy allows none", () => {
  const { past, pauses } = crash([0, 2_000, 5_000, 10_000], { policy: { ...POLICY, maxDelayMs: 3_000 } });
  assert.deepEqual(pauses, [1_000, 2_000, 3_000, undefined]);
  assert.equal(past?.run, 3);
  assert.deepEqual([past?.lastExit, past?.outputFrom], [LAST_EXIT, { stdout: 5, stderr: 0 }]);
});

Deno.test("chance takes up to a quarter off a pause", () => {
  assert.deepEqual(crash([0, 1], { jitter: 0.999_999 }).pauses, [750, 1_500]);
});

Deno.test("a stable run makes the pause the shortest again, and a new interval allows as many starts again", () => {
  assert.deepEqual(crash([0, 1_000, 2_000], {}, STABLE_MS).pauses, [1_000, 1_000, 1_000]);
  const late = crash([0, 1_000, 2_000, 100_000, 101_000, 102_000, 103_000]);
  assert.deepEqual(late.pauses, [1_000, 2_000, 4_000, 6_000, 6_000, 6_000, undefined]);
});

Deno.test("mode delay waits for the rest of the interval instead of giving up", () => {
  const { pauses, past } = crash([0, 10, 20, 30_000, 100_010], { policy: { ...POLICY, mode: "delay" } });
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 70_000, 6_000]);
  assert.deepEqual([past?.run, past?.intervalCount], [5, 1]);
});

Deno.test("while its home cannot be reached nothing is given up", () => {
  const { pauses } = crash([0, 10, 20, 30, 40], { isHomeReached: false });
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 6_000, 6_000]);
});

Deno.test("a policy without attempts allows none, but for what the machine ended", () => {
  const policy = { ...POLICY, attempts: 0 };
  assert.deepEqual(crash([0], { policy }).pauses, [undefined]);
  assert.deepEqual(crash([0], { policy, isHomeReached: false }).pauses, [undefined]);
  const { pauses, past } = crash([0, 1], { policy, isBlameless: true });
  assert.deepEqual(pauses, [0, 0]);
  assert.deepEqual([past?.run, past?.intervalCount, past?.streak], [2, 0, 0]);
});

Deno.test("a lifetime that went back gives no further starts, and makes no interval longer", () => {
  assert.deepEqual(crash([50_000, 50_001, 50_002, 10]).pauses, [1_000, 2_000, 4_000, undefined]);
  assert.deepEqual(crash([50_000, 50_001, 10, 20, 100_020]).pauses, [1_000, 2_000, 4_000, undefined, 6_000]);
});

Deno.test("only services and daemons are started again in place by default, daemons for ever", () => {
  assert.deepEqual([defaultRestart("batch").attempts, defaultRestart("ops").attempts], [0, 0]);
  const [service, daemon] = [defaultRestart("service"), defaultRestart("daemon")];
  assert.deepEqual([service.attempts > 0, service.mode, daemon.mode], [true, "fail", "delay"]);
});

Deno.test("isCrash() tells what a start in place may mend", () => {
  const failed = (code: "program_failed" | "interrupted") => ({ kind: "failed", code, message: "" }) as const;
  const [batch, service] = [{ jobType: "batch" }, { jobType: "service" }] as const;
  assert.equal(isCrash({ kind: "completed" }, batch), false);
  assert.deepEqual([isCrash(failed("program_failed"), batch), isCrash(failed("interrupted"), batch)], [
    true,
    false,
  ]);
  assert.equal(isCrash(failed("interrupted"), service), true);
});
