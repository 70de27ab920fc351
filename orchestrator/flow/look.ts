/** What is due of a job by its rows: the pure plan, with what it was made from. Nothing is written. */
import type { NodeId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, type Job, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import { needOf } from "../core/filters.ts";
import type { NodeView } from "../core/node.ts";
import { matching } from "../core/place_pinned.ts";
import { type QuotaRoom, quotaRoom } from "../core/quota.ts";
import { reconcile } from "../core/reconcile.ts";
import type { OpenExecution, Plan, ReconcileInput } from "../core/plan.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

/** What a job has. */
export interface Having {
  readonly open: readonly OpenExecution[];
  readonly nextPartition: number;
  /** Of `ops`: nodes where it has been. */
  readonly beenOn: ReadonlySet<NodeId>;
  /** Of jobs without an end: what may run of earlier versions. */
  readonly older: readonly OpenExecution[];
  /** Of those: places that earlier versions have left. */
  readonly vacated: ReconcileInput["vacated"];
}

/** A version that has no execution yet. */
export const NOTHING_YET: Having = { open: [], nextPartition: 0, beenOn: new Set(), older: [], vacated: [] };

/** What the job's latest version has. */
export function having({ executions }: Store, { row, job }: JobRow): Having {
  const { spec: { type }, version, rollout } = job;
  return {
    ...isEndless(type) ? executions.latestOf(row, version) : executions.openOf(row, version),
    vacated: rollout?.state === "rolling" && version > 1 ? executions.vacatedOf(row, version) : [],
    older: isEndless(type) && version > 1 ? executions.olderOf(row, version) : [],
    beenOn: type === "ops" ? executions.nodesOf(row, version) : NOTHING_YET.beenOn,
  };
}

/** What is missing and what is too much, on these nodes. */
export function planOf(
  { spec, phase, completedCount, image, rollout }: Job,
  { nodes, ...rest }: Having & { nodes: readonly NodeView[]; nowMs: number },
): Plan {
  const { type, count, retry, update = UPDATE_DEFAULT } = spec;
  return reconcile({
    type,
    count,
    retry,
    update,
    phase,
    completedCount,
    ...rest,
    nodes: nodesFor({ spec, image }, { nodes, beenOn: rest.beenOn }),
    away: isEndless(type) ? awayOf(nodes) : NOTHING_YET.beenOn,
    closed: isEndless(type) ? closedOf(nodes) : NOTHING_YET.beenOn,
    isRolling: rollout?.state === "rolling",
    isHalted: rollout?.state === "failed",
  });
}

/** Nodes that are not connected. */
export const awayOf = (nodes: readonly NodeView[]): ReadonlySet<NodeId> =>
  new Set(nodes.filter(({ node }) => node.connection !== "connected").map(({ node }) => node.facts.id));

const closedOf = (nodes: readonly NodeView[]): ReadonlySet<NodeId> =>
  new Set(nodes.filter(({ node }) => node.drain !== undefined).map(({ node }) => node.facts.id));

/** Nodes that a job with one execution for each node is for, in the order given; none for other types. */
export function nodesFor(
  { spec, image }: Pick<Job, "spec" | "image">,
  { nodes, beenOn }: { nodes: readonly NodeView[]; beenOn: ReadonlySet<NodeId> },
): readonly NodeId[] {
  return isPerNode(spec.type)
    ? matching(needOf(spec, image), nodes, { isEndless: isEndless(spec.type), beenOn })
    : [];
}

/** How much more of a job its namespace may hold. */
export const roomInQuota = (
  { namespaces, projection: { accounts } }: Store,
  { spec: { namespace, task } }: Pick<Job, "spec">,
): QuotaRoom =>
  quotaRoom(namespaces.find(namespace), { held: accounts.heldBy(namespace), need: task.resources });
