import { deepEqual } from "node:assert/strict";
import { groupFiles, readCount, strict } from "./test.ts";

Deno.test("readCount() reads the summary of deno test, with steps, skipped tests and colours", () => {
  const summary =
    "\x1b[31mFAILED\x1b[0m | 2 passed (7 steps) | 3 failed (1 step) | 4 ignored \x1b[38;5;245m(193ms)\x1b[0m\n";
  deepEqual(readCount(`a ... ok\n${summary}\nerror: Test failed\n`, 1), { passed: 2, failed: 3, ignored: 4 });
  deepEqual(readCount("ok | 12 passed | 0 failed (1s)\n", 0), { passed: 12, failed: 0, ignored: 0 });
});

Deno.test("readCount() takes the last summary: a test may print one of its own", () => {
  const output = "ok | 99 passed | 0 failed (1s)\nFAILED | 1 passed | 1 failed (1s)\n";
  deepEqual(readCount(output, 1), { passed: 1, failed: 1, ignored: 0 });
});

Deno.test("readCount() never counts a failed process as success", () => {
  deepEqual(readCount("", 1), { passed: 0, failed: 1, ignored: 0 });
  deepEqual(readCount("ok | 5 passed | 0 failed (1s)\n", 1), { passed: 5, failed: 1, ignored: 0 });
  deepEqual(readCount("killed", 137), { passed: 0, failed: 1, ignored: 0 });
});

Deno.test("strict() counts what is skipped as failed in CI only", () => {
  const count = { passed: 1, failed: 1, ignored: 2 };
  deepEqual(strict(count, true), { passed: 1, failed: 3, ignored: 0 });
  deepEqual(strict(count, false), count);
});

Deno.test("groupFiles() puts every test file into exactly one group, in running order", () => {
  const files = [
    "agent/core/accept.ts",
    "agent/core/accept_test.ts",
    "mod_test.ts",
    "tests/e2e/kill_test.ts",
    "tests/odd/odd_test.ts",
    "tests/sim/sim_test.ts",
    "tests/support/builders.ts",
    "tests/top_test.ts",
  ];
  deepEqual([...groupFiles(files, (path) => path === "agent/core/accept.ts")], [
    ["check", []],
    ["unit", ["agent/core/accept_test.ts", "mod_test.ts", "tests/top_test.ts"]],
    ["doc", ["agent/core/accept.ts"]],
    ["contract", []],
    ["property", []],
    ["golden", []],
    ["odd", ["tests/odd/odd_test.ts"]],
    ["sim", ["tests/sim/sim_test.ts"]],
    ["e2e", ["tests/e2e/kill_test.ts"]],
  ]);
});
