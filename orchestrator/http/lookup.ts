/** How paths name jobs. */
import { AppError } from "../../shared/errors.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { Job } from "../../shared/model/job.ts";
import { quote } from "../../shared/spec/problems.ts";
import type { Call, Door } from "./door.ts";

/** Items of a list when the client names no number. */
export const LIMIT_DEFAULT = 100;

/** The job that a path names: by name in the namespace, by id, or by the beginning of an id. */
export function jobOf(door: Door, call: Call, namespace: string | undefined): Job {
  // A client that names none may send an empty one.
  const isNamed = namespace !== undefined && namespace !== "" && namespace !== "*";
  return door.desk.queries.getJob(call.params.id ?? "", isNamed ? namespace : undefined);
}

/** An execution of that job. Throws `not_found` when it is another job's. */
export function executionOf({ desk }: Door, job: Job, id: string): Execution {
  const execution = desk.queries.getExecution(id);
  if (execution.jobId === job.id) return execution;
  throw new AppError("not_found", `Cannot find execution ${quote(id)} in job ${quote(job.id)}`);
}
