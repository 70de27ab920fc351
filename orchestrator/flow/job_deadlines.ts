/**
 * What of a job has a time. The queue time-out runs while something of the job waits, and begins anew when something waits
 * again.
 */
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { isEndless, type Job } from "../../shared/model/job.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { onlyWaits } from "../core/keep_up.ts";
import { awayOf, having, nodesFor, planOf } from "./look.ts";

/**
 * Kinds of deadlines that a job may have: its time-outs, the end of a pause, and when a version must have
 * come further. None outlives it. */
const JOB_DEADLINES = ["total", "queue", "again", "progress"] as const;

/** Nothing of the job has a time any more. Inside the caller's transaction. */
export function clearDeadlines(deadlines: Deadlines, { id }: Job): void {
  for (const kind of JOB_DEADLINES) deadlines.clear(id, kind);
}

/** Something of the job waits: one that runs already keeps its time. Inside the caller's transaction. */
export function beginWait(deadlines: Deadlines, { id, spec }: Job): void {
  const { queueMs } = spec.task.timeouts;
  if (queueMs > 0) deadlines.set(id, "queue", queueMs);
}

/** The time ends once nothing of the job waits any more. Inside the caller's transaction. */
export function endWait(store: Store, deadlines: Deadlines, jobRow: JobRow): void {
  const { id, spec } = jobRow.job;
  if (spec.task.timeouts.queueMs > 0 && !isWaiting(store, jobRow)) deadlines.clear(id, "queue");
}

/** Whether a partition has no place yet, or stands in the queue of a node; of a job without an end, whether all do. */
export function isWaiting({ executions, evaluations, projection }: Store, { row, job }: JobRow): boolean {
  const { spec: { type, count }, version } = job;
  if (isEndless(type)) return !executions.hasAny("begun", { jobRow: row });
  if (type !== "ops" && evaluations.find(row) !== undefined) return true;
  if (executions.hasAny("waiting", { jobRow: row, jobVersion: version })) return true;
  const nextPartition = executions.nextPartition(row, version);
  if (type !== "ops") return nextPartition < count;
  const beenOn = executions.nodesOf(row, version);
  return nextPartition === 0 ||
    nodesFor(job, { nodes: projection.nodes, beenOn }).some((id) => !beenOn.has(id));
}

/** Whether what is missing of a version without an end has no place yet, or one that is not free yet, or stands in a node's queue. */
export function lacksRoom(store: Store, jobRow: JobRow): boolean {
  if (jobRow.job.phase === "queued") return true;
  const { nodes } = store.projection;
  const has = having(store, jobRow);
  const { slots } = planOf(jobRow.job, { ...has, nodes, nowMs: store.nowMs() });
  return onlyWaits({ ...has, slots, away: awayOf(nodes) });
}
