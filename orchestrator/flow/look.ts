/** What is due of a job by its rows: the pure plan, with what it was made from. Nothing is written. */
import type { Job } from "../../shared/model/job.ts";
import type { NodeView } from "../core/node.ts";
import { type OpenExecution, type Plan, reconcile } from "../core/reconcile.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

/** What a job has. */
export interface Having {
  readonly open: readonly OpenExecution[];
  readonly nextPartition: number;
}

/** A version that has no execution yet. */
export const NOTHING_YET: Having = { open: [], nextPartition: 0 };

/** A plan, and when a pause before another start is over. */
export type Due = Plan & { readonly againInMs?: number };

/** What the job's latest version has. */
export function having(store: Store, { row, job }: JobRow): Having {
  return store.executions.openOf(row, job.version);
}

/** What is missing and what is too much, on these nodes. */
export function planOf(
  { spec, phase, completedCount }: Job,
  { open, nextPartition }: Having & { nodes: readonly NodeView[]; nowMs: number },
): Due {
  const { type, count, retry } = spec;
  return reconcile({ type, count, retry, phase, nextPartition, completedCount, open });
}
