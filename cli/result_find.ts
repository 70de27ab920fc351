/** What of a job's results can be fetched, and what is said of the rest. */
import { AppError } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import type { Client } from "./client.ts";
import { checkPartition, currentOf, fetchExecutions } from "./partitions.ts";
import { gapLines, whyNone } from "./result_gaps.ts";
import { isTerminal, itemsOf, type JobView, numberAt, recordAt, textAt } from "./wire.ts";
import { short } from "./words.ts";

/** The results of one partition. */
export interface Result {
  readonly partition: number;
  readonly executionId: string;
  readonly url: string;
}

/** Which part of a job's results. */
export interface Selection {
  /** Absent: every partition. */
  readonly partition?: number;
  /** Path within the results of a partition; empty for all. */
  readonly wanted: string;
  /** Of the job; absent: the latest. */
  readonly version?: number;
}

/** `partition-3/outputs` names a part of one partition, where the job has several. Throws `not_found`. */
export function select(job: JobView, path: string): Selection {
  const [, digits, wanted = ""] = /^partition-(\d{1,9})(?:\/(.*))?$/.exec(path) ?? [];
  if (digits === undefined || job.count === 1) return { wanted: path };
  checkPartition(job, Number(digits));
  return { partition: Number(digits), wanted };
}

/** What can be fetched, and what is said of the rest. Throws when there is nothing to fetch. */
export async function findResults(
  client: Client,
  job: JobView,
  { partition, version }: Selection,
): Promise<{ results: readonly Result[]; gaps: readonly string[] }> {
  const items = await fetchItems(client, job, version);
  const executions = currentOf(await fetchExecutions(client, job.id, { version }));
  const results = items.map((item, at) => readResult(item, { at, executions, client }));
  if (results.length === 0) throw nothingToFetch(job, executions.length);
  if (partition === undefined) {
    const present = new Set(results.map((result) => result.partition));
    return { results, gaps: gapLines(job, { present, current: executions }) };
  }
  const found = results.filter((result) => result.partition === partition);
  if (found.length > 0) return { results: found, gaps: [] };
  const why = whyNone(job, executions.find((execution) => execution.partition === partition));
  throw new AppError("not_found", `Partition ${partition} of job ${short(job.id)} has no results: ${why}`, {
    hint: `\`skerry job logs ${short(job.id)} --partition ${partition}\` shows what it printed`,
  });
}

/** Every page of the list. */
async function fetchItems(client: Client, job: JobView, version?: number): Promise<readonly unknown[]> {
  const items: unknown[] = [];
  let token = "";
  do {
    const query = { namespace: job.namespace, next_token: token, job_version: version };
    const page = await client.get(`/orchestrator/jobs/${job.id}/results`, { query });
    items.push(...itemsOf(page));
    token = textAt(page, "NextToken") ?? "";
  } while (token);
  return items;
}

function readResult(
  item: unknown,
  { at, executions, client }: { at: number; executions: ReturnType<typeof currentOf>; client: Client },
): Result {
  const params = recordAt(item, "Params");
  const type = textAt(item, "Type") ?? "";
  const written = textAt(params, "URL") ?? textAt(params, "PreSignedURL");
  if (!written) {
    const where = textAt(params, "CID") ? `ipfs://${textAt(params, "CID")}` : JSON.stringify(params);
    throw new AppError("unsupported", `Cannot fetch results of the kind ${quote(type)}`, {
      hint: `They are at ${where}`,
    });
  }
  const url = new URL(written, client.urlOf("/")).href;
  const told = textAt(item, "ExecutionID");
  const execution = executions.find(({ id }) => id === told || url.includes(id));
  const partition = numberAt(item, "PartitionIndex") ?? execution?.partition ?? at;
  return { partition, executionId: execution?.id ?? `result-${at}`, url };
}

function nothingToFetch(job: JobView, executionCount: number): AppError {
  const id = short(job.id);
  if (!isTerminal(job.state)) {
    return new AppError("unavailable", `Job ${id} has no results yet: it is ${job.state}`, {
      hint: `\`skerry job wait ${id}\` waits for its end`,
    });
  }
  const why = executionCount === 0 ? "it never ran" : "none were published";
  return new AppError(
    "not_found",
    `Job ${id} has no results: it ${job.state === "stopped" ? "was stopped" : job.state}, and ${why}`,
    {
      hint: `\`skerry job describe ${id}\` shows why`,
    },
  );
}
