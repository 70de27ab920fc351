/** A home whose stages a test ticks, with one node that a test plays, and one job. */
import assert from "node:assert/strict";
import { Database } from "../../shared/ledger/database.ts";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import { NOTHING_APPLIED } from "../../shared/ledger/inbox.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { ExecutionPhase } from "../../shared/model/execution.ts";
import type { ExecutionId, JobId, NodeId } from "../../shared/model/ids.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import type { NodeFacts, NodeLoad } from "../../shared/model/node.ts";
import type { Report } from "../../shared/model/report.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { seededIds } from "../../shared/random.ts";
import { BusyNodes } from "../../orchestrator/flow/busy_nodes.ts";
import { drainNode, DrainNodes, type DrainWish, endDrain } from "../../orchestrator/flow/drain.ts";
import { explainJob, type ExplainQuery } from "../../orchestrator/flow/explain.ts";
import { KeepContents } from "../../orchestrator/flow/keep_contents.ts";
import { loseNode } from "../../orchestrator/flow/lose_node.ts";
import { Observe } from "../../orchestrator/flow/observe.ts";
import type { PreemptionPolicy } from "../../orchestrator/flow/preempt.ts";
import { Schedule } from "../../orchestrator/flow/schedule.ts";
import { stopJob } from "../../orchestrator/flow/stop.ts";
import { Submit } from "../../orchestrator/flow/submit.ts";
import { Sweep } from "../../orchestrator/flow/sweep.ts";
import { rerunJob } from "../../orchestrator/flow/versions.ts";
import { WatchNodes } from "../../orchestrator/flow/watch_nodes.ts";
import { APPLICATION_ID, MIGRATIONS } from "../../orchestrator/store/migrations.ts";
import { Store } from "../../orchestrator/store/store.ts";
import { aSpec, someContents, someFacts } from "./builders.ts";

/** Far more than any test has to plan. */
const TICKS_MAX = 1_000;

/** The node. */
export const NODE = "n-0" as NodeId;

/** The job is submitted and, when it fits the node, placed there. */
export async function aHome(
  change: Partial<JobSpec> = {},
  facts: NodeFacts = someFacts({ id: NODE }),
  { preemption }: { preemption?: PreemptionPolicy } = {},
) {
  const database = Database.open({
    path: ":memory:",
    migrations: MIGRATIONS,
    applicationId: APPLICATION_ID,
  });
  let nowMs = 0;
  const clock = { wallMs: () => 1_000 + nowMs, uptimeMs: () => nowMs, after: () => () => {} };
  const store = new Store({
    ...{ database, clock, ids: seededIds(1), hasPreemption: preemption !== undefined },
  });
  const deadlines = new Deadlines({ database, lifetime: store.lifetime, clock, nudge: () => {} });
  const nothing = () => {};
  const busy = new BusyNodes(store);
  const observe = new Observe({ store, deadlines, busy, nudgeSchedule: nothing });
  const watch = new WatchNodes({
    ...{ store, clock, deadlines, busy, nudge: nothing, nudgeSchedule: nothing, askAnew: nothing },
  });
  const kept = new Map<string, Uint8Array>();
  const keepContents = new KeepContents({ store, contents: someContents(kept) });
  const sweep = new Sweep({ store, deadlines, nudgeSchedule: nothing });
  const orders: Message[] = [];
  const schedule = new Schedule({
    ...{ store, deadlines, send: (_peer, message) => void orders.push(message), preemption },
  });
  const submit = new Submit({
    ...{ store, keepContents, deadlines, nudge: nothing },
    refuses: () => undefined,
  });
  const drainNodes = new DrainNodes({
    ...{ store, deadlines, send: (_peer, message) => void orders.push(message) },
  });
  const drains = { store, deadlines, nudgeTurn: nothing };
  const hear = (kind: string, about: string, body: unknown, nodeId: NodeId = NODE) =>
    store.transaction(() => observe.apply(`${nodeId}/agent`, { seq: 1, ageMs: 0, kind, about, body }));
  const plan = () => {
    drainNodes.tick();
    for (let count = 0; schedule.tick(); count++) assert(count < TICKS_MAX, "planning comes to no end");
    return orders.splice(0).map(({ body }) => body as { desired: string; executionId: ExecutionId });
  };
  const join = (body: NodeFacts) =>
    store.transaction(() =>
      observe.apply(`${body.id}/agent`, { seq: 1, ageMs: 0, kind: "node", about: body.id, body })
    );
  join(facts);
  const answer = submit.submit({ spec: aSpec(change), contents: new Map() });
  await Promise.resolve();
  submit.tick();
  const { jobId } = await answer;
  const executionId = plan()[0]?.executionId as ExecutionId;
  let revision = 0;
  return {
    ...{ store, plan, join, jobId, executionId },
    /** The node says that the execution is in this phase now. */
    report: (phase: ExecutionPhase, id = executionId, why: Partial<Report> = {}) =>
      hear("report", id, { executionId: id, phase, revision: ++revision, ...why }),
    /** The same of another node. */
    reportOf: (nodeId: NodeId, phase: ExecutionPhase, id: ExecutionId, why: Partial<Report> = {}) =>
      hear("report", id, { executionId: id, phase, revision: ++revision, ...why }, nodeId),
    drain: (wish: DrainWish, id = NODE) => drainNode(drains, id, wish),
    endDrain: (id = NODE) => endDrain(drains, id),
    node: () => store.projection.find(NODE)!.node,
    /** The node's sign of life. */
    hello: (load: Partial<NodeLoad> = {}) => {
      const marks = { state: NOTHING_APPLIED, history: NOTHING_APPLIED };
      const from = `${NODE}/agent`;
      store.transaction(() =>
        watch.onHello(from, {
          ...{ type: "hello", from, to: "", applied: marks, own: marks, wantsAnswer: false },
          load: { allocated: NO_RESOURCES, queued: NO_RESOURCES, runningCount: 0, queuedCount: 0, ...load },
        })
      );
    },
    /** The silent are noticed. */
    lookForSilent: () => watch.tick(),
    lose: () => store.transaction(() => loseNode(store, NODE, { message: "Execution lost" })),
    /** The node leaves for a while: nothing is placed there. */
    setConnected: (isConnected: boolean) => {
      const { node } = store.projection.find(NODE)!;
      store.projection.putNode({ ...node, connection: isConnected ? "connected" : "disconnected" });
    },
    rerun: () =>
      rerunJob({ store, deadlines, nudgeTurn: nothing, refuses: () => undefined }, {
        id: jobId,
        reason: "again",
      }),
    stopJob: (id: JobId) => stopJob({ store, deadlines, nudgeSchedule: nothing }, { id, reason: "enough" }),
    stop: () => stopJob({ store, deadlines, nudgeSchedule: nothing }, { id: jobId, reason: "enough" }),
    explain: (query: ExplainQuery = { limit: 10 }, id = jobId) =>
      explainJob({ store, deadlines, busy }, { id, query }),
    /** Another job, or the next version of one, planned as far as that goes. */
    submit: async (more: Partial<JobSpec>, how: { isForced?: boolean } = {}) => {
      const other = submit.submit({ spec: aSpec(more), contents: new Map(), ...how });
      await Promise.resolve();
      submit.tick();
      plan();
      return (await other).jobId;
    },
    /** Time goes by, and what is due happens. */
    pass: (ms: number) => {
      nowMs += ms;
      sweep.tick();
    },
    held: () => store.projection.find(NODE)!.allocated,
    phase: () => store.executions.find(executionId)!.execution.phase,
    job: () => store.jobs.find(jobId)!.job,
  };
}
