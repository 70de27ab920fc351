import assert from "node:assert/strict";
import type { AppError } from "../../shared/errors.ts";
import type { Namespace } from "../../shared/model/namespace.ts";
import { aSpec, aTask, someResources } from "../../tests/support/builders.ts";
import { demandWithinBounds } from "./bounds.ts";

const said = (cpuMillis: number, change: Partial<Namespace>, jobs = 0): string | undefined => {
  const namespace: Namespace = {
    ...{
      name: "a",
      weight: 1,
      defaults: {},
      maxima: {},
      quota: {},
      createdAtMs: 0,
      modifiedAtMs: 0,
      ...change,
    },
  };
  const spec = aSpec({ name: "etl", task: aTask({ resources: someResources({ cpuMillis }) }) });
  try {
    demandWithinBounds(spec, { namespace, liveJobCount: () => jobs });
  } catch (error) {
    const { code, message, hint } = error as AppError;
    return `${code}: ${message} (${hint})`;
  }
};

Deno.test("a task may ask for as much as its namespace says, and not for more", () => {
  assert.equal(said(2000, { maxima: { cpuMillis: 2000 } }), undefined);
  assert.match(
    said(2001, { maxima: { cpuMillis: 2000 } })!,
    /^invalid: Cannot submit job "etl": Resources.CPU must be at most 2, which is what a task may ask for in namespace "a", current value is 2.001 \(Ask for less/,
  );
  assert.match(said(500, { quota: { cpuMillis: 400 } })!, /may have in all/, "it could never run");
  assert.match(said(1, { maxima: { cpuMillis: 0 } })!, /must be at most 0/);
});

Deno.test("a namespace has no more unfinished jobs than it may have", () => {
  assert.equal(said(1, { jobsMax: 3 }, 2), undefined);
  assert.match(
    said(1, { jobsMax: 3 }, 3)!,
    /^exhausted: .*3 jobs in namespace "a" have not ended, and it may have 3/,
  );
});
