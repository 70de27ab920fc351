import assert from "node:assert/strict";
import { aSpec } from "../../tests/support/builders.ts";
import { AppError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { admit } from "./admit.ts";

const id = "j-1" as JobId;

Deno.test("a job without a name takes its id as its name", () => {
  const job = admit({ spec: aSpec(), id, nowMs: 5, sameName: undefined, isForced: false });
  assert.deepEqual([job.spec.name, job.phase, job.version, job.createdAtMs], ["j-1", "pending", 1, 5]);
});

Deno.test("an id is no name for a new job", () => {
  const name = "j-9bdafa4b-1111-4222-8333-444444444444";
  assert.throws(
    () => admit({ spec: aSpec({ name }), id, nowMs: 0, sameName: undefined, isForced: false }),
    (error: AppError) => error.code === "invalid" && error.message.includes("must not look like an ID"),
  );
});

Deno.test("a submission under a name that is taken becomes the job's next version", () => {
  const spec = aSpec({ name: "etl" });
  const first = {
    ...admit({ spec, id, nowMs: 1, sameName: undefined, isForced: false }),
    phase: "failed" as const,
  };
  const job = { ...first, message: "why", completedCount: 3 };
  const again = (isSameSpec: boolean, isForced: boolean, type = spec.type) =>
    admit({ spec: { ...spec, type }, id: "j-2" as JobId, nowMs: 9, sameName: { job, isSameSpec }, isForced });
  for (const next of [again(false, false), again(true, true)]) {
    assert.deepEqual(
      [
        next.id,
        next.version,
        next.phase,
        next.completedCount,
        next.message,
        next.createdAtMs,
        next.modifiedAtMs,
      ],
      ["j-1", 2, "pending", 0, undefined, 1, 9],
    );
    assert.equal(next.revision, job.revision + 1);
  }
  assert.throws(
    () => again(true, false),
    (error: AppError) =>
      error.code === "no_changes" && error.hint?.includes("--force") === true &&
      error.message.startsWith("no changes detected for new job spec. Job Name: 'etl'"),
  );
});
