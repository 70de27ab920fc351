import assert from "node:assert/strict";
import { blame, finalAttempt } from "./retry.ts";

const program = { phase: "failed", code: "program_failed" } as const;
const lost = { phase: "lost", code: "node_lost" } as const;
const refused = { phase: "refused", code: "input_refused" } as const;
const busy = { phase: "refused", code: "exhausted" } as const;

Deno.test("blame tells the program's faults from lost and busy ones", () => {
  assert.equal(blame(program), "program");
  assert.equal(blame({ phase: "failed", code: "interrupted" }), "lost");
  assert.equal(blame({ phase: "failed", code: "execution_timed_out" }), "program");
  assert.equal(blame(lost), "lost");
  assert.equal(blame(refused), "lost");
  assert.equal(blame(busy), "busy");
});

Deno.test("each blame has its own number of attempts, and busy costs none", () => {
  const policy = { attempts: 1, lostAttempts: 2 };
  const mayRetry = (...ended: Parameters<typeof finalAttempt>[0]) =>
    finalAttempt(ended, policy) === undefined;
  assert.equal(mayRetry(program), true);
  assert.equal(mayRetry(program, program), false);
  assert.equal(mayRetry(lost, refused), true);
  assert.equal(mayRetry(lost, refused, lost), false);
  assert.equal(mayRetry(lost, lost, program), true);
  const moved = { phase: "stopped", code: "stopped", moving: "drain" } as const;
  assert.equal(mayRetry(moved, moved, moved, moved), true);
  assert.equal(mayRetry({ ...moved, phase: "failed", code: "program_failed" }, program), false);
  assert.equal(mayRetry({ ...moved, phase: "failed", code: "interrupted" }, lost, lost), true);
  assert.equal(finalAttempt([moved], { attempts: 1, lostAttempts: 0 }), moved, "it may have begun");
  assert.equal(mayRetry(busy, busy, busy, busy), true);
  assert.equal(finalAttempt([program], { attempts: 0, lostAttempts: 2 }), program);
});

Deno.test("an attempt that was lost and turned out to have failed counts as failed, whatever came after it", () => {
  const policy = { attempts: 0, lostAttempts: 2 };
  assert.equal(finalAttempt([program, lost], policy), program);
  assert.equal(finalAttempt([program, busy], policy), program);
  assert.equal(finalAttempt([lost, lost, busy], policy), undefined);
});

Deno.test("a failure that the policy does not list is final, whatever attempts are left", () => {
  const policy = { attempts: 5, lostAttempts: 0, on: ["memory_exceeded", 75] };
  const failed = { phase: "failed", code: "program_failed", exitCode: 1 } as const;
  assert.equal(finalAttempt([failed], policy), failed);
  assert.equal(finalAttempt([{ ...failed, exitCode: 75 }], policy), undefined);
  assert.equal(
    finalAttempt([{ phase: "failed", code: "memory_exceeded", exitCode: 137 }], policy),
    undefined,
  );
});
