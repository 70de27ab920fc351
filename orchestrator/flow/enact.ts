/** Carries out what a plan says: executions are made and stopped, jobs end; records, events and orders in one go. */
import { hostPortsOf } from "../../shared/model/port.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import type { Execution, Moving } from "../../shared/model/execution.ts";
import { type EvaluationId, newExecutionId } from "../../shared/model/ids.ts";
import { isPerNode, JOB_TERMINAL } from "../../shared/model/job.ts";
import * as events from "../core/events.ts";
import { step as stepExecution } from "../core/execution.ts";
import { type JobEvent, step as stepJob } from "../core/job.ts";
import type { Placement } from "../core/place.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { orderRun, orderStop, type Send } from "./dispatch.ts";
import { beginWait, clearDeadlines } from "./job_deadlines.ts";

/** What carrying out works on. */
export interface EnactOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly send: Send;
}

/** Everything here happens inside the caller's transaction. */
export class Enact {
  readonly #options: EnactOptions;

  constructor(options: EnactOptions) {
    this.#options = options;
  }

  /** Makes the executions that were placed; answers the job as it is now. */
  place(jobRow: JobRow, placements: readonly Placement[]): JobRow {
    if (placements.length === 0) return jobRow;
    const { store } = this.#options;
    const evaluationId = store.evaluations.find(jobRow.row)!.id as EvaluationId;
    for (const placement of placements) this.#make(jobRow, placement, evaluationId);
    if (!isPerNode(jobRow.job.spec.type)) return jobRow;
    const count = 1 + Math.max(...placements.map(({ slot }) => slot.partition));
    const job = stepJob(jobRow.job, { kind: "partitions", count }, store.nowMs());
    if (job === jobRow.job) return jobRow;
    const counted = { row: jobRow.row, job };
    store.jobs.update(counted);
    return counted;
  }

  #make(jobRow: JobRow, { slot, nodeId, explanation }: Placement, evaluationId: EvaluationId): void {
    const { store, send } = this.#options;
    const { job, row } = jobRow;
    const nowMs = store.nowMs();
    const hostPorts = hostPortsOf(job.spec.task.network.ports);
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
      ...(slot.streak && { streak: slot.streak }),
      resources: job.spec.task.resources,
      ...(job.spec.priority !== 0 && { priority: job.spec.priority }),
      ...((isPerNode(job.spec.type) || job.spec.retry.lostAttempts === 0) && { staysPut: true }),
      ...(hostPorts.length > 0 && { hostPorts }),
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
    orderRun(send, { job, execution, weight: store.namespaces.weightOf(execution.namespace) });
  }

  #linkPrevious(previousId: string, { id }: Execution): void {
    const { damaged, executions } = this.#options.store;
    const found = damaged.read(`execution ${previousId}`, () => executions.find(previousId)!);
    if (found === undefined) return;
    const { execution: previous } = found;
    executions.update({ ...previous, nextId: id, revision: previous.revision + 1 });
  }

  /** Orders the execution to stop; once is enough. `moving`: it is placed anew, at no cost of an attempt. */
  stop(jobRow: JobRow, id: string, message: string, moving?: Moving): void {
    const { store, send } = this.#options;
    const found = store.damaged.read(`execution ${id}`, () => store.executions.find(id)!);
    if (found === undefined) return;
    const { execution } = found;
    const stopped = stepExecution(execution, { kind: "stop_wanted", message, moving }, store.nowMs());
    if (stopped === execution) return;
    store.executions.update(stopped);
    store.projection.follow(execution, stopped);
    store.record(jobRow, events.executionStopped(message), {
      executionId: id,
      jobVersion: execution.jobVersion,
    });
    orderStop(send, stopped);
  }

  /** The job is over, unless it was. */
  end(jobRow: JobRow, event: JobEvent): void {
    const { store, deadlines } = this.#options;
    const ended = stepJob(jobRow.job, event, store.nowMs());
    if (ended === jobRow.job || !JOB_TERMINAL.has(ended.phase)) return;
    store.jobs.update({ row: jobRow.row, job: ended });
    store.record({ row: jobRow.row, job: ended }, events.jobState(ended.phase, ended));
    clearDeadlines(deadlines, ended);
  }
}
