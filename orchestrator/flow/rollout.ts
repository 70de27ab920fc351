/** A new version of a job without an end comes up, or makes way for the last one that did. Inside the caller's transaction. */
import { type Rollout, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import * as events from "../core/events.ts";
import { nextVersion, step } from "../core/job.ts";
import type { RolloutProgress } from "../core/plan.ts";
import { hashOfSpec, type JobRow } from "../store/jobs.ts";
import { type VersionOptions, writeVersion } from "./versions.ts";

/** Takes over how far the version has come; answers the job as it is now. */
export function followRollout(
  options: VersionOptions,
  jobRow: JobRow,
  { upCount, isGood, failure }: RolloutProgress,
): JobRow {
  const { store, deadlines } = options;
  const { id, version, rollout, spec } = jobRow.job;
  if (failure !== undefined) return failRollout(options, jobRow, failure);
  if (isGood) {
    deadlines.clear(id, "progress");
    store.record(jobRow, events.versionUp(version, upCount));
    const { message, rolledBackFrom } = rollout ?? {};
    return write(options, jobRow, {
      ...(rolledBackFrom !== undefined && { rolledBackFrom, message }),
      state: "good",
      upCount,
      sinceAtMs: store.nowMs(),
      goodVersion: version,
    });
  }
  if (upCount <= (rollout?.upCount ?? 0)) return jobRow;
  deadlines.clear(id, "progress");
  deadlines.set(id, "progress", (spec.update ?? UPDATE_DEFAULT).progressMs);
  return write(options, jobRow, { ...rollout!, upCount });
}

/** The version will not do: the last good one comes back as a new version, unless it was that already. */
export function failRollout(options: VersionOptions, jobRow: JobRow, why: string): JobRow {
  const { store, deadlines } = options;
  const { row, job } = jobRow;
  const { id, version, rollout, spec } = job;
  deadlines.clear(id, "progress");
  const goodVersion = rollout?.goodVersion;
  const message = `version ${version} will not do: ${why}`;
  const { autoRollback } = spec.update ?? UPDATE_DEFAULT;
  const good = goodVersion === undefined || goodVersion >= version || rollout?.rolledBackFrom !== undefined ||
      !autoRollback
    ? undefined
    : store.jobs.findVersion(row, goodVersion);
  if (good === undefined) {
    store.record(jobRow, events.versionFailed(message));
    return write(options, jobRow, { ...rollout!, state: "failed", message, sinceAtMs: store.nowMs() });
  }
  const next = nextVersion(job, good, store.nowMs(), { rolledBackFrom: version, message });
  const event = events.versionRolledBack(message, goodVersion!);
  writeVersion(options, { row, job: next }, {
    specHash: hashOfSpec(good),
    trigger: "job_update",
    event,
    keepsTasks: true,
  });
  return store.jobs.get(row);
}

function write({ store }: VersionOptions, { row, job }: JobRow, rollout: Rollout): JobRow {
  const changed = { row, job: step(job, { kind: "rollout", rollout }, store.nowMs()) };
  store.jobs.update(changed);
  store.touch(changed.job);
  return changed;
}
