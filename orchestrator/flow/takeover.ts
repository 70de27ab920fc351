/** What becomes of a job's executions when a submission makes its next version: what goes on, and what makes way. */
import type { Execution } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, type Job, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import { subtract } from "../../shared/model/resources.ts";
import { hasSameTasks } from "../core/job.ts";
import type { NodeView } from "../core/node.ts";
import type { OpenExecution } from "../core/plan.ts";
import type { Slot } from "../core/place.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { type Having, NOTHING_YET, planOf } from "./look.ts";

/** What the new version has to be placed, and what it finds. */
export interface Takeover {
  readonly slots: readonly Slot[];
  /** The first partition that nothing has. */
  readonly nextPartition: number;
  /** Nodes as the slots will find them. */
  readonly views: readonly NodeView[];
  /** Executions that make way. */
  readonly going: readonly Execution[];
  /** Executions that go on as the new version's, as their task is the same. */
  readonly staying: readonly Execution[];
  /** Those that go do so place by place, so many at a time; undefined: all at once. */
  readonly maxParallel?: number;
}

/** A job that is new. */
export function begin(store: Store, job: Job): Takeover {
  const views = [...store.projection.nodes];
  const { slots } = planOf(job, { ...NOTHING_YET, nodes: views, nowMs: store.nowMs() });
  return { slots, nextPartition: 0, views, going: [], staying: [] };
}

/** The next version of one that is there. Of a job without an end it is what comes of it when all places have followed. */
export function takeOver(
  store: Store,
  { row, next, isForced }: { row: JobRow["row"]; next: Job; isForced: boolean },
): Takeover {
  const live = wanted(store, row);
  // Others begin anew while what runs ends: it holds its room until then.
  if (!isEndless(next.spec.type)) return { ...begin(store, next), going: live };
  const kept = isForced ? [] : adopted(store, { row, next, running: live });
  const open = kept.map(toOpen);
  const having: Having = { ...NOTHING_YET, open, nextPartition: nextOf(open) };
  const nodes = store.projection.nodes;
  const { slots, stops } = planOf(next, { ...having, nodes, nowMs: store.nowMs() });
  const surplus = new Set(stops.map(({ id }) => id));
  const keptIds = new Set(kept.map(({ id }) => id));
  const going = live.filter(({ id }) => !keptIds.has(id) || surplus.has(id));
  const { maxParallel } = next.spec.update ?? UPDATE_DEFAULT;
  return {
    ...{ slots, nextPartition: having.nextPartition, going, maxParallel },
    staying: kept.filter(({ id }) => !surplus.has(id)),
    views: withRoomOf(store, going),
  };
}

/** What should run of a job. */
export const wanted = ({ executions }: Store, row: number): readonly Execution[] =>
  executions.liveOf(row).filter(({ desired }) => desired === "run");

/** Of what runs of a job without an end, what goes on as its next version's: what has the same task, of whatever version. */
export function adopted(
  { jobs }: Store,
  { row, next, running }: { row: number; next: Job; running: readonly Execution[] },
): readonly Execution[] {
  const same = new Set(
    [...new Set(running.map(({ jobVersion }) => jobVersion))].filter((version) => {
      const spec = jobs.findVersion(row, version);
      return spec !== undefined && hasSameTasks(spec, next.spec);
    }),
  );
  const all = running.filter(({ jobVersion }) => same.has(jobVersion));
  return isPerNode(next.spec.type) ? numberedOnce(all) : all;
}

/**
 * Of those with the same number the newest version's: each version numbers its nodes anew, and a program knows its number. The
 * others follow at their turn.
 */
function numberedOnce(executions: readonly Execution[]): readonly Execution[] {
  const newest = new Map<number, Execution>();
  for (const one of executions) {
    const other = newest.get(one.partition);
    if (other === undefined || other.jobVersion < one.jobVersion) newest.set(one.partition, one);
  }
  return executions.filter((one) => newest.get(one.partition) === one);
}

const nextOf = (open: readonly OpenExecution[]): number =>
  open.reduce((next, { partition }) => Math.max(next, partition + 1), 0);

const toOpen = (execution: Execution): OpenExecution => ({
  ...{ id: execution.id, nodeId: execution.nodeId, partition: execution.partition },
  ...{ attempt: execution.attempt, phase: execution.phase, desired: execution.desired },
  ...{ createdAtMs: 0, modifiedAtMs: 0, isSuperseded: false },
  health: execution.health?.status,
  restarts: execution.restarts,
});

/** A place is free before its next execution comes. */
function withRoomOf({ projection }: Store, going: readonly Execution[]): readonly NodeView[] {
  const freed = new Map<NodeId, NodeView>();
  for (const { nodeId, resources, hostPorts } of going) {
    const view = freed.get(nodeId) ?? projection.find(nodeId);
    if (view === undefined) continue;
    freed.set(nodeId, {
      ...view,
      allocated: subtract(view.allocated, resources),
      hostPorts: view.hostPorts?.filter((port) => hostPorts?.includes(port) !== true),
    });
  }
  return projection.nodes.map((view) => freed.get(view.node.facts.id) ?? view);
}
