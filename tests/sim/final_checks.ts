/** What must hold once faults have ended: everything has come to rest, and everybody agrees. */
import { Journal } from "../../agent/store/journal.ts";
import { phaseOf } from "../../agent/flow/report.ts";
import { decodeBody } from "../../shared/ledger/body.ts";
import type { Database } from "../../shared/ledger/database.ts";
import { type Execution, isLive } from "../../shared/model/execution.ts";
import { isPerNode, type Job, JOB_TERMINAL, type RetryPolicy } from "../../shared/model/job.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { fits } from "../../shared/model/resources.ts";
import { blame } from "../../orchestrator/core/retry.ts";
import { quotaRoom } from "../../orchestrator/core/quota.ts";
import { needOf, rejection } from "../../orchestrator/core/filters.ts";
import { having, planOf } from "../../orchestrator/flow/look.ts";
import type { ComposedOrchestrator } from "../../orchestrator/flow/compose.ts";
import { agentPeer } from "../../shared/wire/subjects.ts";
import type { Checks } from "./checks.ts";
import type { SimHome } from "./sim_home.ts";
import type { SimNode } from "./sim_node.ts";
import type { Wish } from "./workload.ts";

export interface World {
  readonly home: SimHome;
  readonly nodes: readonly SimNode[];
  readonly wishes: readonly Wish[];
  readonly checks: Checks;
  readonly nowMs: () => number;
}

interface Rows {
  readonly jobs: readonly { row: number; job: Job }[];
  readonly executions: readonly Execution[];
}

function rowsOf({ store }: ComposedOrchestrator): Rows {
  const jobs = store.jobs.scan({ after: 0, isReversed: false, limit: 1_000, isLive: false });
  const executions = store.database.all("SELECT body FROM executions ORDER BY row")
    .map(({ body }) => decodeBody(body) as Execution);
  return { jobs, executions };
}

const depth = (database: Database, peer?: string): number =>
  Number(
    peer === undefined
      ? database.get("SELECT count(*) AS n FROM outbox WHERE body IS NOT NULL")!.n
      : database.get("SELECT count(*) AS n FROM outbox WHERE body IS NOT NULL AND peer = ?", peer)!.n,
  );

/** Why the run has not come to rest yet; undefined when it has. */
export function unrest({ home, nodes }: World): string | undefined {
  const { program } = home;
  if (program === undefined) return "the orchestrator is down";
  for (const node of nodes) {
    if (node.isGone) continue;
    if (node.program === undefined) return `${node.id} is down`;
    const { executions } = node.program;
    if (executions.all().length > 0) {
      return `${node.id} has ${executions.all().map(({ id, state }) => `${id} ${state.phase}`)}`;
    }
    if (depth(node.disk.committed) > 0) {
      return `${node.id} has ${depth(node.disk.committed)} messages waiting`;
    }
    const count = depth(home.disk.committed, agentPeer(node.id));
    if (count > 0) return `${count} messages wait for ${node.id}`;
  }
  const { jobs, executions } = rowsOf(program);
  const live = executions.filter(({ phase }) => isLive(phase));
  if (program.store.waiting.dueCount > 0) return "evaluations are due";
  if (live.length > 0) return `executions are live at home: ${live.map(({ id, phase }) => `${id} ${phase}`)}`;
  for (const { row, job } of jobs) {
    if (JOB_TERMINAL.has(job.phase)) continue;
    const why = falseWait(program, row, job);
    if (why !== undefined) return why;
  }
}

/** In peace: whatever a job still wants is due, waits, or comes after a pause that is kept. */
export function checkPlans({ home, checks }: World): void {
  const { store } = home.program ?? {};
  if (store === undefined) return;
  const { nodes } = store.projection;
  for (const { row, job } of store.jobs.scan({ after: 0, isReversed: false, limit: 1_000, isLive: true })) {
    const plan = planOf(job, { ...having(store, { row, job }), nodes, nowMs: store.nowMs() });
    const isScheduled = store.evaluations.find(row) !== undefined;
    checks.that(
      isScheduled || (plan.slots.length === 0 && plan.stops.length === 0 && plan.againInMs === undefined),
      "what a job wants is due, or waits",
      () => `${job.id} ${job.spec.type}: ${JSON.stringify(plan)}`,
    );
  }
}

/** Why a job that is not over should be: undefined when it waits with a reason that is true. */
function falseWait({ store }: ComposedOrchestrator, row: number, job: Job): string | undefined {
  const told = `job ${job.id} is ${job.phase} "${job.message ?? ""}"`;
  const evaluation = store.evaluations.find(row);
  if (evaluation === undefined) return `${told} and nothing is due for it`;
  if (!job.message) return `${told} without a reason`;
  if (job.spec.task.timeouts.queueMs > 0 || job.spec.task.timeouts.totalMs > 0) {
    return `${told}, its time-out to come`;
  }
  // It has been on a node that is drained, and waits for it.
  const isDrained = store.projection.nodes.some(({ node }) => node.drain !== undefined);
  if (isPerNode(job.spec.type) && isDrained) return undefined;
  // It asks for more than its namespace may hold in all: that was lowered since.
  const { namespace } = job.spec;
  const quota = quotaRoom(store.namespaces.find(namespace), {
    held: store.projection.accounts.heldBy(namespace),
    need: job.spec.task.resources,
  });
  if (quota.count === 0) {
    return job.message === quota.refusal!.message ? undefined : `${told}, its quota has no room`;
  }
  const need = needOf(job.spec);
  for (const view of store.projection.nodes) {
    if (rejection(need, view) !== undefined) continue;
    if (fits(need.resources, view.node.facts.capacity)) return `${told}, and ${view.node.facts.id} has room`;
  }
}

/** Once the time of a drain is over, and nothing is in the way, everything is told to leave. */
export function checkDrains({ home, checks }: World): void {
  const { store } = home.program ?? {};
  if (store === undefined || checks.violation !== undefined) return;
  for (const { node } of store.projection.nodes) {
    if (node.drain?.isOver !== true || node.drain.kind !== "drain") continue;
    const there = store.executions.liveOn(node.facts.id).map(({ jobRow, execution }) => ({
      ...execution,
      isDaemon: store.jobs.get(jobRow).job.spec.type === "daemon",
    }));
    const isLast = there.every(({ isDaemon }) => isDaemon);
    const left = there.filter(({ desired, isDaemon }) => desired === "run" && (!isDaemon || isLast));
    checks.that(
      left.length === 0,
      "a drained node is empty after its deadline",
      () => `${node.facts.id}: ${left.map(({ id, phase }) => `${id} ${phase}`)}`,
    );
    checks.that(
      there.length > 0 || node.drain.emptyAtMs !== undefined,
      "a drained node says so",
      () => JSON.stringify(node.drain),
    );
  }
}

/** To be called once nothing moves. */
export function checkRest(world: World): void {
  const { home, checks } = world;
  const program = home.program!;
  const rows = rowsOf(program);
  checkWishes(world, rows);
  for (const { row, job } of rows.jobs) checkEnd(world, { row, job, executions: rows.executions });
  checkAgreement(world, rows);
  checkHistory(world, rows);
  for (const { node, allocated } of program.store.projection.nodes) {
    checks.that(
      Object.values(allocated).every((it) => it === 0) ||
        world.nodes.some((it) => it.isGone && it.id === node.facts.id),
      "at rest nothing is allocated",
      () => `${node.facts.id}: ${JSON.stringify(allocated)}`,
    );
    checks.that(
      node.seenAtMs > 0 && node.connectedAtMs > 0,
      "every state has an age",
      () => JSON.stringify(node),
    );
    checks.that(
      node.connection === "connected" || (node.disconnectedAtMs ?? 0) > 0,
      "every state has an age",
      () => JSON.stringify(node),
    );
  }
  for (const node of world.nodes) {
    checks.that(
      node.engine.running.length === 0 || node.isGone,
      "at rest nothing runs",
      () => `${node.id} runs ${node.engine.running.map(({ executionId }) => executionId)}`,
    );
  }
}

function checkWishes({ wishes, checks }: World, { jobs }: Rows): void {
  const ids = new Set<string>(jobs.map(({ job }) => job.id));
  for (const { jobId, number } of wishes) {
    if (jobId !== undefined) {
      checks.that(ids.has(jobId), "an acknowledged submission survives", () => `job ${number}`);
    }
  }
  const byWish = new Map<unknown, string>();
  for (const { job } of jobs) {
    const mark = job.spec.labels.wish;
    checks.that(
      !byWish.has(mark),
      "one token, one job",
      () => `wish ${mark}: ${byWish.get(mark)} and ${job.id}`,
    );
    byWish.set(mark, job.id);
  }
}

function checkEnd(
  { wishes, checks, nowMs }: World,
  { job, executions }: { row: number; job: Job; executions: readonly Execution[] },
): void {
  const wish = wishes.find(({ spec }) => spec.labels.wish === job.spec.labels.wish)!;
  const own = executions.filter(({ jobId, jobVersion }) => jobId === job.id && jobVersion === job.version);
  const isStopped = wishes.some((one) => one.jobId === job.id && one.isStopped);
  const { timeouts } = job.spec.task;
  const rule = "a job ends as its spec says";
  const is = (holds: boolean, what: string) =>
    checks.that(holds, rule, () => `${job.id} ${job.phase} ${job.code}: ${what}: ${job.message}`);
  if (JOB_TERMINAL.has(job.phase)) {
    is(own.every(({ phase }) => !isLive(phase)), "executions of it are live");
    is(
      own.every(({ phase, desired }) =>
        phase !== "lost" || desired === "stop" || job.phase === "failed" || job.phase === "completed"
      ),
      "lost",
    );
  }
  // A version that came after the stop goes its own way.
  if (isStopped && job.version === 1) is(job.phase === "stopped", "a user stopped it");
  if (!isStopped) is(job.phase !== "stopped", "nobody stopped it");
  const ageMs = nowMs() - (wish.askedAtMs ?? 0);
  // What was lost may have been corrected since.
  const count = (code: string) =>
    own.filter((one) => one.code === code || (code === "node_lost" && checks.everLost.has(one.id))).length;
  switch (job.code) {
    case "queue_timed_out":
      return is(timeouts.queueMs > 0 && ageMs >= timeouts.queueMs, "it has not waited so long");
    case "job_timed_out":
      return is(timeouts.totalMs > 0 && ageMs >= timeouts.totalMs, "it has not taken so long");
    case "program_failed":
    case "module_trapped":
    case "module_invalid":
    case "execution_timed_out":
    case "unhealthy":
      is(count(job.code) > 0, "none of its executions ended so");
      is(
        mostFailures(own) > job.spec.retry.attempts || own.some((one) => isUnlisted(one, job.spec.retry)),
        "it had attempts left",
      );
      is(job.code !== "unhealthy" || job.spec.health !== undefined, "it has no check");
      return is(job.code !== "execution_timed_out" || timeouts.executionMs > 0, "it has no time-out");
    case "node_lost":
      return is(count(job.code) > 0 || isPerNode(job.spec.type), "none of its executions ended so");
    case "interrupted":
      return is(
        count(job.code) > 0 ||
          (job.spec.retry.lostAttempts === 0 && own.some(({ moving }) => moving !== undefined)),
        "none of its executions ended so",
      );
    case "refused":
    case "input_failed":
    case "publish_failed":
    case "disk_full":
      return is(count(job.code) > 0, "none of its executions ended so");
    case "not_enough_nodes":
    case undefined:
      return;
    default:
      is(false, "not one of the reasons");
  }
}

/** Of the partition whose program failed most often: how often. */
function mostFailures(executions: readonly Execution[]): number {
  const counts = new Map<number, number>();
  for (const execution of executions) {
    if (execution.phase !== "failed" || blame(execution) !== "program") continue;
    counts.set(execution.partition, (counts.get(execution.partition) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

function checkAgreement({ home, nodes, checks }: World, { executions }: Rows): void {
  for (const node of nodes) {
    if (node.isGone || node.wipeCount > 0) continue;
    const journal = new Journal(node.disk.committed);
    for (const execution of executions) {
      if (execution.nodeId !== (node.id as NodeId)) continue;
      const known = journal.find(execution.id);
      const there = known && phaseOf(known.state);
      const isSame = there === undefined ? !isLive(execution.phase) : there === execution.phase ||
        (there === "completed" && execution.phase === "stopped" &&
          execution.message!.startsWith("Result not accepted"));
      checks.that(
        isSame,
        "home and agent agree at rest",
        () => `${execution.id}: ${execution.phase} at home, ${there} on ${node.id}`,
      );
    }
  }
  checks.that(
    home.program!.store.waiting.dueCount === 0,
    "at rest nothing is due",
    () => "evaluations are due",
  );
}

/** Each event of an agent once and in order. */
function checkHistory({ home, nodes, checks }: World, { executions }: Rows): void {
  const read = (database: Database, id: string, origin: string | null) =>
    database.all("SELECT body FROM ledger WHERE execution_id = ? AND origin IS ? ORDER BY seq", id, origin)
      .map(({ body }) => (decodeBody(body) as { topic: string; message: string }).message);
  for (const node of nodes) {
    if (node.isGone || node.wipeCount > 0) continue;
    for (const { id, nodeId } of executions) {
      // What the agent swept away is compared no more.
      if (nodeId !== (node.id as NodeId) || new Journal(node.disk.committed).find(id) === undefined) continue;
      const [there, here] = [
        read(node.disk.committed, id, null),
        read(home.disk.committed, id, agentPeer(node.id)),
      ];
      checks.that(
        JSON.stringify(there) === JSON.stringify(here),
        "history has each event once and in order",
        () => `${id}: ${JSON.stringify(here)} at home, ${JSON.stringify(there)} on ${node.id}`,
      );
    }
  }
}

/** A failure that the job's policy does not list. */
const isUnlisted = (one: Execution, { on }: RetryPolicy): boolean =>
  on !== undefined && one.phase === "failed" && blame(one) === "program" &&
  !on.some((it) => it === one.code || it === one.output?.exitCode);
