/** `/orchestrator/jobs/{id}/explain` */
import { z } from "zod";
import type { NodeId } from "../../shared/model/ids.ts";
import { isPerNode, type JobType, type Rollout } from "../../shared/model/job.ts";
import { JOB_STATES } from "../../shared/spec/format_job.ts";
import { type Reason, type VerdictGroup, whyThere } from "../core/explain.ts";
import type { Behind } from "../flow/behind.ts";
import type {
  ExplainedExecution,
  ExplainedNode,
  JobExplanation,
  NamedJob,
  NodeExplanation,
  Waiting,
} from "../flow/explain.ts";
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./explain_shapes.ts";
import { jobOf, LIMIT_DEFAULT } from "./lookup.ts";
import { AnyText, Limit, readQuery } from "./queries.ts";
import { ageOf, toRfc3339 } from "./wire.ts";

const Query = z.object({
  namespace: AnyText,
  limit: Limit.describe("Nodes that are told one by one; all of them are counted by reason"),
  next_token: AnyText,
});

/** The routes of explanations. */
export function explainRoutes(door: Door, answers: Answers): Route[] {
  return [{
    method: "get",
    path: "/orchestrator/jobs/{id}/explain",
    tag: "jobs",
    summary: "Why a job waits, or where it was put, node by node. Skerry's own",
    query: Query,
    answer: shapes.JobExplanation,
    handle: (call) => explainJob(door, answers, call),
  }];
}

async function explainJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const query = readQuery(Query, call.query);
  const { id } = jobOf(door, call, query.namespace);
  const explanation = await door.desk.explain(id, {
    limit: query.limit ?? LIMIT_DEFAULT,
    ...(query.next_token && { after: query.next_token as NodeId }),
  });
  return answers.json(call, formatExplanation(explanation, door.clock.wallMs()));
}

function formatExplanation(it: JobExplanation, nowMs: number) {
  const { job } = it;
  return {
    Job: {
      ID: job.id,
      Name: job.spec.name,
      Namespace: job.spec.namespace,
      Type: job.spec.type,
      Version: job.version,
      Count: job.spec.count,
      Completed: job.completedCount,
      State: JOB_STATES[job.phase],
      Message: job.message ?? "",
      Hint: job.hint ?? "",
      ...(it.totalLeftMs !== undefined && { TimesOutInMs: Math.round(it.totalLeftMs) }),
      ...ageOf(job.modifiedAtMs, nowMs),
    },
    ...(job.rollout && { Rollout: formatRollout(job.rollout, nowMs) }),
    ...(it.waiting && { Waiting: formatWaiting(it.waiting, nowMs) }),
    Executions: {
      Live: it.liveCount,
      Unsuccessful: it.unsuccessfulCount,
      Items: it.executions.map((one) => formatExecution(one, { type: job.spec.type, nowMs })),
    },
    ...(it.nodes && { Nodes: formatNodes(it.nodes) }),
    NodeItems: it.items.map((item) => formatNode(item, nowMs)),
    NextToken: it.next ?? "",
  };
}

function formatRollout(rollout: Rollout, nowMs: number) {
  const { state, upCount, goodVersion, rolledBackFrom, message = "", sinceAtMs } = rollout;
  return {
    State: state,
    Up: upCount,
    ...(goodVersion !== undefined && { GoodVersion: goodVersion }),
    ...(rolledBackFrom !== undefined && { RolledBackFrom: rolledBackFrom }),
    Message: message,
    ...ageOf(sinceAtMs, nowMs),
  };
}

const NEXT_LOOKS = {
  due: "at its turn, within moments",
  blocked: "as soon as room is free, or a node joins, comes back or changes",
  over_quota: "as soon as other work of its namespace has ended, or the namespace's quota is raised",
  pausing: "when the pause after its last end is over",
} as const;

function formatWaiting(it: Waiting, nowMs: number) {
  return {
    Unplaced: it.slotCount,
    Partitions: it.partitions,
    Status: it.status,
    NextLook: NEXT_LOOKS[it.status],
    ...(it.againInMs !== undefined && { AgainInMs: Math.round(it.againInMs) }),
    ...(it.queueLeftMs !== undefined && { FailsInMs: Math.round(it.queueLeftMs) }),
    AheadCount: it.aheadCount,
    Ahead: it.ahead.map(formatNamed),
    ...ageOf(it.sinceMs, nowMs),
  };
}

function formatExecution(
  { execution, nodeName, behind }: ExplainedExecution,
  { type, nowMs }: { type: JobType; nowMs: number },
) {
  return {
    ID: execution.id,
    JobVersion: execution.jobVersion,
    PartitionIndex: execution.partition,
    Attempt: execution.attempt,
    NodeID: execution.nodeId,
    NodeName: nodeName,
    State: execution.phase,
    IsToStop: execution.desired === "stop",
    Message: execution.message ?? execution.desiredMessage ?? "",
    Hint: execution.hint ?? "",
    Why: whyThere(execution.explanation, { isPerNode: isPerNode(type) }),
    ...(behind && { Behind: formatBehind(behind) }),
    PlacedAt: toRfc3339(execution.createdAtMs),
    ...ageOf(execution.modifiedAtMs, nowMs),
  };
}

const formatBehind = ({ runningCount, waitingCount, jobs }: Behind) => ({
  Running: runningCount,
  Waiting: waitingCount,
  Jobs: jobs.map(formatNamed),
});

const formatNamed = ({ id, name }: NamedJob) => ({ ID: id, Name: name });

/** Nodes by what they would say. */
export function formatNodes({ knownCount, fitCount, groups }: NodeExplanation) {
  return { Known: knownCount, Fit: fitCount, Groups: groups.map(formatGroup) };
}

function formatGroup({ verdict, reason, nodeCount, nodeIds, reasonCount }: VerdictGroup) {
  return {
    Verdict: verdict,
    ...(reason && { Reason: formatReason(reason) }),
    NodeCount: nodeCount,
    NodeIDs: nodeIds,
    ReasonCount: reasonCount,
  };
}

function formatNode({ nodeId, name, verdict, reasons, seenAtMs, pauseLeftMs }: ExplainedNode, nowMs: number) {
  return {
    NodeID: nodeId,
    Name: name,
    Verdict: verdict,
    Reasons: reasons.map(formatReason),
    ...(pauseLeftMs !== undefined && { LeftAloneMs: Math.round(pauseLeftMs) }),
    ...ageOf(seenAtMs, nowMs),
  };
}

/** A reason. */
export const formatReason = ({ filter, text, isLasting, remedy }: Reason) => ({
  Filter: filter,
  Reason: text,
  IsLasting: isLasting,
  Remedy: remedy,
});
