import assert from "node:assert/strict";
import { blame, mayRetry } from "./retry.ts";

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
  assert.equal(mayRetry([program], policy), true);
  assert.equal(mayRetry([program, program], policy), false);
  assert.equal(mayRetry([lost, refused], policy), true);
  assert.equal(mayRetry([lost, refused, lost], policy), false);
  assert.equal(mayRetry([lost, lost, program], policy), true);
  assert.equal(mayRetry([busy, busy, busy, busy], policy), true);
  assert.equal(mayRetry([program], { attempts: 0, lostAttempts: 2 }), false);
});
