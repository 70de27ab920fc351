/** `/orchestrator/jobs/{id}/executions` */
import { z } from "zod";
import type { Execution } from "../../shared/model/execution.ts";
import type { Job } from "../../shared/model/job.ts";
import type { ExecutionQuery } from "../store/queries.ts";
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import { jobOf, LIMIT_DEFAULT } from "./lookup.ts";
import { AnyText, Flag, JobVersion, Limit, OrderBy, readQuery } from "./queries.ts";
import * as shapes from "./shapes.ts";
import { formatExecution } from "./wire.ts";

const ListQuery = z.object({
  namespace: AnyText,
  limit: Limit,
  next_token: AnyText,
  order_by: OrderBy,
  reverse: Flag,
  job_version: JobVersion,
  all_job_versions: Flag,
});

/** The routes of executions. */
export function executionRoutes(door: Door, answers: Answers): Route[] {
  return [
    {
      method: "get",
      path: "/orchestrator/jobs/{id}/executions",
      tag: "executions",
      summary: "The executions of a job; of its latest version unless told",
      query: ListQuery,
      answer: shapes.Executions,
      handle: (call) => listExecutions(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/executions/{id}",
      tag: "executions",
      summary: "One execution, by id or the beginning of an id. Skerry's own",
      answer: shapes.ExecutionAnswer,
      handle: (call) => getExecution(door, answers, call),
    },
  ];
}

/** One page of a job's executions, in Bacalhau's shape. */
export function executionItems(door: Door, job: Job, query: ExecutionQuery) {
  const { items, next } = door.desk.queries.listExecutions(job.id, query);
  const nowMs = door.clock.wallMs();
  const taskName = job.spec.task.name;
  const format = (execution: Execution) => formatExecution(execution, { taskName, nowMs });
  return { NextToken: next ?? "", Items: items.map(format) };
}

function listExecutions(door: Door, answers: Answers, call: Call): Response {
  const query = readQuery(ListQuery, call.query);
  const job = jobOf(door, call, query.namespace);
  return answers.json(
    call,
    executionItems(door, job, {
      limit: query.limit || LIMIT_DEFAULT,
      cursor: query.next_token,
      isReversed: query.reverse ?? false,
      orderBy: query.order_by ?? "created",
      version: query.all_job_versions ? "all" : query.job_version || undefined,
    }),
  );
}

function getExecution(door: Door, answers: Answers, call: Call): Response {
  const execution = door.desk.queries.getExecution(call.params.id ?? "");
  const { spec } = door.desk.queries.getJob(execution.jobId);
  const nowMs = door.clock.wallMs();
  return answers.json(call, { Execution: formatExecution(execution, { taskName: spec.task.name, nowMs }) });
}
