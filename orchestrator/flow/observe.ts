/** OBSERVE: what agents report becomes state, and an evaluation where desired and observed differ. */
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { type Execution, hasNotBegun, isLive } from "../../shared/model/execution.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import { type NodeId, shortId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, JOB_TERMINAL } from "../../shared/model/job.ts";
import { type Node, NodeFacts } from "../../shared/model/node.ts";
import { Report } from "../../shared/model/report.ts";
import { type Entry, ExecutionHappened, type PeerId } from "../../shared/wire/messages.ts";
import { nodeOf } from "../../shared/wire/subjects.ts";
import * as events from "../core/events.ts";
import { step as stepExecution } from "../core/execution.ts";
import { isQueueFull, NOTHING_PLACED } from "../core/node.ts";
import { type JobEvent, step as stepJob } from "../core/job.ts";
import { STARTS_BY_ITSELF } from "../core/refusal.ts";
import { blame } from "../core/retry.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import type { BusyNodes } from "./busy_nodes.ts";
import { clearDeadlines, endWait } from "./job_deadlines.ts";

/** What observing works on. */
export interface ObserveOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly busy: BusyNodes;
  readonly nudgeSchedule: () => void;
}

/** Turns what agents say into state. */
export class Observe {
  readonly #options: ObserveOptions;

  constructor(options: ObserveOptions) {
    this.#options = options;
  }

  /** Applies one entry of an agent; inside sync's transaction. Total: what means nothing (any more) changes nothing. */
  apply(from: PeerId, entry: Entry): void {
    this.#options.store.damaged.read(entry.about, () => this.#applyOne(from, entry));
  }

  #applyOne(from: PeerId, entry: Entry): void {
    const nodeId = nodeOf(from) as NodeId;
    switch (entry.kind) {
      case "report":
        return this.#report(nodeId, Report.safeParse(entry.body).data, entry.ageMs);
      case "happened":
        return this.#happened(from, entry);
      case "node":
        return this.#node(nodeId, NodeFacts.safeParse(entry.body).data);
    }
  }

  #report(nodeId: NodeId, report: Report | undefined, ageMs: number): void {
    const { store } = this.#options;
    const found = report && store.executions.find(report.executionId);
    if (report === undefined || found === undefined || found.execution.nodeId !== nodeId) return;
    const { execution, jobRow: row } = found;
    const isPartitionTaken = report.phase === "completed" &&
      store.executions.isTaken({
        jobRow: row,
        jobVersion: execution.jobVersion,
        partition: execution.partition,
      });
    const after = stepExecution(
      execution,
      { kind: "reported", report, isPartitionTaken, ageMs },
      store.nowMs(),
    );
    if (after === execution) return;
    store.executions.update(after);
    this.#changeRoom({ before: execution, after });
    this.#follow(store.jobs.get(row), { before: execution, after });
  }

  /** What the change means to the node: also when the job cannot be read. */
  #changeRoom({ before, after }: { before: Execution; after: Execution }): void {
    const { projection } = this.#options.store;
    const wasFull = isQueueFull(projection.find(after.nodeId) ?? NOTHING_PLACED);
    projection.follow(before, after);
    const hasEnded = isLive(before.phase) && !isLive(after.phase);
    if (hasEnded && after.phase === "refused" && blame(after) === "busy") this.#options.busy.refused(after);
    const hasLeftFullQueue = wasFull && hasNotBegun(before.phase) && !hasNotBegun(after.phase);
    if (hasEnded || hasLeftFullQueue) {
      this.#options.store.waiting.roomFreed(after.nodeId, after.namespace);
      this.#nudge();
    }
  }

  /** What the change means to the job. */
  #follow(jobRow: JobRow, { before, after }: { before: Execution; after: Execution }): void {
    const { store } = this.#options;
    store.touch(jobRow.job);
    let current = jobRow;
    const { jobVersion } = after;
    if (jobVersion < jobRow.job.version) return this.#followOlder(jobRow, before, after);
    if (after.image !== undefined && after.image !== before.image) {
      current = this.#learnImage(current, after.image);
    }
    const isAtWork = !["placed", "queued", "refused", "lost"].includes(after.phase);
    if (isAtWork && !JOB_TERMINAL.has(current.job.phase) && current.job.phase !== "running") {
      current = this.#change(current, { kind: "started" }, events.jobState("running"));
    }
    if (isAtWork && hasNotBegun(before.phase)) endWait(store, this.#options.deadlines, current);
    const wasLost = before.phase === "lost";
    if (isLive(after.phase)) {
      if (after.phase === "queued") this.#waitsOnNode(current, after);
      // Its job may have ended meanwhile, or another may run in its place.
      if (wasLost || ((current.job.rollout?.state ?? "good") !== "good" && isNews(before, after))) {
        this.#evaluate(current);
      }
      return;
    }
    store.record(current, events.executionEnded(after), { executionId: after.id });
    if (after.phase === "completed") this.#completed(current, after, { wasLost });
    else this.#evaluate(current);
  }

  /** What a node found out about the image holds for every later attempt. */
  #learnImage(jobRow: JobRow, image: ImageFound): JobRow {
    const { store } = this.#options;
    const job = stepJob(jobRow.job, { kind: "image_found", image }, store.nowMs());
    if (job === jobRow.job) return jobRow;
    store.jobs.update({ row: jobRow.row, job });
    return { row: jobRow.row, job };
  }

  /** An execution of an earlier version: its end is history, and frees what it held, and its place for a version without an end. */
  #followOlder(jobRow: JobRow, before: Execution, after: Execution): void {
    const { store } = this.#options;
    if (before.phase === "lost" || (isEndless(jobRow.job.spec.type) && !isLive(after.phase))) {
      this.#evaluate(jobRow);
    }
    if (isLive(after.phase)) return;
    const { id, jobVersion } = after;
    store.record(jobRow, events.executionEnded(after), { executionId: id, jobVersion });
  }

  /** A job of which nothing runs yet says which node it waits for, unless something of it has not even a node. */
  #waitsOnNode(jobRow: JobRow, { nodeId }: Execution): void {
    const { store } = this.#options;
    const { phase, spec } = jobRow.job;
    // A job with one for each node stands by all the time.
    const isUnplaced = !isPerNode(spec.type) && store.evaluations.find(jobRow.row) !== undefined;
    if (phase === "running" || isUnplaced) return;
    const message = `an execution waits on node ${shortId(nodeId)} for room`;
    const hint = `${STARTS_BY_ITSELF} earlier work there has ended`;
    this.#change(jobRow, { kind: "waiting", message, hint, isAtWork: false }, events.jobQueued(message));
  }

  #completed(jobRow: JobRow, execution: Execution, { wasLost }: { wasLost: boolean }): void {
    if (execution.jobVersion !== jobRow.job.version) return;
    const isLast = jobRow.job.spec.type === "batch" && jobRow.job.completedCount + 1 >= jobRow.job.spec.count;
    const counted = stepJob(jobRow.job, { kind: "partition_completed" }, this.#options.store.nowMs());
    const current = { row: jobRow.row, job: counted };
    // After the end a late result is counted, and the end stays.
    if (!isLast || JOB_TERMINAL.has(counted.phase)) {
      this.#options.store.jobs.update(current);
      // The one that it replaced, or that replaced it, may still be at work; other types are over by their executions.
      if (
        execution.attempt > 0 || execution.nextId !== undefined || wasLost || jobRow.job.spec.type !== "batch"
      ) this.#evaluate(current);
      return;
    }
    // Nothing is left to plan: the end needs no evaluation, unless executions of it are still at work.
    const ended = this.#change(current, { kind: "completed" }, events.jobState("completed"));
    clearDeadlines(this.#options.deadlines, ended.job);
    if (this.#options.store.executions.mayRunOf(ended.row)) this.#evaluate(ended);
  }

  #evaluate(jobRow: JobRow): void {
    this.#options.store.evaluate(jobRow, "execution_ended");
    this.#nudge();
  }

  #nudge(): void {
    this.#options.store.database.afterCommit(this.#options.nudgeSchedule);
  }

  #change(jobRow: JobRow, event: JobEvent, told: Parameters<Store["record"]>[1]): JobRow {
    const { store } = this.#options;
    const job = stepJob(jobRow.job, event, store.nowMs());
    if (job === jobRow.job) return jobRow;
    const changed = { row: jobRow.row, job };
    store.jobs.update(changed);
    if (job.phase !== jobRow.job.phase) store.record(changed, told);
    return changed;
  }

  #happened(from: PeerId, entry: Entry): void {
    const { store } = this.#options;
    const happened = ExecutionHappened.safeParse(entry.body).data;
    const found = happened && store.executions.find(happened.executionId);
    if (happened === undefined || found === undefined) return;
    store.record(store.jobs.get(found.jobRow), happened.event, {
      executionId: happened.executionId,
      jobVersion: found.execution.jobVersion,
      ageMs: entry.ageMs,
      origin: from,
    });
  }

  #node(nodeId: NodeId, facts: NodeFacts | undefined): void {
    const { store } = this.#options;
    if (facts === undefined || facts.id !== nodeId) return;
    const nowMs = store.nowMs();
    const known = store.projection.find(nodeId)?.node;
    const node: Node = {
      membership: "approved",
      connection: "connected",
      connectedAtMs: nowMs,
      ...known,
      facts,
      seenAtMs: nowMs,
    };
    store.nodes.put(node);
    // Of one that is known this is followed; to sum it up looks through everything that lives.
    store.projection.putNode(node, known === undefined ? store.loads.placedOn(nodeId) : undefined);
    store.waiting.nodesChanged();
    this.#nudge();
  }
}

/** What a version that is on its way waits for. */
const isNews = (before: Execution, after: Execution): boolean =>
  before.phase !== after.phase || before.health?.status !== after.health?.status ||
  before.restarts !== after.restarts;
