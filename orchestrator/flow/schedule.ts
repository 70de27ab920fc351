/**
 * PLAN and PLACE: works on evaluations. A tick reads, decides and commits without an `await` in between; executions,
 * explanations and orders are one transaction. Bounded: what a tick leaves stays due.
 */
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Execution } from "../../shared/model/execution.ts";
import { isLive } from "../../shared/model/execution.ts";
import { type EvaluationId, newExecutionId, type NodeId } from "../../shared/model/ids.ts";
import { JOB_TERMINAL } from "../../shared/model/job.ts";
import * as events from "../core/events.ts";
import { step as stepExecution } from "../core/execution.ts";
import { needOf } from "../core/filters.ts";
import { type JobEvent, step as stepJob } from "../core/job.ts";
import { place, type Placement, type Slot } from "../core/place.ts";
import { type OpenExecution, reconcile } from "../core/reconcile.ts";
import type { Refusal } from "../core/refusal.ts";
import { jobAt, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { groupKey, type Waiter } from "../store/waiting.ts";
import { orderRun, orderStop, type Send } from "./dispatch.ts";
import { beginWait } from "./queue_deadline.ts";

/** What scheduling works on. */
export interface ScheduleOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly send: Send;
}

/** Why what is left of a job waits, and with whom. */
interface Wait {
  readonly key: string;
  readonly refusal: Refusal;
  /** Other executions of the job are live. */
  readonly isAtWork: boolean;
}

/** Plans and places. */
export class Schedule {
  readonly #options: ScheduleOptions;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Works on a bounded number of evaluations; answers whether more are due. */
  tick(): boolean {
    const { store } = this.#options;
    if (store.waiting.next() === undefined) return false;
    store.transaction(() => {
      let placedCount = 0;
      for (
        let count = 0;
        count < LIMITS.evaluationsPerTick && placedCount < LIMITS.placementsPerPlan;
        count++
      ) {
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
    const jobRow = store.jobs.get(waiter.jobRow);
    if (jobRow.job.version > 1) this.#stopOlderVersions(jobRow);
    const { open, nextPartition } = store.executions.openOf(jobRow.row, jobRow.job.version);
    const { spec, phase, completedCount } = jobRow.job;
    const plan = reconcile({
      type: spec.type,
      count: spec.count,
      retry: spec.retry,
      phase,
      nextPartition,
      completedCount,
      open,
    });
    for (const { id, message } of plan.stops) this.#stop(jobRow, id, message);
    if (plan.outcome !== undefined) {
      this.#end(jobRow, { kind: plan.outcome.phase, ...plan.outcome } as JobEvent);
    }
    if (plan.slots.length === 0) {
      this.#done(waiter);
      return 0;
    }
    return this.#placeSlots(jobRow, { waiter, slots: plan.slots, open, placementsMax });
  }

  /** What runs of an earlier version makes way. */
  #stopOlderVersions(jobRow: JobRow): void {
    for (const { id, jobVersion } of this.#options.store.executions.liveOf(jobRow.row)) {
      if (jobVersion < jobRow.job.version) this.#stop(jobRow, id, OLDER_VERSION);
    }
  }

  #placeSlots(
    jobRow: JobRow,
    options: {
      waiter: Waiter;
      slots: readonly Slot[];
      open: readonly OpenExecution[];
      placementsMax: number;
    },
  ): number {
    const { store } = this.#options;
    const { waiter, slots, open, placementsMax } = options;
    const { spec } = jobRow.job;
    const key = groupKey(spec);
    const ahead = store.waiting.aheadOf(waiter, key);
    if (ahead !== undefined) {
      this.#block(jobRow, waiter, { key, refusal: ahead, isAtWork: hasLive(open) });
      return 0;
    }
    const bounded = slots.slice(0, placementsMax);
    const { placements, refusal } = place({
      need: needOf(spec),
      spread: spec.spread,
      slots: bounded,
      nodes: store.projection.nodes,
      sameJob: countByNode(open),
    });
    const evaluationId = store.evaluations.find(jobRow.row)!.id as EvaluationId;
    for (const placement of placements) this.#make(jobRow, placement, evaluationId);
    const isAtWork = placements.length > 0 || hasLive(open);
    if (refusal !== undefined) this.#refuse(jobRow, waiter, { key, refusal, isAtWork });
    else if (bounded.length === slots.length) this.#done(waiter);
    return placements.length;
  }

  #make(jobRow: JobRow, { slot, nodeId, explanation }: Placement, evaluationId: EvaluationId): void {
    const { store, send } = this.#options;
    const { job, row } = jobRow;
    const nowMs = store.nowMs();
    const execution: Execution = {
      id: newExecutionId(store.ids),
      jobId: job.id,
      jobVersion: job.version,
      namespace: job.spec.namespace,
      nodeId,
      evaluationId,
      partition: slot.partition,
      attempt: slot.attempt,
      previousId: slot.previousId,
      resources: job.spec.task.resources,
      explanation,
      desired: "run",
      phase: "placed",
      reportRevision: 0,
      revision: 1,
      createdAtMs: nowMs,
      modifiedAtMs: nowMs,
    };
    store.executions.insert({ jobRow: row, execution });
    if (slot.attempt > 0) beginWait(this.#options.deadlines, job);
    if (slot.previousId !== undefined) this.#linkPrevious(slot.previousId, execution);
    store.projection.follow(undefined, execution);
    store.record(jobRow, events.executionRequested(nodeId, explanation), { executionId: execution.id });
    orderRun(send, job, execution);
  }

  #linkPrevious(previousId: string, { id }: Execution): void {
    const previous = this.#options.store.executions.find(previousId)!.execution;
    this.#options.store.executions.update({ ...previous, nextId: id, revision: previous.revision + 1 });
  }

  #stop(jobRow: JobRow, id: string, message: string): void {
    const { store, send } = this.#options;
    const found = store.damaged.read(`execution ${id}`, () => store.executions.find(id)!);
    if (found === undefined) return;
    const { execution } = found;
    const stopped = stepExecution(execution, { kind: "stop_wanted", message }, store.nowMs());
    if (stopped === execution) return;
    store.executions.update(stopped);
    store.record(jobRow, events.executionStopped(message), {
      executionId: id,
      jobVersion: execution.jobVersion,
    });
    orderStop(send, stopped);
  }

  /** No node ever, and no queue time-out: the job fails. Otherwise it waits, and says why. */
  #refuse(jobRow: JobRow, waiter: Waiter, wait: Wait): void {
    const { store } = this.#options;
    const { refusal } = wait;
    if (!refusal.isLasting || jobRow.job.spec.task.timeouts.queueMs > 0) {
      this.#block(jobRow, waiter, wait);
      return;
    }
    this.#end(jobRow, {
      kind: "failed",
      code: "not_enough_nodes",
      message: refusal.message,
      hint: refusal.hint,
    });
    // What already runs of it is stopped by the next evaluation, which finds the job ended.
    store.evaluate(jobRow, "job_stop");
  }

  #block(jobRow: JobRow, waiter: Waiter, { key, refusal, isAtWork }: Wait): void {
    const { store } = this.#options;
    const evaluation = store.evaluations.find(jobRow.row)!;
    if (evaluation.status !== "blocked") {
      store.evaluations.put({ ...evaluation, status: "blocked", nowMs: store.nowMs() });
    }
    store.waiting.putBlocked(waiter, key, refusal);
    beginWait(this.#options.deadlines, jobRow.job);
    const { message, hint } = refusal;
    const waiting = stepJob(jobRow.job, { kind: "waiting", message, hint, isAtWork }, store.nowMs());
    if (waiting === jobRow.job) return;
    store.jobs.update({ row: jobRow.row, job: waiting });
    store.record(jobRow, events.jobQueued(message));
  }

  #end(jobRow: JobRow, event: JobEvent): void {
    const { store, deadlines } = this.#options;
    const ended = stepJob(jobRow.job, event, store.nowMs());
    if (ended === jobRow.job || !JOB_TERMINAL.has(ended.phase)) return;
    store.jobs.update({ row: jobRow.row, job: ended });
    store.record({ row: jobRow.row, job: ended }, events.jobState(ended.phase, ended));
    for (const kind of ["total", "queue"]) deadlines.clear(ended.id, kind);
  }

  #done(waiter: Waiter): void {
    const { store } = this.#options;
    store.evaluations.delete(waiter.jobRow);
    store.waiting.remove(waiter.jobRow);
  }
}

const OLDER_VERSION = "Execution stop requested because job has been updated";

const hasLive = (open: readonly OpenExecution[]): boolean => open.some(({ phase }) => isLive(phase));

function countByNode(open: readonly OpenExecution[]): ReadonlyMap<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const { nodeId, phase } of open) {
    if (isLive(phase)) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
  }
  return counts;
}
