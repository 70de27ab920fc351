/**
 * Says what a submission would change and where it would go: admission, reconcile and placement as they are, on nodes as
 * they stand. Nothing is written, and nothing is kept: what comes meanwhile may change the answer.
 */
import { hostPortsOf } from "../../shared/model/port.ts";
import { pause } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import { isPerNode, type Job, type JobSpec } from "../../shared/model/job.ts";
import { add } from "../../shared/model/resources.ts";
import { admit } from "../core/admit.ts";
import { judge, NO_NOTES, type NodeNotes, type NodeVerdict } from "../core/explain.ts";
import { needOf } from "../core/filters.ts";
import type { NodeView } from "../core/node.ts";
import { place, type Placement, type PlaceResult, type Slot } from "../core/place.ts";
import { placePinned } from "../core/place_pinned.ts";
import type { Refusal } from "../core/refusal.ts";
import { hashOfSpec, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { groupKey } from "../store/waiting.ts";
import type { Submission } from "./desk.ts";
import { nameOf, type NodeExplanation, tallyNodes } from "./explain.ts";
import type { KeepContents } from "./keep_contents.ts";
import { roomInQuota } from "./look.ts";
import { begin, type Takeover, takeOver } from "./takeover.ts";
import { demandNamespace, findSameName } from "./versions.ts";

/** What planning looks at. */
export interface PlanOptions {
  readonly store: Store;
  readonly keepContents: KeepContents;
  readonly refuses: () => AppError | undefined;
}

/** Where an execution would go. */
export interface PlannedPlace {
  readonly placement: Placement;
  readonly nodeName: string;
  /** The node as this execution would find it. */
  readonly verdict: NodeVerdict;
}

/** What would find no place. */
export interface Unplaced {
  readonly count: number;
  readonly refusal: Refusal;
  /** The job would fail at once, instead of waiting. */
  readonly wouldFail: boolean;
  /** They would not even be looked at: others that ask for the same wait already. */
  readonly isBehindOthers: boolean;
}

/** What would come of a submission. */
export interface SubmissionPlan {
  /** `none`: the job is there already with the same specification. */
  readonly action: "create" | "update" | "none";
  /** The job of that name as it is. */
  readonly known?: Job;
  /** The version that it would be, or is. */
  readonly version: number;
  readonly slotCount: number;
  readonly places: readonly PlannedPlace[];
  /** Executions beyond the bound of a plan: nobody looked where they would go. */
  readonly untriedCount: number;
  readonly unplaced?: Unplaced;
  /** Executions that go on as the new version's, as their task is the same. */
  readonly stayCount: number;
  /** Of a job without an end: what makes way does so place by place, so many at a time. */
  readonly maxParallel?: number;
  /** Executions that would make way: the first of them. */
  readonly stops: readonly { readonly execution: Execution; readonly nodeName: string }[];
  readonly stopCount: number;
  /** What each node would say to one more, once all of this was placed. Absent when nothing would change. */
  readonly nodes?: NodeExplanation;
}

/** Stands for the id that a new job would get. */
const NO_ID = "" as JobId;

/** Errors: those of the submission, but for `no_changes`, which is an answer here. */
export async function planSubmission(
  options: PlanOptions,
  { spec, contents, isForced = false }: Submission,
): Promise<SubmissionPlan> {
  const { store, keepContents } = options;
  const refusal = options.refuses();
  if (refusal !== undefined) throw refusal;
  await keepContents.demand({ spec, contents });
  const same = findSameName(store, spec, hashOfSpec(spec));
  const job = admitted(store, spec, { same, isForced });
  if (job === undefined) {
    const { version } = same!.job;
    return {
      ...{ action: "none", known: same!.job, version, slotCount: 0 },
      ...{ places: [], untriedCount: 0, stops: [], stopCount: 0, stayCount: 0 },
    };
  }
  const takeover = same === undefined
    ? begin(store, job)
    : takeOver(store, { row: same.row, next: job, isForced });
  const { slots, going, staying, maxParallel } = takeover;
  const { after, ...placed } = await placeAll(options, { job, jobRow: same?.row, takeover });
  const room = roomInQuota(store, job);
  const notes = {
    ...notesOf([...placed.places.map(({ placement }) => placement), ...staying], spec),
    ...(room.count <= placed.places.length && { overQuota: room.refusal!.message }),
  };
  return {
    ...(same === undefined ? { action: "create" as const } : { action: "update" as const, known: same.job }),
    ...{ version: job.version, slotCount: slots.length, stayCount: staying.length, stopCount: going.length },
    ...(maxParallel !== undefined && { maxParallel }),
    stops: going.slice(0, LIMITS.executionsExplainedMax).map((execution) => ({
      execution,
      nodeName: nameOf(store.projection.find(execution.nodeId)),
    })),
    ...placed,
    nodes: await tallyNodes(store.clock, { need: needOf(spec, job.image), views: after, notes }),
  };
}

/** Undefined: nothing would change. */
function admitted(
  store: Store,
  spec: JobSpec,
  { same, isForced }: { same: JobRow & { isSameSpec: boolean } | undefined; isForced: boolean },
): Job | undefined {
  try {
    const job = admit({ spec, id: NO_ID, nowMs: store.nowMs(), sameName: same, isForced });
    demandNamespace(store, spec, same?.job);
    return job;
  } catch (error) {
    if (error instanceof AppError && error.code === "no_changes") return undefined;
    throw error;
  }
}

/** Chunk by chunk, as scheduling does it: each finds the nodes as the one before would leave them. */
async function placeAll(
  { store }: PlanOptions,
  { job, jobRow, takeover: { slots, views, staying, nextPartition: firstFree } }: {
    job: Job;
    jobRow: number | undefined;
    takeover: Takeover;
  },
): Promise<Pick<SubmissionPlan, "places" | "untriedCount" | "unplaced"> & { after: readonly NodeView[] }> {
  const { spec } = job;
  const need = needOf(spec, job.image);
  const { priority, namespace } = spec;
  const waiter = { jobRow: jobRow ?? Number.MAX_SAFE_INTEGER, priority, namespace };
  const ahead = isPinned(spec, slots) ? undefined : store.waiting.aheadOf(waiter, groupKey(job));
  if (ahead !== undefined && slots.length > 0) {
    const unplaced = toUnplaced(spec, { slots, count: slots.length, refusal: ahead, isBehindOthers: true });
    return { places: [], untriedCount: 0, unplaced, after: views };
  }
  const nodes = new Map(views.map((view) => [view.node.facts.id, view]));
  const sameJob = new Map<NodeId, number>();
  for (const { nodeId } of staying) sameJob.set(nodeId, (sameJob.get(nodeId) ?? 0) + 1);
  const started = new Map<NodeId, number>();
  const places: PlannedPlace[] = [];
  let first: Refusal | undefined;
  let triedCount = 0;
  // One that may go anywhere and finds no place speaks for all that come after it.
  const quota = roomInQuota(store, job);
  while (triedCount < slots.length && (first === undefined || isPinned(spec, slots))) {
    if (triedCount >= LIMITS.plannedMax) break;
    if (places.length >= quota.count) {
      first ??= quota.refusal;
      triedCount = slots.length;
      break;
    }
    if (triedCount > 0) await pause(store.clock, 0);
    const chunkMax = Math.min(LIMITS.placementsPerPlan, quota.count - places.length);
    const chunk = slots.slice(triedCount, triedCount + chunkMax);
    const nextPartition = firstFree + places.length;
    const { placements, refusal } = placesFor(job, { slots: chunk, nextPartition, views: nodes, sameJob });
    for (const placement of placements) {
      const view = nodes.get(placement.nodeId)!;
      // What would start at once is not waited for.
      const startedCount = started.get(placement.nodeId) ?? 0;
      const verdict = judge(need, { ...view, waitingCount: view.waitingCount - startedCount });
      if (verdict.verdict === "fits") started.set(placement.nodeId, startedCount + 1);
      places.push({ placement, nodeName: nameOf(view), verdict });
      nodes.set(placement.nodeId, withOneMore(view, spec));
      sameJob.set(placement.nodeId, (sameJob.get(placement.nodeId) ?? 0) + 1);
    }
    first ??= refusal;
    triedCount = refusal === undefined || isPinned(spec, slots) ? triedCount + chunk.length : slots.length;
  }
  const unplaced = first &&
    toUnplaced(spec, { slots, count: triedCount - places.length, refusal: first, isBehindOthers: false });
  return { places, untriedCount: slots.length - triedCount, unplaced, after: [...nodes.values()] };
}

/** Of a job with one execution for each node, those that would have it. */
const notesOf = (having: readonly { nodeId: NodeId }[], { type }: JobSpec): NodeNotes =>
  isPerNode(type) ? { ...NO_NOTES, having: new Set(having.map(({ nodeId }) => nodeId)) } : NO_NOTES;

const withOneMore = (view: NodeView, { task }: JobSpec): NodeView => ({
  ...view,
  allocated: add(view.allocated, task.resources),
  waitingCount: view.waitingCount + 1,
  hostPorts: [...view.hostPorts ?? [], ...hostPortsOf(task.network.ports)],
});

/** Scheduling lets a job fail that no known node could ever run, unless it was given time to wait for one. */
function toUnplaced(
  spec: JobSpec,
  { slots, ...unplaced }: Omit<Unplaced, "wouldFail"> & { slots: readonly Slot[] },
): Unplaced {
  const mayFail = !isPinned(spec, slots) && spec.task.timeouts.queueMs === 0;
  return { ...unplaced, wouldFail: mayFail && unplaced.refusal.isLasting };
}

/** Whether each of a plan's slots names its node: then each is placed, or waits, for itself. */
const isPinned = (
  { type }: JobSpec,
  slots: readonly Slot[],
): slots is readonly (Slot & { readonly nodeId: NodeId })[] =>
  isPerNode(type) && slots[0]?.nodeId !== undefined;

/** Where some of a plan's slots would go. */
function placesFor(
  { spec, image }: Job,
  { slots, nextPartition, views, sameJob }: {
    slots: readonly Slot[];
    nextPartition: number;
    views: ReadonlyMap<NodeId, NodeView>;
    sameJob: ReadonlyMap<NodeId, number>;
  },
): PlaceResult {
  const need = needOf(spec, image);
  if (isPinned(spec, slots)) {
    return placePinned({ need, slots, nextPartition, nodesKnown: views.size, find: (id) => views.get(id) });
  }
  return place({ need, spread: spec.spread, slots, nodes: [...views.values()], sameJob });
}
