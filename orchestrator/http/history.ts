/**
 * `/orchestrator/jobs/{id}/history`. A page names its follower as long as there may be more: while events are left,
 * and while the job (or the execution asked for) has not ended, also with no event at all.
 */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { EXECUTION_TERMINAL } from "../../shared/model/execution.ts";
import type { HistoryItem } from "../../shared/model/history.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { type Job, JOB_TERMINAL } from "../../shared/model/job.ts";
import type { HistoryQuery, Page } from "../store/queries.ts";
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import { wantsStateStubs } from "./guards.ts";
import { executionOf, jobOf, LIMIT_DEFAULT } from "./lookup.ts";
import { AnyText, Flag, JobVersion, Limit, readQuery, Since, WaitMs } from "./queries.ts";
import * as shapes from "./shapes.ts";
import { readUntil } from "./watch.ts";
import { formatHistoryItem } from "./wire.ts";

const Level = z.string().transform((text, context) => {
  if (text === "all" || text === "job" || text === "execution") return text;
  context.addIssue({ code: "custom", message: "must be one of all, job, execution" });
  return z.NEVER;
}).optional();

const ListQuery = z.object({
  namespace: AnyText,
  since: Since.describe("Unix seconds"),
  event_type: Level,
  execution_id: AnyText,
  limit: Limit,
  next_token: AnyText,
  job_version: JobVersion,
  all_job_versions: Flag,
  wait_ms: WaitMs.describe("Hold an empty answer back for new events for that long. Skerry's own"),
});

/** The route of history. */
export function historyRoutes(door: Door, answers: Answers): Route[] {
  return [{
    method: "get",
    path: "/orchestrator/jobs/{id}/history",
    tag: "jobs",
    summary: "What happened to a job and its executions, oldest first",
    description: "`NextToken` is empty when all was read and the job has ended; until then ask on with it.",
    query: ListQuery,
    answer: shapes.History,
    handle: (call) => listHistory(door, answers, call),
  }];
}

interface HistoryPage extends Page<HistoryItem> {
  /** Nothing more will come. */
  readonly isLast: boolean;
}

async function listHistory(door: Door, answers: Answers, call: Call): Promise<Response> {
  const query = readQuery(ListQuery, call.query);
  const job = jobOf(door, call, query.namespace);
  const execution = query.execution_id ? executionOf(door, job, query.execution_id) : undefined;
  const read = () =>
    readPage(door, job, {
      limit: query.limit || LIMIT_DEFAULT,
      level: query.event_type ?? "all",
      version: query.all_job_versions ? "all" : query.job_version || undefined,
      afterSeq: parseToken(query.next_token),
      ...(query.since !== undefined && { sinceMs: query.since }),
      ...(execution && { executionId: execution.id }),
    });
  const page = await readUntil(door, read, {
    jobId: job.id,
    isEnough: ({ items, isLast }) => items.length > 0 || isLast,
    waitMs: query.wait_ms ?? 0,
    request: call.request,
  });
  return answers.json(call, toAnswer(page, { afterSeq: parseToken(query.next_token), call }));
}

/** The first page of a job's history, in Bacalhau's shape. */
export function historyItems(door: Door, job: Job, { call, ...query }: HistoryQuery & { call: Call }) {
  return toAnswer(readPage(door, job, query), { afterSeq: 0, call });
}

function readPage({ desk }: Door, job: Job, query: HistoryQuery): HistoryPage {
  // The state is read first: an event that comes between the two reads is on this page or on the next.
  const hasEnded = query.executionId ? isOver(desk, query.executionId) : isJobOver(desk, job, query.version);
  const page = desk.queries.listHistory(job.id, query);
  return { ...page, isLast: hasEnded && page.next === undefined };
}

function isOver({ queries }: Door["desk"], id: ExecutionId): boolean {
  return EXECUTION_TERMINAL.has(queries.getExecution(id).phase);
}

function isJobOver({ queries }: Door["desk"], { id }: Job, version: HistoryQuery["version"]): boolean {
  const current = queries.getJob(id);
  const isPast = typeof version === "number" && version < current.version;
  return isPast || JOB_TERMINAL.has(current.phase);
}

function toAnswer({ items, isLast }: HistoryPage, { afterSeq, call }: { afterSeq: number; call: Call }) {
  const hasStateStubs = wantsStateStubs(call.clientVersion);
  return {
    NextToken: isLast ? "" : formatToken(items.at(-1)?.seq ?? afterSeq),
    Items: items.map((item) => formatHistoryItem(item, { hasStateStubs })),
  };
}

const formatToken = (seq: number): string => btoa(`after:${seq}`).replace(/=+$/, "");

function parseToken(token: string | undefined): number {
  if (!token) return 0;
  try {
    const found = /^after:(\d{1,16})$/.exec(atob(token));
    if (found) return Number(found[1]);
  } catch {
    // Told below.
  }
  throw new AppError(
    "bad_request",
    'Cannot read the request: query "next_token" must be of an earlier answer',
  );
}
