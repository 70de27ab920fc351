/** The queue time-out: runs while something of a job waits, and begins anew when something waits again. */
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { hasNotBegun } from "../../shared/model/execution.ts";
import type { Job } from "../../shared/model/job.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

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

/** Whether a partition has no place yet, or stands in the queue of a node. */
export function isWaiting(store: Store, { row, job }: JobRow): boolean {
  if (store.evaluations.find(row) !== undefined) return true;
  const { open, nextPartition } = store.executions.openOf(row, job.version);
  return nextPartition < job.spec.count || open.some(({ phase }) => hasNotBegun(phase));
}
