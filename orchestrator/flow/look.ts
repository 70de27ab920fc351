/** What is due of a job by its rows: the pure plan, with what it was made from. Nothing is written. */
import type { NodeId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, type Job } from "../../shared/model/job.ts";
import { needOf } from "../core/filters.ts";
import type { NodeView } from "../core/node.ts";
import { matching } from "../core/place_pinned.ts";
import { type OpenExecution, type Plan, reconcile } from "../core/reconcile.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

/** What a job has. */
export interface Having {
  readonly open: readonly OpenExecution[];
  readonly nextPartition: number;
  /** Of `ops`: nodes where it has been. */
  readonly beenOn: ReadonlySet<NodeId>;
}

/** A version that has no execution yet. */
export const NOTHING_YET: Having = { open: [], nextPartition: 0, beenOn: new Set() };

/** What the job's latest version has. */
export function having({ executions }: Store, { row, job }: JobRow): Having {
  const { spec: { type }, version } = job;
  return {
    ...isEndless(type) ? executions.latestOf(row, version) : executions.openOf(row, version),
    beenOn: type === "ops" ? executions.nodesOf(row, version) : NOTHING_YET.beenOn,
  };
}

/** What is missing and what is too much, on these nodes. */
export function planOf(
  { spec, phase, completedCount, image }: Job,
  { nodes, ...rest }: Having & { nodes: readonly NodeView[]; nowMs: number },
): Plan {
  const { type, count, retry } = spec;
  return reconcile({
    type,
    count,
    retry,
    phase,
    completedCount,
    ...rest,
    nodes: nodesFor({ spec, image }, nodes),
  });
}

/** Nodes that a job with one execution for each node is for, in the order given; none for other types. */
export function nodesFor(
  { spec, image }: Pick<Job, "spec" | "image">,
  nodes: readonly NodeView[],
): readonly NodeId[] {
  return isPerNode(spec.type)
    ? matching(needOf(spec, image), nodes, { isEndless: isEndless(spec.type) })
    : [];
}
