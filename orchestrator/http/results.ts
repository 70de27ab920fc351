/** Results: where they are, and those that nodes keep themselves as one archive. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { Execution } from "../../shared/model/execution.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import { jobOf } from "./lookup.ts";
import { AnyText, JobVersion, readQuery } from "./queries.ts";
import * as shapes from "./shapes.ts";
import { packResult } from "./tar.ts";
import { ageOf } from "./wire.ts";

const ListQuery = z.object({
  namespace: AnyText,
  next_token: AnyText,
  job_version: JobVersion.describe("0: the latest. Skerry's own"),
});

/** The routes of results. */
export function resultRoutes(door: Door, answers: Answers): Route[] {
  return [
    {
      method: "get",
      path: "/orchestrator/jobs/{id}/results",
      tag: "jobs",
      summary: "Where the results of a job are: one item for each partition that left some",
      query: ListQuery,
      answer: shapes.Results,
      handle: (call) => listResults(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/results/{file}",
      tag: "jobs",
      summary: "What one execution left: `<execution id>.tar.gz`. The same execution gives the same bytes",
      handle: (call) => sendResult(door, answers, call),
    },
  ];
}

function listResults(door: Door, answers: Answers, call: Call): Response {
  const { namespace, next_token: cursor, job_version: version } = readQuery(ListQuery, call.query);
  const job = jobOf(door, call, namespace);
  const nowMs = door.clock.wallMs();
  const { items, next } = door.desk.queries.listResults(job.id, {
    limit: LIMITS.pageMax,
    cursor,
    ...(version && { version }),
  });
  const shown = items.map((execution) => ({
    ...formatResult(execution, call),
    ExecutionID: execution.id,
    PartitionIndex: execution.partition,
    ...ageOf(execution.modifiedAtMs, nowMs),
  }));
  return answers.json(call, { NextToken: next ?? "", Items: shown });
}

function formatResult({ id, result }: Execution, { request }: Call) {
  if (result?.type !== "local") return { Type: result?.type ?? "", Params: result?.params ?? {} };
  const host = request.headers.get("host") ?? "";
  const scheme = new URL(request.url).protocol;
  return {
    Type: "urlDownload",
    Params: { URL: `${scheme}//${host}/api/v1/orchestrator/results/${id}.tar.gz` },
  };
}

async function sendResult({ desk, log }: Door, answers: Answers, call: Call): Promise<Response> {
  const file = call.params.file ?? "";
  if (!file.endsWith(".tar.gz")) {
    throw new AppError("not_found", "Cannot find the result: its name must be <execution id>.tar.gz");
  }
  const { id, result } = desk.queries.getExecution(file.slice(0, -".tar.gz".length));
  if (result?.type !== "local") {
    const why = result ? `they were published by "${result.type}"` : "it has none";
    throw new AppError("not_found", `Cannot send the results of execution "${id}": ${why}`);
  }
  const entries = await desk.listResult(id);
  const archive = packResult(entries, {
    read: (path, signal) => desk.readResult(id, path, signal),
    onFailure: (error) =>
      log.error("sending results failed", { requestId: call.requestId, executionId: id, error }),
  });
  const headers = [
    ...answers.headers(call.requestId, "application/gzip"),
    ["content-disposition", `attachment; filename="${id}.tar.gz"`] as [string, string],
  ];
  return new Response(archive, { headers });
}
