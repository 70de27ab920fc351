/** `/orchestrator/jobs/plan` */
import { isPerNode } from "../../shared/model/job.ts";
import { JOB_STATES } from "../../shared/spec/format_job.ts";
import { whyThere } from "../core/explain.ts";
import type { PlannedPlace, SubmissionPlan, Unplaced } from "../flow/plan.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import type { Call, Door, Route } from "./door.ts";
import { formatNodes, formatReason } from "./explain.ts";
import * as shapes from "./explain_shapes.ts";
import { diffSpecs, readJob } from "./jobs.ts";
import { ageOf } from "./wire.ts";

/** The routes of plans. */
export function planRoutes(door: Door, answers: Answers): Route[] {
  const plan = {
    path: "/orchestrator/jobs/plan",
    tag: "jobs",
    summary: "What a submission would change and where it would go; nothing is submitted. Skerry's own",
    body: shapes.PlanBody,
    answer: shapes.SubmissionPlan,
    handle: (call: Call) => planJob(door, answers, call),
  } as const;
  return [{ method: "put", ...plan }, { method: "post", ...plan }];
}

async function planJob(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const { spec, contents, warnings } = readJob(body, door);
  const plan = await door.desk.plan({ spec, contents, isForced: fieldOf(body, "Force") === true });
  const nowMs = door.clock.wallMs();
  const { name, namespace, type } = spec;
  return answers.json(call, {
    Action: plan.action,
    ...{ Name: name, Namespace: namespace, Type: type, Version: plan.version },
    ...(plan.known && { Known: formatKnown(plan.known, nowMs) }),
    Diff: diffSpecs(plan.known, spec),
    Warnings: warnings,
    Executions: plan.slotCount,
    Places: plan.places.map((place) => formatPlace(place, { isPerNode: isPerNode(type) })),
    Untried: plan.untriedCount,
    ...(plan.unplaced && { Unplaced: formatUnplaced(plan.unplaced) }),
    Stays: plan.stayCount,
    ...(plan.maxParallel !== undefined && { AtATime: plan.maxParallel }),
    Stops: formatStops(plan, nowMs),
    ...(plan.nodes && { Nodes: formatNodes(plan.nodes) }),
  });
}

function formatKnown(
  { id, version, phase, modifiedAtMs }: NonNullable<SubmissionPlan["known"]>,
  nowMs: number,
) {
  return { ID: id, Version: version, State: JOB_STATES[phase], ...ageOf(modifiedAtMs, nowMs) };
}

function formatPlace({ placement, nodeName, verdict }: PlannedPlace, type: { isPerNode: boolean }) {
  return {
    PartitionIndex: placement.slot.partition,
    NodeID: placement.nodeId,
    NodeName: nodeName,
    Verdict: verdict.verdict,
    Reasons: verdict.reasons.map(formatReason),
    Why: whyThere(placement.explanation, type),
  };
}

const formatUnplaced = ({ count, refusal, wouldFail, isBehindOthers }: Unplaced) => ({
  Count: count,
  Message: refusal.message,
  Hint: refusal.hint,
  WouldFail: wouldFail,
  IsBehindOthers: isBehindOthers,
});

function formatStops({ stops, stopCount }: SubmissionPlan, nowMs: number) {
  const items = stops.map(({ execution, nodeName }) => ({
    ID: execution.id,
    JobVersion: execution.jobVersion,
    PartitionIndex: execution.partition,
    NodeID: execution.nodeId,
    NodeName: nodeName,
    State: execution.phase,
    ...ageOf(execution.modifiedAtMs, nowMs),
  }));
  return { Count: stopCount, Items: items };
}
