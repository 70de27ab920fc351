/** Whether a submission becomes a job: pure, on what is known of its name and token. */
import { AppError } from "../../shared/errors.ts";
import { type JobId, looksLikeId } from "../../shared/model/ids.ts";
import type { Job, JobSpec } from "../../shared/model/job.ts";

/** What admission looks at. */
export interface AdmitInput {
  readonly spec: JobSpec;
  readonly id: JobId;
  readonly nowMs: number;
  /** The job that has this name in this namespace. */
  readonly sameName: { readonly id: JobId; readonly isSameSpec: boolean } | undefined;
}

/** The new job. Errors: `no_changes`, `conflict`. */
export function admit({ spec, id, nowMs, sameName }: AdmitInput): Job {
  const name = spec.name === "" ? id : spec.name;
  if (sameName?.isSameSpec) {
    throw new AppError("no_changes", `no changes detected for new job spec. Job Name: '${name}'`, {
      hint:
        `It is job ${sameName.id}: look at it with "skerry job describe ${sameName.id}", or submit under another name`,
    });
  }
  if (sameName !== undefined) {
    throw new AppError(
      "conflict",
      `Cannot submit job "${name}": its name must be unused in namespace "${spec.namespace}", currently it names ${sameName.id}`,
      { hint: "Submit it under another name, or without one" },
    );
  }
  if (looksLikeId(spec.name)) {
    throw new AppError(
      "invalid",
      `Cannot submit job "${spec.name}": Name must not look like an ID, which it would hide`,
      {
        hint: "Submit it under another name, or without one",
      },
    );
  }
  return {
    id,
    spec: { ...spec, name },
    version: 1,
    revision: 1,
    phase: "pending",
    completedCount: 0,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
  };
}
