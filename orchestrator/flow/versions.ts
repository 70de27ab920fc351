/** A job's next version: from a submission under its name, or a rerun. */
import { AppError } from "../../shared/errors.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import type { Trigger } from "../../shared/model/evaluation.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { EvaluationId, JobId } from "../../shared/model/ids.ts";
import { isEndless, type Job, JOB_TERMINAL, type JobSpec, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import { demandWithinBounds } from "../core/bounds.ts";
import { jobRerun } from "../core/events.ts";
import { nextVersion, step } from "../core/job.ts";
import { hashOfSpec, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { beginWait, clearDeadlines } from "./job_deadlines.ts";
import { adopted, wanted } from "./takeover.ts";

/** What versions are made with. */
export interface VersionOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
}

/** The job that has the name of the spec in its namespace, and whether it was submitted with just this spec. */
export function findSameName(
  store: Store,
  spec: JobSpec,
  specHash: string,
): JobRow & { readonly isSameSpec: boolean } | undefined {
  const same = spec.name === "" ? undefined : store.jobs.findByName(spec.name, spec.namespace);
  return same &&
    { ...same, isSameSpec: store.jobs.hashOfVersion(same.row, same.job.version) === specHash };
}

/**
 * Writes the job's new version, and makes it due: its time-outs begin anew. `keepsTasks`: what runs of a job without an end
 * goes on where the new version's tasks are the same. Inside the caller's transaction.
 */
export function writeVersion(
  { store, deadlines }: VersionOptions,
  { row, job }: JobRow,
  { specHash, trigger, event, keepsTasks }: {
    specHash: string;
    trigger: Trigger;
    event: HistoryEvent;
    keepsTasks: boolean;
  },
): EvaluationId {
  store.jobs.putVersion({ row, job }, specHash);
  store.record({ row, job }, event);
  if (keepsTasks && isEndless(job.spec.type)) adopt(store, { row, job });
  clearDeadlines(deadlines, job);
  beginTimeouts(deadlines, job);
  return store.evaluate({ row, job }, trigger) as EvaluationId;
}

/** What the namespace of a submission says to it. Errors: those of `demandWithinBounds`. */
export function demandNamespace(store: Store, spec: JobSpec, known: Job | undefined): void {
  demandWithinBounds(spec, {
    namespace: store.namespaces.find(spec.namespace),
    liveJobCount: () => {
      const isCounted = known !== undefined && !JOB_TERMINAL.has(known.phase);
      return store.namespaces.liveJobCount(spec.namespace) - Number(isCounted);
    },
  });
}

/** What runs already makes the new version run. */
function adopt(store: Store, { row, job }: JobRow): void {
  const { jobs, executions, projection } = store;
  const to = { jobVersion: job.version, priority: job.spec.priority };
  const kept = adopted(store, { row, next: job, running: wanted(store, row) });
  for (const execution of kept) projection.follow(execution, executions.adopt(execution, to));
  if (!kept.some(({ phase }) => phase === "running")) return;
  jobs.update({ row, job: step(job, { kind: "started" }, job.modifiedAtMs) });
}

/** The time-outs of a version that begins. Inside the caller's transaction. */
export function beginTimeouts(deadlines: Deadlines, job: Job): void {
  const { totalMs } = job.spec.task.timeouts;
  if (totalMs > 0) deadlines.set(job.id, "total", totalMs);
  if (isEndless(job.spec.type)) {
    deadlines.set(job.id, "progress", (job.spec.update ?? UPDATE_DEFAULT).progressMs);
  }
  beginWait(deadlines, job);
}

/**
 * Runs an earlier version once more, as a new one. Errors: `not_found`, `conflict` while it has not begun, and what new work is
 * refused for.
 */
export function rerunJob(
  options: VersionOptions & { nudgeTurn: () => void; refuses: () => AppError | undefined },
  { id, version, reason }: { id: JobId; version?: number; reason: string },
): { evaluationId: EvaluationId; version: number } {
  const { store, nudgeTurn } = options;
  const refusal = options.refuses();
  if (refusal !== undefined) throw refusal;
  const found = store.jobs.find(id);
  if (found === undefined) throw new AppError("not_found", `job not found: ${id}`);
  const { row, job } = found;
  if (job.phase === "pending" || job.phase === "queued") {
    throw new AppError("conflict", `cannot rerun job in state ${job.phase}`, {
      hint: `Version ${job.version} has not begun: look at it with "skerry job describe ${id}"`,
    });
  }
  const spec = store.jobs.findVersion(row, version ?? job.version);
  if (spec === undefined) {
    throw new AppError("not_found", `job version not found: ${id} version ${version}`, {
      hint: `"skerry job versions ${id}" lists its versions`,
    });
  }
  demandNamespace(store, spec, job);
  const next = nextVersion(job, spec, store.nowMs());
  const evaluationId = store.transaction(() =>
    writeVersion(options, { row, job: next }, {
      specHash: hashOfSpec(spec),
      trigger: "job_rerun",
      event: jobRerun(reason),
      keepsTasks: false,
    })
  );
  nudgeTurn();
  return { evaluationId, version: next.version };
}
