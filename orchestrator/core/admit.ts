/** Whether a submission becomes a job: pure, on what is known of its name and token. */
import { AppError } from "../../shared/errors.ts";
import { type JobId, looksLikeId } from "../../shared/model/ids.ts";
import { isEndless, type Job, type JobSpec } from "../../shared/model/job.ts";
import { beginRollout, nextVersion } from "./job.ts";

/** What admission looks at. */
export interface AdmitInput {
  readonly spec: JobSpec;
  readonly id: JobId;
  readonly nowMs: number;
  /** The job that has this name in this namespace: it gets a new version. */
  readonly sameName: { readonly job: Job; readonly isSameSpec: boolean } | undefined;
  /** A new version is wanted also when nothing changed. */
  readonly isForced: boolean;
}

/** The new job, or the new version of the one with that name. Errors: `no_changes`, `conflict`, `invalid`. */
export function admit({ spec, id, nowMs, sameName, isForced }: AdmitInput): Job {
  const name = spec.name === "" ? id : spec.name;
  if (sameName !== undefined) {
    const { job, isSameSpec } = sameName;
    if (isSameSpec && !isForced) {
      throw new AppError("no_changes", `no changes detected for new job spec. Job Name: '${name}'`, {
        hint:
          `It is job ${job.id}, which is ${job.phase}: run it again with --force or "skerry job rerun ${name}"`,
      });
    }
    if (job.spec.type !== spec.type) {
      throw new AppError(
        "conflict",
        `Cannot update job "${name}": its type must stay ${job.spec.type}, the submission says ${spec.type}`,
        { hint: "Submit it under another name, or without one" },
      );
    }
    return nextVersion(job, spec, nowMs);
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
    ...isEndless(spec.type) && { rollout: beginRollout(nowMs) },
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
  };
}
