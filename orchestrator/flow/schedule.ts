/**
 * PLAN and PLACE: works on evaluations. A tick reads, decides and commits without an `await` in between; executions,
 * explanations and orders are one transaction. Bounded: what a tick leaves stays due.
 */
import { LIMITS } from "../../shared/limits.ts";
import { isLive } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, JOB_TERMINAL } from "../../shared/model/job.ts";
import * as events from "../core/events.ts";
import { turnMax } from "../core/fair.ts";
import { needOf } from "../core/filters.ts";
import { type JobEvent, step as stepJob } from "../core/job.ts";
import { OLDER_VERSION } from "../core/keep_up.ts";
import { place, type Placement, type Slot } from "../core/place.ts";
import { placePinned } from "../core/place_pinned.ts";
import type { OpenExecution, Plan } from "../core/plan.ts";
import { type Refusal, STARTS_BY_ITSELF } from "../core/refusal.ts";
import { jobAt, type JobRow } from "../store/jobs.ts";
import { type GroupKey, groupKey, quotaKey, type Waiter, type Wakes } from "../store/waiting.ts";
import type { Claim } from "../store/claims.ts";
import { Preempt, type Preempted, type PreemptionPolicy } from "./preempt.ts";
import { Enact, type EnactOptions } from "./enact.ts";
import { beginWait } from "./job_deadlines.ts";
import { type Having, having, planOf, roomInQuota } from "./look.ts";
import { failRollout, followRollout } from "./rollout.ts";

/** One job under evaluation. */
interface Case extends Having {
  readonly jobRow: JobRow;
  readonly waiter: Waiter;
  readonly plan: Plan;
  /** Room that was being made for it. */
  readonly had: readonly Claim[];
}

/** Why what is left of a job waits. */
interface Wait {
  readonly refusal: Refusal;
  /** Other executions of the job are live. */
  readonly isAtWork: boolean;
}

/** What scheduling works on. */
export interface ScheduleOptions extends EnactOptions {
  /** Absent: nobody makes way for others. */
  readonly preemption?: PreemptionPolicy;
}

/** Plans and places. */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #enact: Enact;
  readonly #preempt: Preempt | undefined;

  constructor(options: ScheduleOptions) {
    const { store, preemption } = options;
    this.#options = options;
    this.#enact = new Enact(options);
    this.#preempt = preemption && new Preempt({ store, enact: this.#enact, policy: preemption });
  }

  /** Works on a bounded number of evaluations, for a bounded time; answers whether more are due. */
  tick(): boolean {
    const { store } = this.#options;
    if (store.waiting.next() === undefined) return false;
    const untilMs = store.clock.uptimeMs() + LIMITS.planMs;
    store.transaction(() => {
      let placedCount = 0;
      for (let count = 0; count < LIMITS.evaluationsPerTick; count++) {
        if (placedCount >= LIMITS.placementsPerPlan) break;
        if (count > 0 && store.clock.uptimeMs() >= untilMs) break;
        const waiter = store.waiting.next();
        if (waiter === undefined) break;
        placedCount += this.#evaluateOne(waiter, LIMITS.placementsPerPlan - placedCount);
      }
    });
    return store.waiting.next() !== undefined;
  }

  #evaluateOne(waiter: Waiter, placementsMax: number): number {
    const { store } = this.#options;
    try {
      return this.#evaluate(waiter, placementsMax);
    } catch (error) {
      store.damaged.setAside(error, jobAt(waiter.jobRow));
      store.waiting.remove(waiter.jobRow);
      return 0;
    }
  }

  /** Answers how many executions it placed. */
  #evaluate(waiter: Waiter, placementsMax: number): number {
    const { store } = this.#options;
    const had = store.claims.take(waiter.jobRow);
    const placedCount = this.#evaluateWith(waiter, { placementsMax, had });
    // What it does not claim any more is there for others.
    if (had.length > 0 && !store.claims.has(waiter.jobRow)) store.waiting.nodesChanged();
    return placedCount;
  }

  #evaluateWith(
    stale: Waiter,
    { placementsMax, had }: { placementsMax: number; had: readonly Claim[] },
  ): number {
    const { store, deadlines } = this.#options;
    let jobRow = store.jobs.get(stale.jobRow);
    const { id, spec, version } = jobRow.job;
    // A new version may have another priority than the one that lined up.
    const waiter = { ...stale, priority: spec.priority };
    if (version > 1 && !isEndless(spec.type)) this.#stopOlderVersions(jobRow);
    const { nodes } = store.projection;
    const has = having(store, jobRow);
    const plan = planOf(jobRow.job, { ...has, nodes, nowMs: store.nowMs() });
    if (plan.rollout !== undefined) jobRow = followRollout(this.#options, jobRow, plan.rollout);
    // Another version has come in its place: that is due now.
    if (jobRow.job.version > version) return 0;
    for (const { id, message } of plan.stops) this.#enact.stop(jobRow, id, message);
    if (plan.outcome !== undefined) {
      this.#enact.end(jobRow, { kind: plan.outcome.phase, ...plan.outcome } as JobEvent);
    }
    deadlines.clear(id, "again");
    if (plan.againInMs !== undefined) deadlines.set(id, "again", plan.againInMs);
    const one = { jobRow, waiter, plan, had, ...has };
    if (plan.slots.length === 0) {
      this.#rest(one, new Set());
      return 0;
    }
    const isPinned = isPerNode(spec.type) && plan.slots[0]!.nodeId !== undefined;
    return isPinned ? this.#placePinned(one, placementsMax) : this.#placeAnywhere(one, placementsMax);
  }

  /** What runs of an earlier version makes way. */
  #stopOlderVersions(jobRow: JobRow): void {
    for (const { id, jobVersion } of this.#options.store.executions.liveOf(jobRow.row)) {
      if (jobVersion < jobRow.job.version) this.#enact.stop(jobRow, id, OLDER_VERSION);
    }
  }

  #placeAnywhere(one: Case, placementsMax: number): number {
    const { store } = this.#options;
    const { jobRow, waiter, plan, open } = one;
    const { spec } = jobRow.job;
    const key = groupKey(jobRow.job);
    const ahead = store.waiting.aheadOf(waiter, key);
    if (ahead !== undefined) {
      this.#block(one, { key, refusal: ahead, isAtWork: hasLive(open) });
      return 0;
    }
    const quota = roomInQuota(this.#options.store, jobRow.job);
    if (quota.count === 0) {
      this.#block(one, { key: quotaKey(jobRow.job), refusal: quota.refusal!, isAtWork: hasLive(open) });
      return 0;
    }
    const bounded = plan.slots.slice(0, Math.min(placementsMax, quota.count, this.#turnMax(one)));
    const found = place({
      need: needOf(spec, jobRow.job.image),
      spread: spec.spread,
      slots: bounded,
      nodes: store.projection.nodes,
      sameJob: countByNode(open),
      reserved: store.claims.reservedFor(waiter),
    });
    const { placements, refusal, againInMs }: Preempted =
      this.#preempt?.makeRoom({ jobRow, waiter, slots: bounded, found, had: one.had }) ?? found;
    if (againInMs !== undefined) this.#options.deadlines.set(jobRow.job.id, "again", againInMs);
    this.#enact.place(jobRow, placements);
    if (hasReplaced(jobRow, placements)) return placements.length;
    const isAtWork = placements.length > 0 || hasLive(open);
    if (refusal !== undefined) this.#refuse(one, { key, refusal, isAtWork });
    else if (bounded.length === plan.slots.length) this.#rest(one, new Set());
    return placements.length;
  }

  /** How many of a job are placed before it is the turn of another namespace. */
  #turnMax({ waiter, jobRow }: Case): number {
    const { waiting, shares } = this.#options.store;
    const { namespace, task } = jobRow.job.spec;
    return turnMax({
      share: shares.shareOf(namespace),
      step: shares.stepOf(namespace, task.resources),
      nextShare: waiting.nextShare(waiter),
    });
  }

  /** Each goes to the node that it names, or waits for it. */
  #placePinned(one: Case, placementsMax: number): number {
    const { projection } = this.#options.store;
    const { jobRow, plan, open, nextPartition } = one;
    const quota = roomInQuota(this.#options.store, jobRow.job);
    const { placements, refusal, waitsFor, beyondCount } = placePinned({
      need: needOf(jobRow.job.spec, jobRow.job.image),
      slots: plan.slots as (Slot & { nodeId: NodeId })[],
      nextPartition,
      placementsMax: Math.min(placementsMax, quota.count),
      reserved: this.#options.store.claims.reservedFor(one.waiter),
      nodesKnown: projection.nodes.length,
      find: (id) => projection.find(id),
    });
    const after = this.#enact.place(jobRow, placements);
    if (hasReplaced(after, placements)) return placements.length;
    // More than one plan may place: it stays due, and is sure to have come further.
    if (beyondCount > 0 && quota.count > placementsMax) return placements.length;
    const isBeyond = beyondCount > 0;
    const why = isBeyond ? quota.refusal : refusal;
    if (why !== undefined) {
      this.#showWaiting(after, { refusal: why, isAtWork: placements.length > 0 || hasLive(open) });
    }
    this.#rest(one, new Set(waitsFor), isBeyond ? jobRow.job.spec.namespace : undefined);
    return placements.length;
  }

  /** No node ever, and no queue time-out: the job fails. Otherwise it waits, and says why. */
  #refuse(one: Case, wait: Wait & { key: GroupKey }): void {
    const { store } = this.#options;
    const { jobRow } = one;
    const { spec, version, rollout } = jobRow.job;
    const { refusal } = wait;
    // A service that has run waits for a node for ever; one that could not even begin was asked for wrongly.
    const hasRun = isEndless(spec.type) &&
      (version > 1 || store.executions.nextPartition(jobRow.row, version) > 0);
    if (refusal.isLasting && rollout?.state === "rolling" && rollout.goodVersion !== undefined) {
      const after = failRollout(this.#options, jobRow, refusal.message);
      // Another version has come in its place: that is due now.
      if (after.job.version > version) return;
      return this.#block({ ...one, jobRow: after }, wait);
    }
    if (!refusal.isLasting || hasRun || spec.task.timeouts.queueMs > 0) {
      this.#block(one, wait);
      return;
    }
    this.#enact.end(jobRow, {
      kind: "failed",
      code: "not_enough_nodes",
      message: refusal.message,
      hint: refusal.hint,
    });
    // What already runs of it is stopped by the next evaluation, which finds the job ended.
    store.evaluate(jobRow, "job_stop");
  }

  #block({ jobRow, waiter }: Case, wait: Wait & { key: GroupKey }): void {
    this.#stay(jobRow);
    this.#options.store.waiting.putBlocked(waiter, wait.key, wait.refusal);
    this.#showWaiting(jobRow, wait);
  }

  /** Its evaluation stays: there is more to come. */
  #stay({ row }: JobRow): void {
    const { store } = this.#options;
    const evaluation = store.evaluations.find(row)!;
    if (evaluation.status === "blocked") return;
    store.evaluations.put({ ...evaluation, status: "blocked", nowMs: store.nowMs() });
  }

  #showWaiting({ row, job }: JobRow, { refusal, isAtWork }: Wait): void {
    const { store } = this.#options;
    beginWait(this.#options.deadlines, job);
    const { message, hint } = refusal;
    const waiting = stepJob(job, { kind: "waiting", message, hint, isAtWork }, store.nowMs());
    if (waiting === job) return;
    store.jobs.update({ row, job: waiting });
    store.record({ row, job: waiting }, events.jobQueued(message));
  }

  /**
   * Nothing more can be done now. What has one execution for each node looks again whenever nodes come or change, and when
   * there is room on one that it waits for; what pauses when its time has come.
   */
  #rest({ jobRow, waiter, plan, open }: Case, room: Wakes["room"], quotaOf?: string): void {
    const { store } = this.#options;
    const { job } = jobRow;
    const { type, count } = job.spec;
    const nodes = isPerNode(type);
    const isPausing = plan.againInMs !== undefined || (type === "service" && count === 0);
    const isOver = JOB_TERMINAL.has(job.phase) || plan.outcome !== undefined;
    if (isOver || !(nodes || isPausing)) return this.#done(waiter);
    this.#stay(jobRow);
    store.waiting.standBy(waiter, { nodes, room, ...(quotaOf !== undefined && { quotaOf }) });
    const isWaiting = room.size > 0 || quotaOf !== undefined || plan.againInMs !== undefined;
    store.evaluations.noteWaiting(jobRow.row, { isWaiting, nowMs: store.nowMs() });
    const hasNoNode = type === "daemon" && open.length === 0 && plan.slots.length === 0;
    if (hasNoNode) this.#showWaiting(jobRow, { refusal: NO_NODE_YET, isAtWork: false });
  }

  #done(waiter: Waiter): void {
    const { store } = this.#options;
    store.evaluations.delete(waiter.jobRow);
    store.waiting.remove(waiter.jobRow);
  }
}

const NO_NODE_YET: Refusal = {
  isLasting: false,
  message: "no node matches the daemon yet",
  hint: `${STARTS_BY_ITSELF} one joins that does`,
};

const hasLive = (open: readonly OpenExecution[]): boolean => open.some(({ phase }) => isLive(phase));

/** What was lost of a job without an end has successors: it is due, so that the next look tells the lost ones to stop. */
const hasReplaced = ({ job }: JobRow, placements: readonly Placement[]): boolean =>
  isEndless(job.spec.type) && placements.some(({ slot }) => slot.previousId !== undefined);

function countByNode(open: readonly OpenExecution[]): ReadonlyMap<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const { nodeId, phase } of open) {
    if (isLive(phase)) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  }
  return counts;
}
