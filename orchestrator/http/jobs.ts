/** `/orchestrator/jobs`: submit, read, list, stop. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { Constraint } from "../../shared/model/constraint.ts";
import { isSettled, type Job, type JobSpec } from "../../shared/model/job.ts";
import { formatJob, formatSpec } from "../../shared/spec/format_job.ts";
import { type ParsedJob, parseJob } from "../../shared/spec/parse_job.ts";
import { quote } from "../../shared/spec/problems.ts";
import { parseSelector } from "../../shared/spec/selector.ts";
import { whyNoName } from "../../shared/spec/texts.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import { diffTexts } from "./diff.ts";
import type { Call, Door, Route } from "./door.ts";
import { executionItems } from "./executions.ts";
import { historyItems } from "./history.ts";
import { jobOf, LIMIT_DEFAULT } from "./lookup.ts";
import { AnyText, Flag, JobVersion, Limit, OrderBy, Phases, readQuery, WaitMs } from "./queries.ts";
import * as shapes from "./shapes.ts";
import { readUntil } from "./watch.ts";
import { ageOf } from "./wire.ts";

const ListQuery = z.object({
  namespace: AnyText.describe("`*` or empty: all"),
  limit: Limit,
  next_token: AnyText,
  order_by: OrderBy,
  reverse: Flag,
  labels: AnyText.describe("A selector like `env=prod,tier in (a,b),!old`"),
  state: Phases.describe("Only jobs in these states, comma-joined. Skerry's own"),
});

const GetQuery = z.object({
  namespace: AnyText,
  job_version: JobVersion,
  include: AnyText.describe("`history`, `executions`, or both, comma-joined"),
  limit: Limit,
  wait: AnyText.describe(
    "`terminal`: hold the answer back until the job has ended, or, without an end, is up. Skerry's own",
  ),
  wait_ms: WaitMs.describe("How long the answer is held back at most. Skerry's own"),
});

const NamespaceQuery = z.object({ namespace: AnyText });

/** The routes of jobs. */
export function jobRoutes(door: Door, answers: Answers): Route[] {
  const submit = {
    path: "/orchestrator/jobs",
    tag: "jobs",
    summary: "Submit a job",
    description: "The same idempotency token and spec again answer with the first job.",
    body: shapes.SubmitBody,
    answer: shapes.Submitted,
    handle: (call: Call) => submitJob(door, answers, call),
  } as const;
  return [
    { method: "put", ...submit },
    { method: "post", ...submit },
    {
      method: "put",
      path: "/orchestrator/jobs/diff",
      tag: "jobs",
      summary: "What a submission would change, line by line",
      body: shapes.DiffBody,
      answer: shapes.Diff,
      handle: (call) => diffJob(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/jobs",
      tag: "jobs",
      summary: "List jobs, oldest first",
      query: ListQuery,
      answer: shapes.Jobs,
      handle: (call) => listJobs(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/jobs/{id}",
      tag: "jobs",
      summary: "One job, by name, id or the beginning of an id",
      query: GetQuery,
      answer: shapes.JobAnswer,
      handle: (call) => getJob(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/jobs/{id}/versions",
      tag: "jobs",
      summary: "Every version of a job",
      query: NamespaceQuery,
      answer: shapes.Jobs,
      handle: (call) => listVersions(door, answers, call),
    },
    {
      method: "put",
      path: "/orchestrator/jobs/{id}/rerun",
      tag: "jobs",
      summary: "Run a job again, as a new version",
      query: NamespaceQuery,
      body: shapes.RerunBody,
      answer: shapes.Rerun,
      handle: (call) => rerunJob(door, answers, call),
    },
    {
      method: "delete",
      path: "/orchestrator/jobs/{id}",
      tag: "jobs",
      summary: "Stop a job",
      query: NamespaceQuery,
      body: shapes.StopBody,
      answer: shapes.Stopped,
      handle: (call) => stopJob(door, answers, call),
    },
  ];
}

async function submitJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const { spec, contents, warnings } = readJob(body, door);
  const idempotencyToken = readToken(fieldOf(body, "IdempotencyToken"));
  const isForced = fieldOf(body, "Force") === true;
  const submitted = await door.desk.submit({ spec, contents, idempotencyToken, isForced });
  return answers.json(call, {
    JobID: submitted.jobId,
    EvaluationID: submitted.evaluationId,
    Warnings: [...warnings, ...submitted.warnings],
  });
}

/** The job of a request's body. Errors: `invalid`, `bad_request`. */
export function readJob(body: Record<string, unknown>, { defaults, desk }: Door): ParsedJob {
  const job = fieldOf(body, "Job");
  const amountsOf = (namespace: string) => desk.queries.defaultsOf(namespace);
  if (job !== undefined && job !== null) return parseJob(job, { defaults, amountsOf });
  throw new AppError(
    "bad_request",
    'Cannot read the request: the body must have a field "Job" with the job',
    {
      hint: 'Send {"Job": {"Name": …, "Tasks": […]}}',
    },
  );
}

function readToken(token: unknown): string | undefined {
  if (token === undefined || token === null || token === "") return undefined;
  const why = typeof token === "string" ? whyNoName(token) : "must be a string";
  if (!why) return token as string;
  throw new AppError(
    "invalid",
    `Cannot read the request: IdempotencyToken ${why}, current value is ${quote(token)}`,
  );
}

async function diffJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const { spec, warnings } = readJob(await readObject(call.request, { clock: door.clock }), door);
  if (spec.name === "") {
    throw new AppError("invalid", "Cannot compare the job: Name must be set", {
      hint: "A job without a name is always a new one",
    });
  }
  return answers.json(call, { Diff: diffSpecs(findNamed(door, spec), spec), Warnings: warnings });
}

/** What the spec changes in the job, line by line; all of it when there is none. */
export function diffSpecs(known: Job | undefined, spec: JobSpec): string {
  const before = known ? JSON.stringify(formatSpec(known.spec), null, 2) : "";
  return diffTexts(before, JSON.stringify(formatSpec(spec), null, 2));
}

/** The job of that name, if there is one: ids and prefixes do not count. */
function findNamed(
  { desk }: Door,
  { name, namespace }: { name: string; namespace: string },
): Job | undefined {
  try {
    const found = desk.queries.getJob(name, namespace);
    return found.spec.name === name && found.spec.namespace === namespace ? found : undefined;
  } catch (error) {
    if (error instanceof AppError && ["not_found", "ambiguous"].includes(error.code)) return undefined;
    throw error;
  }
}

function listJobs(door: Door, answers: Answers, call: Call): Response {
  const query = readQuery(ListQuery, call.query);
  const labels: readonly Constraint[] = query.labels === undefined ? [] : parseSelector(query.labels);
  const { items, next } = door.desk.queries.listJobs({
    limit: query.limit || LIMIT_DEFAULT,
    cursor: query.next_token,
    isReversed: query.reverse ?? false,
    orderBy: query.order_by ?? "created",
    ...(query.namespace && query.namespace !== "*" && { namespace: query.namespace }),
    ...(labels.length > 0 && { labels }),
    ...(query.state && { phases: query.state }),
  });
  return answers.json(call, { NextToken: next ?? "", Items: items.map(formatJob) });
}

async function getJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const query = readQuery(GetQuery, call.query);
  let job = jobOf(door, call, query.namespace);
  if (query.wait === "terminal") {
    const { id } = job;
    job = await readUntil(door, () => door.desk.queries.getJob(id), {
      jobId: id,
      isEnough: isSettled,
      onlyEnd: true,
      waitMs: query.wait_ms ?? 0,
      request: call.request,
    });
  }
  const shown = query.job_version ? door.desk.queries.getJobVersion(job.id, query.job_version) : job;
  const answer: Record<string, unknown> = { Job: formatJob(shown) };
  const included = new Set((query.include ?? "").split(",").map((part) => part.trim()));
  const list = { limit: query.limit || LIMIT_DEFAULT, version: query.job_version || undefined };
  if (included.has("history")) answer.History = historyItems(door, job, { ...list, call });
  if (included.has("executions")) answer.Executions = executionItems(door, job, list);
  Object.assign(answer, ageOf(job.modifiedAtMs, door.clock.wallMs()));
  return answers.json(call, answer);
}

function listVersions(door: Door, answers: Answers, call: Call): Response {
  const job = jobOf(door, call, readQuery(NamespaceQuery, call.query).namespace);
  return answers.json(call, { NextToken: "", Items: door.desk.queries.listVersions(job.id).map(formatJob) });
}

async function rerunJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock, isOptional: true });
  const version = fieldOf(body, "JobVersion") ?? 0;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 0) {
    throw new AppError(
      "invalid",
      `Cannot rerun the job: JobVersion must be the number of a version, current value is ${
        JSON.stringify(version)
      }`,
    );
  }
  const reason = readReason(body, "Reason", "rerun");
  const inBody = fieldOf(body, "Namespace");
  const namespace = readQuery(NamespaceQuery, call.query).namespace ||
    (typeof inBody === "string" ? inBody : undefined);
  const { id } = jobOf(door, call, namespace);
  const rerun = await door.desk.rerun(id, { ...(version > 0 && { version }), reason });
  return answers.json(call, {
    EvaluationID: rerun.evaluationId,
    JobID: id,
    JobVersion: rerun.version,
    Warnings: [],
  });
}

/** A sentence of the user's own, kept in the history. */
function readReason(body: Record<string, unknown>, field: string, verb: string): string {
  const reason = fieldOf(body, field) ?? "";
  const why = typeof reason === "string" ? whyNoName(reason) : "must be a string";
  if (!why) return reason as string;
  throw new AppError("invalid", `Cannot ${verb} the job: Reason ${why}, current value is ${quote(reason)}`);
}

async function stopJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const { namespace } = readQuery(NamespaceQuery, call.query);
  const body = await readObject(call.request, { clock: door.clock, isOptional: true });
  const reason = readReason(body, "reason", "stop");
  const { id } = jobOf(door, call, namespace);
  const { evaluationId } = await door.desk.stop(id, { reason });
  return answers.json(call, { EvaluationID: evaluationId ?? "" });
}
