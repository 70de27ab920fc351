/** A user stops a job: the wish is recorded at once, the executions follow. */
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { AppError } from "../../shared/errors.ts";
import type { EvaluationId, JobId } from "../../shared/model/ids.ts";
import * as events from "../core/events.ts";
import { step } from "../core/job.ts";
import type { Store } from "../store/store.ts";
import { clearDeadlines } from "./job_deadlines.ts";

/** Errors: `not_found`; `conflict` when the job has completed or failed. No evaluation when it was stopped already. */
export function stopJob(
  options: { store: Store; deadlines: Deadlines; nudgeSchedule: () => void },
  { id, reason }: { id: JobId; reason: string },
): { evaluationId?: EvaluationId } {
  const { store, deadlines, nudgeSchedule } = options;
  const found = store.jobs.find(id);
  if (found === undefined) throw new AppError("not_found", `job not found: ${id}`);
  if (found.job.phase === "stopped") return {};
  if (found.job.phase === "completed" || found.job.phase === "failed") {
    throw new AppError(
      "conflict",
      `Cannot stop job ${id}: it must be unfinished, currently it is ${found.job.phase}`,
      {
        hint: `Look at it with "skerry job describe ${id}"`,
      },
    );
  }
  const evaluationId = store.transaction(() => {
    const job = step(found.job, { kind: "stopped", message: reason }, store.nowMs());
    const stopped = { row: found.row, job };
    store.jobs.update(stopped);
    store.record(stopped, events.jobStopRequested(reason));
    store.record(stopped, events.jobState("stopped", { message: reason }));
    clearDeadlines(deadlines, job);
    return store.evaluate(stopped, "job_stop");
  });
  nudgeSchedule();
  return { evaluationId: evaluationId as EvaluationId };
}
