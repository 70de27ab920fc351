import assert from "node:assert/strict";
import { aSpec } from "../../tests/support/builders.ts";
import { AppError } from "../../shared/errors.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { admit } from "./admit.ts";

const id = "j-1" as JobId;

Deno.test("a job without a name takes its id as its name", () => {
  const job = admit({ spec: aSpec(), id, nowMs: 5, sameName: undefined });
  assert.deepEqual([job.spec.name, job.phase, job.version, job.createdAtMs], ["j-1", "pending", 1, 5]);
});

Deno.test("an id is no name for a new job", () => {
  const name = "j-9bdafa4b-1111-4222-8333-444444444444";
  assert.throws(
    () => admit({ spec: aSpec({ name }), id, nowMs: 0, sameName: undefined }),
    (error: AppError) => error.code === "invalid" && error.message.includes("must not look like an ID"),
  );
});

Deno.test("a name that is taken refuses, and says by which job", () => {
  const taken = (isSameSpec: boolean) => () =>
    admit({ spec: aSpec({ name: "etl" }), id, nowMs: 0, sameName: { id: "j-0" as JobId, isSameSpec } });
  assert.throws(
    taken(true),
    (error: AppError) =>
      error.code === "no_changes" &&
      error.message.startsWith("no changes detected for new job spec. Job Name: 'etl'"),
  );
  assert.throws(
    taken(false),
    (error: AppError) => error.code === "conflict" && error.message.includes("j-0"),
  );
});
