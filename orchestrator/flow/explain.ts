/**
 * Says why a job waits or where it was put: what is due of it, where it stands among others, what each node would say to
 * it, and what became of its executions. Reads only. The job is read in one step; nodes are judged in steps of a few ms.
 */
import { type Clock, pause } from "../../shared/clock.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Execution, isLive } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import { type Job, JOB_TERMINAL } from "../../shared/model/job.ts";
import {
  judge,
  type NodeNotes,
  type NodeRefusal,
  type NodeVerdict,
  Tally,
  type VerdictGroup,
} from "../core/explain.ts";
import { type Need, needOf } from "../core/filters.ts";
import type { NodeView } from "../core/node.ts";
import type { Slot } from "../core/place.ts";
import { jobAt, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { type Behind, behindOf } from "./behind.ts";
import type { BusyNodes } from "./busy_nodes.ts";
import { having, planOf, roomInQuota } from "./look.ts";

/** What explaining looks at. */
export interface ExplainOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly busy: BusyNodes;
}

/** Which nodes are told one by one. */
export interface ExplainQuery {
  /** How many; 0: none. */
  readonly limit: number;
  /** Only nodes after this one, and nothing but nodes. */
  readonly after?: NodeId;
}

/** A job by its names. */
export interface NamedJob {
  readonly id: JobId;
  readonly name: string;
}

/** What has no node yet, and what it waits for. */
export interface Waiting {
  /** Unix ms. */
  readonly sinceMs: number;
  readonly slotCount: number;
  /** The first of them. */
  readonly partitions: readonly number[];
  /**
   * `due`: its turn comes at once. `blocked`: until room or a node appears. `over_quota`: until its namespace may hold more.
   * `pausing`: until a pause is over.
   */
  readonly status: "due" | "blocked" | "over_quota" | "pausing";
  readonly aheadCount: number;
  /** The first of those that are ahead. */
  readonly ahead: readonly NamedJob[];
  /** Until it is looked at again by the clock; undefined: by an event only. */
  readonly againInMs?: number;
  /** Until it fails because it has waited, or taken, too long. */
  readonly queueLeftMs?: number;
}

/** An execution with the node's name. */
export interface ExplainedExecution {
  readonly execution: Execution;
  readonly nodeName: string;
  /** Of one that waits on its node. */
  readonly behind?: Behind;
}

/** A node's verdict with what it is called, and how old what is known of it is. */
export interface ExplainedNode extends NodeVerdict {
  readonly name: string;
  /** Unix ms of its last sign of life. */
  readonly seenAtMs: number;
  /** It has refused for want of room: how long it is left alone. */
  readonly pauseLeftMs?: number;
}

/** Nodes by what they would say to one more execution. */
export interface NodeExplanation {
  readonly knownCount: number;
  /** Nodes that would take it, at once or into their queue. */
  readonly fitCount: number;
  readonly groups: readonly VerdictGroup[];
}

/** All that is told of a job. */
export interface JobExplanation {
  readonly job: Job;
  readonly waiting?: Waiting;
  readonly totalLeftMs?: number;
  readonly liveCount: number;
  readonly unsuccessfulCount: number;
  /** Live first, then those that ended without a result, the latest first, then completed ones. */
  readonly executions: readonly ExplainedExecution[];
  /** Absent on later pages. */
  readonly nodes?: NodeExplanation;
  readonly items: readonly ExplainedNode[];
  /** The last node told, when there are more. */
  readonly next?: NodeId;
}

/** Jobs ahead and partitions that are named. */
const NAMED_MAX = 5;
const PARTITIONS_MAX = 100;

interface Due {
  readonly slots: readonly Slot[];
  readonly having: ReadonlySet<NodeId>;
  readonly againInMs?: number;
  /** Why the namespace may hold no more of it; undefined: it may, or nothing is missing. */
  readonly overQuota?: string;
}

/** Errors: those of a job that is not there. */
export async function explainJob(
  options: ExplainOptions,
  { id, query }: { id: JobId; query: ExplainQuery },
): Promise<JobExplanation> {
  const { store } = options;
  const jobRow = store.jobs.find(id)!;
  const views = [...store.projection.nodes];
  const due = dueOf(options, jobRow);
  const told = tellJob(options, { jobRow, ...due });
  const need = needOf(jobRow.job.spec, jobRow.job.image);
  const { having, overQuota } = due;
  const notes = { refusals: refusalsOf(due.slots), having, overQuota };
  const { after, limit } = query;
  const from = after === undefined ? 0 : views.findIndex(({ node }) => node.facts.id > after);
  const shown = from < 0 ? [] : views.slice(from, from + limit);
  const items = shown.map((view) => tellNode(options, { need, view, notes }));
  const hasMore = from >= 0 && from + limit < views.length && limit > 0;
  const nodes = after === undefined ? await tallyNodes(store.clock, { need, views, notes }) : undefined;
  return { ...told, ...(nodes && { nodes }), items, ...(hasMore && { next: items.at(-1)!.nodeId }) };
}

/** What each node would say, by reason. Others have their turn between steps. */
export async function tallyNodes(
  clock: Clock,
  { need, views, notes }: { need: Need; views: readonly NodeView[]; notes: NodeNotes },
): Promise<NodeExplanation> {
  const tally = new Tally();
  for (let from = 0; from < views.length; from += LIMITS.nodesJudgedPerStep) {
    if (from > 0) await pause(clock, 0);
    for (const view of views.slice(from, from + LIMITS.nodesJudgedPerStep)) {
      tally.add(judge(need, view, notes));
    }
  }
  return {
    knownCount: views.length,
    fitCount: tally.count("fits") + tally.count("busy"),
    groups: tally.groups(LIMITS.reasonsShownMax),
  };
}

/** What is missing of the job by what is known now, and which nodes have what they get. */
function dueOf({ store }: ExplainOptions, jobRow: JobRow): Due {
  const { type } = jobRow.job.spec;
  if (JOB_TERMINAL.has(jobRow.job.phase)) return { slots: [], having: new Set() };
  const has = having(store, jobRow);
  const nodes = store.projection.nodes;
  const { slots, againInMs } = planOf(jobRow.job, { ...has, nodes, nowMs: store.nowMs() });
  const room = slots.length > 0 ? roomInQuota(store, jobRow.job) : undefined;
  const live = type === "daemon" ? has.open.filter(({ phase }) => isLive(phase)) : [];
  return {
    slots,
    having: new Set([...live.map(({ nodeId }) => nodeId), ...has.beenOn]),
    ...(againInMs !== undefined && { againInMs }),
    ...(room?.count === 0 && { overQuota: room.refusal!.message }),
  };
}

function tellJob(
  options: ExplainOptions,
  { jobRow, ...due }: Due & { jobRow: JobRow },
): Omit<JobExplanation, "nodes" | "items" | "next"> {
  const { store, deadlines } = options;
  const { row, job } = jobRow;
  const counts = store.executions.countsOf(row, job.version);
  const some = store.executions.someOf(row, {
    jobVersion: job.version,
    limit: LIMITS.executionsExplainedMax,
    hasCompleted: job.completedCount > 0,
  });
  const isWaiting = due.slots.length > 0 || due.againInMs !== undefined;
  const waiting = isWaiting ? tellWaiting(options, { jobRow, ...due }) : undefined;
  const totalLeftMs = deadlines.remainingMs(job.id, "total");
  const behind = behindOf(store, some.live);
  return {
    job,
    ...(waiting && { waiting }),
    ...(totalLeftMs !== undefined && { totalLeftMs }),
    liveCount: counts.live,
    unsuccessfulCount: counts.unsuccessful,
    executions: [...some.live, ...some.unsuccessful, ...some.completed].map((execution) => ({
      execution,
      nodeName: nameOf(store.projection.find(execution.nodeId)),
      behind: behind.get(execution.id),
    })),
  };
}

function tellWaiting(
  { store, deadlines }: ExplainOptions,
  { jobRow: { row, job }, slots, againInMs, overQuota }: Due & { jobRow: JobRow },
): Waiting {
  const standing = store.waiting.standing(row, NAMED_MAX);
  const ahead = (standing?.ahead ?? []).flatMap((other) => {
    const found = store.damaged.read(jobAt(other), () => store.jobs.get(other));
    return found === undefined ? [] : [{ id: found.job.id, name: found.job.spec.name }];
  });
  const queueLeftMs = deadlines.remainingMs(job.id, "queue");
  const { status = "due" } = standing ?? {};
  return {
    sinceMs: store.evaluations.since(row) ?? job.modifiedAtMs,
    slotCount: slots.length,
    partitions: slots.slice(0, PARTITIONS_MAX).map(({ partition }) => partition),
    status: slots.length === 0 ? "pausing" : status === "due" || !overQuota ? status : "over_quota",
    aheadCount: standing?.aheadCount ?? 0,
    ahead,
    ...(againInMs !== undefined && { againInMs }),
    ...(queueLeftMs !== undefined && { queueLeftMs }),
  };
}

/** Nodes that have refused every partition that has no place. */
function refusalsOf(slots: readonly Slot[]): ReadonlyMap<NodeId, NodeRefusal> {
  const [first, ...others] = slots;
  const everywhere = (first?.excluded ?? []).filter(({ nodeId }) =>
    others.every(({ excluded }) => excluded.some((one) => one.nodeId === nodeId))
  );
  return new Map(everywhere.map(({ nodeId, ...refusal }) => [nodeId, refusal]));
}

function tellNode(
  { busy }: ExplainOptions,
  { need, view, notes }: { need: Need; view: NodeView; notes: NodeNotes },
): ExplainedNode {
  const { id } = view.node.facts;
  const pauseLeftMs = busy.pauseLeftMs(id);
  return {
    ...judge(need, view, notes),
    name: nameOf(view),
    seenAtMs: view.node.seenAtMs,
    ...(pauseLeftMs !== undefined && { pauseLeftMs }),
  };
}

/** What people call the node; empty when nothing. */
export const nameOf = (view: NodeView | undefined): string =>
  view?.node.facts.labels.name ?? view?.node.facts.labels.hostname ?? "";
