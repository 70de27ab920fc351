/** A job at its home, as events change it. Total: an event that no longer matters returns the same record. */
import { type ImageFound, learnImage } from "../../shared/model/image.ts";
import type { Job, JobSpec, Rollout } from "../../shared/model/job.ts";
import { isEndless, JOB_TERMINAL } from "../../shared/model/job.ts";

/** What can happen to a job. */
export type JobEvent =
  /** No node has room, or none fits yet. `isAtWork`: other executions of it are live. */
  | {
    readonly kind: "waiting";
    readonly message: string;
    readonly hint: string;
    readonly isAtWork: boolean;
  }
  /** An execution of it is at work. */
  | { readonly kind: "started" }
  /** One more partition has its accepted result. */
  | { readonly kind: "partition_completed" }
  /** A node has looked up its image. */
  | { readonly kind: "image_found"; readonly image: ImageFound }
  /** A version of a job without an end has come further, or not far enough. */
  | { readonly kind: "rollout"; readonly rollout: Rollout }
  /** Of types that have one for each node. */
  | { readonly kind: "partitions"; readonly count: number }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly code: string; readonly message: string; readonly hint?: string }
  | { readonly kind: "stopped"; readonly message: string };

/** The record after the event; the same object when nothing changes. */
export function step(job: Job, event: JobEvent, nowMs: number): Job {
  if (JOB_TERMINAL.has(job.phase)) {
    // A result that comes after the end is still counted; the end stays.
    return event.kind === "partition_completed"
      ? changed(job, { completedCount: job.completedCount + 1 }, nowMs)
      : job;
  }
  switch (event.kind) {
    case "waiting":
      if (event.isAtWork && job.phase === "running") return job;
      if (job.phase === "queued" && job.message === event.message) return job;
      return changed(job, { phase: "queued", message: event.message, hint: event.hint }, nowMs);
    case "started":
      return job.phase === "running"
        ? job
        : changed(job, { phase: "running", message: undefined, hint: undefined }, nowMs);
    case "partition_completed":
      return changed(job, { completedCount: job.completedCount + 1 }, nowMs);
    case "image_found": {
      const image = learnImage(job.image, event.image);
      return image === job.image ? job : changed(job, { image }, nowMs);
    }
    case "partitions":
      return event.count <= (job.partitionCount ?? 0)
        ? job
        : changed(job, { partitionCount: event.count }, nowMs);
    case "rollout":
      return changed(job, { rollout: event.rollout }, nowMs);
    case "completed":
      return changed(
        job,
        { phase: "completed", code: undefined, message: undefined, hint: undefined },
        nowMs,
      );
    case "failed":
      return changed(
        job,
        { phase: "failed", code: event.code, message: event.message, hint: event.hint },
        nowMs,
      );
    case "stopped":
      return changed(
        job,
        { phase: "stopped", code: undefined, message: event.message, hint: undefined },
        nowMs,
      );
  }
}

/** The same job as a new version that has not begun: its history stays, its results count and its image is looked up anew. */
export function nextVersion(
  job: Job,
  spec: JobSpec,
  nowMs: number,
  rolledBack: Pick<Rollout, "rolledBackFrom" | "message"> = {},
): Job {
  const {
    code: _code,
    message: _message,
    hint: _hint,
    image: _image,
    partitionCount: _count,
    rollout,
    ...kept
  } = job;
  const goodVersion = rollout?.goodVersion;
  const begun = isEndless(spec.type) &&
    beginRollout(nowMs, { ...goodVersion && { goodVersion }, ...rolledBack });
  return changed(kept, {
    spec,
    version: job.version + 1,
    phase: "pending",
    completedCount: 0,
    ...begun && { rollout: begun },
  }, nowMs);
}

/** A version of a job without an end begins. */
export const beginRollout = (nowMs: number, before: Partial<Rollout> = {}): Rollout => ({
  ...before,
  state: "rolling",
  upCount: 0,
  sinceAtMs: nowMs,
});

/** Whether the tasks of two specs are the same, so that what runs of one may go on as the other's. */
export function hasSameTasks(one: JobSpec, other: JobSpec): boolean {
  const what = (
    { count: _c, priority: _p, labels: _l, meta: _m, retry: _r, update: _u, name: _n, ...rest }: JobSpec,
  ) => JSON.stringify(rest, sorted);
  return what(one) === what(other);
}

/** As JSON, whatever the order in which fields were set. */
const sorted = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
    : value;

function changed(job: Job, change: Partial<Job>, nowMs: number): Job {
  return { ...job, ...change, revision: job.revision + 1, modifiedAtMs: nowMs };
}
