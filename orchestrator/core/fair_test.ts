import assert from "node:assert/strict";
import { turnMax } from "./fair.ts";

Deno.test("alone one places all; beside others until its share has come to the next one's, and at least one", () => {
  assert.equal(turnMax({ share: 0.2, step: 0.1, nextShare: undefined }), Infinity);
  assert.equal(
    turnMax({ share: 0.2, step: 0, nextShare: 0.1 }),
    Infinity,
    "what holds nothing takes nothing away",
  );
  assert.equal(turnMax({ share: 0.25, step: 0.125, nextShare: 0.5 }), 2);
  assert.equal(turnMax({ share: 0.5, step: 0.125, nextShare: 0.25 }), 1);
});

Deno.test("on a large fleet a turn is more than one", () => {
  assert.equal(turnMax({ share: 0.5, step: 2 ** -10, nextShare: 0.5 }), 10);
});
