/**
 * What must stay true while faults run (architecture, section 8): looked at after every commit of the home and of the
 * agents, and whenever an engine starts a task.
 */
import { type ExecutionState, holdsAllocation, runOf } from "../../agent/core/execution_state.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";
import type { ComposedOrchestrator } from "../../orchestrator/flow/compose.ts";
import { decodeBody } from "../../shared/ledger/body.ts";
import type { SqlValue } from "../../shared/ledger/database.ts";
import { type Execution, EXECUTION_TERMINAL, isLive } from "../../shared/model/execution.ts";
import { isEndless, isPerNode, type Job, JOB_TERMINAL } from "../../shared/model/job.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import { DIMENSIONS, fits, NO_RESOURCES } from "../../shared/model/resources.ts";
import { NOTHING_PLACED } from "../../orchestrator/core/node.ts";
import { blame } from "../../orchestrator/core/retry.ts";
import type { SimNode } from "./sim_node.ts";
import type { Timeline } from "./timeline.ts";
import type { Wish } from "./workload.ts";

/** Something that must stay true did not. */
export class Violation extends Error {
  override name = "Violation";
  constructor(readonly rule: string, readonly detail: string) {
    super(`${rule}: ${detail}`);
  }
}

/** What a terminal execution was when it ended. */
interface End {
  readonly phase: string;
  readonly text: string;
}

export class Checks {
  readonly #timeline: Timeline;
  readonly #nodes: () => readonly SimNode[];
  #home: ComposedOrchestrator | undefined;
  #violation: Violation | undefined;
  readonly #touchedExecutions = new Set<string>();
  readonly #touchedJobs = new Set<number>();
  readonly #preempted = new Set<string>();
  readonly #ends = new Map<string, End>();
  readonly #jobEnds = new Map<string, string>();
  /** Executions that their home gave up at some time. */
  /** Versions that came back in place of one that would not do. */
  readonly rollbacks = new Set<string>();
  readonly everLost = new Set<string>();
  readonly #starts = new Map<string, number>();
  readonly #forgotten = new Set<string>();
  readonly #acked = new Map<string, Wish>();
  startCount = 0;
  /** Undefined: nobody makes way for others. */
  preemptDifference: number | undefined;

  constructor(options: { timeline: Timeline; nodes: () => readonly SimNode[] }) {
    this.#timeline = options.timeline;
    this.#nodes = options.nodes;
  }

  get preemptedCount(): number {
    return this.#preempted.size;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** The first failure stays. */
  fail(rule: string, detail: string): void {
    if (this.#violation !== undefined) return;
    this.#timeline.trace(`VIOLATED: ${rule}: ${detail}`);
    this.#violation = new Violation(rule, detail);
  }

  /** Fails unless it holds. */
  that(holds: boolean, rule: string, detail: () => string): void {
    if (!holds) this.fail(rule, detail());
  }

  onHomeStart(program: ComposedOrchestrator): void {
    this.#home = program;
    this.#touchedExecutions.clear();
    this.#touchedJobs.clear();
    for (const wish of this.#acked.values()) this.#mustExist(wish);
  }

  onAck(wish: Wish): void {
    const id = wish.jobId!;
    this.#acked.set(id, wish);
    this.#mustExist(wish);
  }

  #mustExist({ jobId, number }: Wish): void {
    const found = this.#home?.store.jobs.find(jobId!);
    this.that(
      found !== undefined,
      "an acknowledged submission survives",
      () => `job ${number} ${jobId} is gone`,
    );
  }

  onHomeWrite(sql: string, values: readonly SqlValue[], rowId: number): void {
    if (sql.startsWith("UPDATE executions SET phase")) this.#touchedExecutions.add(String(values.at(-1)));
    else if (sql.startsWith("INSERT INTO executions")) this.#touchedExecutions.add(String(values[0]));
    else if (sql.startsWith("INSERT INTO jobs ")) this.#touchedJobs.add(rowId);
    else if (sql.startsWith("UPDATE jobs SET")) this.#touchedJobs.add(Number(values.at(-1)));
  }

  onHomeCommit(): void {
    if (this.#touchedExecutions.size === 0 && this.#touchedJobs.size === 0) return;
    const { store } = this.#home!;
    for (const id of this.#touchedExecutions) {
      const found = store.executions.find(id);
      if (found !== undefined) this.#checkExecution(found.jobRow, found.execution);
    }
    for (const row of this.#touchedJobs) {
      if (store.database.get("SELECT 1 AS one FROM jobs WHERE row = ?", row) !== undefined) {
        this.#checkJob(row, store.jobs.get(row).job);
      }
    }
    this.#touchedExecutions.clear();
    this.#touchedJobs.clear();
    this.#checkProjection();
  }

  #checkExecution(jobRow: number, execution: Execution): void {
    const { id, phase } = execution;
    this.#timeline.trace(
      `home: ${id.slice(0, 10)} p${execution.partition} ${phase} (wants ${execution.desired})`,
    );
    if (phase === "lost") this.everLost.add(id);
    if (execution.moving === "preemption") this.#checkPreempted(jobRow, execution);
    // Just placed.
    if (execution.revision === 1) {
      this.#checkQuota(execution.namespace);
      const drain = this.#home!.store.projection.find(execution.nodeId)?.node.drain;
      this.that(
        drain === undefined,
        "a node that is drained gets nothing new",
        () => `${id} on ${execution.nodeId}`,
      );
    }
    const end = this.#ends.get(id);
    const { code, message, hint, output, result } = execution;
    const text = JSON.stringify([code, message, hint, output, result]);
    const rule = "a terminal execution never changes, except lost";
    if (end !== undefined && end.phase !== "lost") {
      this.that(
        end.phase === phase && end.text === text,
        rule,
        () => `${id} was ${end.phase} ${end.text}, is ${phase} ${text}`,
      );
    }
    if (EXECUTION_TERMINAL.has(phase)) this.#ends.set(id, { phase, text });
    if (EXECUTION_TERMINAL.has(phase) && phase !== "completed") {
      this.that(
        Boolean(code) && Boolean(message),
        "every failure has a reason",
        () => `${id} is ${phase}: ${text}`,
      );
    }
    this.that(execution.createdAtMs > 0 && execution.modifiedAtMs > 0, "every state has an age", () => id);
    if (end === undefined) this.#checkPartition(jobRow, execution);
  }

  #checkPreempted(jobRow: number, { id, desiredMessage = "", priority = 0, jobVersion }: Execution): void {
    if (this.#preempted.has(id)) return;
    this.#preempted.add(id);
    const by = Number(/of priority (\d+) needs its room/.exec(desiredMessage)?.[1]);
    this.that(
      by - priority >= (this.preemptDifference ?? Infinity),
      "only what is lower in priority makes way",
      () => `${id} of ${priority}: ${desiredMessage}`,
    );
    const { type, retry } = this.#home!.store.jobs.findVersion(jobRow, jobVersion)!;
    this.that(
      !isPerNode(type) && retry.lostAttempts > 0,
      "only what may be placed anew makes way",
      () => `${id} of ${type}`,
    );
  }

  /** Whenever something is placed; what was given up may have come back beyond it. */
  #checkQuota(name: string): void {
    const { store } = this.#home!;
    const quota = store.namespaces.find(name)?.quota;
    if (quota === undefined) return;
    const held = store.database.all(
      "SELECT body FROM executions WHERE phase IN ('placed', 'queued', 'preparing', 'running', 'publishing')",
    ).map(({ body }) => decodeBody(body) as Execution)
      .filter(({ namespace, id }) => namespace === name && !this.everLost.has(id));
    for (const dimension of DIMENSIONS) {
      const sum = held.reduce((total, { resources }) => total + resources[dimension], 0);
      const asks = held.at(-1)?.resources[dimension] ?? 0;
      this.that(
        quota[dimension] === undefined || asks === 0 || sum <= quota[dimension],
        "no quota is exceeded",
        () => `${name} holds ${sum} of ${quota[dimension]} ${dimension}`,
      );
    }
  }

  #checkPartition(jobRow: number, { id, partition, phase, jobVersion }: Execution): void {
    const { store } = this.#home!;
    const spec = store.jobs.findVersion(jobRow, jobVersion)!;
    const rows = store.database.all(
      "SELECT body FROM executions WHERE job_row = ? AND job_version = ? AND partition = ? ORDER BY attempt",
      jobRow,
      jobVersion,
      partition,
    ).map(({ body }) => decodeBody(body) as Execution);
    const completed = rows.filter((row) => row.phase === "completed");
    this.that(
      completed.length <= 1,
      "at most one result per partition is accepted",
      () => `partition ${partition}: ${completed.map((row) => row.id)}`,
    );
    // What an earlier version asked for may still be on its way out.
    const counts = Array.from(
      { length: isEndless(spec.type) ? jobVersion : 1 },
      (_, at) => store.jobs.findVersion(jobRow, jobVersion - at)!.count,
    );
    const [is, max] = isPerNode(spec.type)
      // Numbers may be left out: a version goes on with what it takes over.
      ? [this.#partitionCount(jobRow, jobVersion), this.#nodes().length]
      : [partition + 1, Math.max(...counts)];
    if (isEndless(spec.type)) this.#checkPlaces(jobRow);
    this.that(is <= max, "never more partitions than asked", () => `${id}: ${is} of ${max}`);
    const live = rows.filter((row) => isLive(row.phase) && !this.everLost.has(row.id));
    this.that(
      live.length <= 1,
      "one live execution per partition",
      () => `partition ${partition} after ${id} ${phase}: ${live.map((row) => row.id)}`,
    );
    // What its home took away cost nothing when it was replaced, whatever became of it.
    const costing =
      rows.filter((row) => isLive(row.phase) || (blame(row) !== "busy" && row.moving === undefined)).length;
    this.that(
      isEndless(spec.type) || costing <= 1 + spec.retry.attempts + spec.retry.lostAttempts,
      "never more attempts than allowed",
      () =>
        `partition ${partition}: ${rows.map((row) => `${row.phase} ${row.code}`)}, ${
          JSON.stringify(spec.retry)
        }`,
    );
  }

  /** Whatever version is on its way: a job without an end has one live execution in each of its places. */
  #checkPlaces(jobRow: number): void {
    const { store } = this.#home!;
    const { job } = store.jobs.get(jobRow);
    const live = store.executions.liveOf(jobRow).filter(({ id }) => !this.everLost.has(id));
    const places = live.map((it) => isPerNode(job.spec.type) ? it.nodeId : it.partition);
    this.that(
      new Set(places).size === places.length,
      "one live execution in each place",
      () =>
        live.map((it) => `${it.id} v${it.jobVersion} ${it.nodeId} p${it.partition} ${it.phase}`).join(", "),
    );
    const wanted = live.filter(({ desired }) => desired === "run").length;
    const isDue = store.evaluations.find(jobRow)?.status === "due";
    this.that(
      isDue || isPerNode(job.spec.type) || wanted <= job.spec.count,
      "no count is ever exceeded",
      () => `${job.id} has ${wanted} of ${job.spec.count}`,
    );
  }

  #partitionCount(jobRow: number, jobVersion: number): number {
    const { database } = this.#home!.store;
    const sql = "SELECT count(DISTINCT partition) AS n FROM executions WHERE job_row = ? AND job_version = ?";
    return Number(database.get(sql, jobRow, jobVersion)!.n);
  }

  #checkJob(row: number, job: Job): void {
    this.#timeline.trace(`home: ${job.id.slice(0, 10)} ${job.phase} ${job.completedCount}/${job.spec.count}`);
    const version = `${job.id}/${job.version}`;
    const end = this.#jobEnds.get(version);
    this.that(
      end === undefined || end === job.phase,
      "a terminal version never changes",
      () => `${job.id} was ${end}, is ${job.phase}`,
    );
    if (JOB_TERMINAL.has(job.phase)) this.#jobEnds.set(version, job.phase);
    const { rollout } = job;
    this.that(
      isEndless(job.spec.type) === (rollout !== undefined) && (rollout?.goodVersion ?? 0) <= job.version,
      "a job without an end says how far its version has come",
      () => `${job.id} version ${job.version}: ${JSON.stringify(rollout)}`,
    );
    if (rollout?.rolledBackFrom !== undefined) {
      this.that(
        rollout.rolledBackFrom === job.version - 1 && Boolean(rollout.message),
        "a version that comes back says in place of which, and why",
        () => `${job.id} version ${job.version}: ${JSON.stringify(rollout)}`,
      );
      this.rollbacks.add(version);
    }
    const isListed = this.#home!.store.jobs.scan({
      after: row - 1,
      isReversed: false,
      limit: 1,
      isLive: true,
    })
      .some((found) => found.row === row);
    this.that(
      isListed !== JOB_TERMINAL.has(job.phase),
      "a job that has not ended is due, or at work",
      () => `${job.id} is ${job.phase}`,
    );
    if (job.phase === "failed") {
      this.that(
        Boolean(job.code) && Boolean(job.message),
        "every failure has a reason",
        () => JSON.stringify(job),
      );
    }
    if (job.phase === "stopped" || job.phase === "queued") {
      this.that(Boolean(job.message), "every wait and stop has a reason", () => JSON.stringify(job));
    }
    const asked = isPerNode(job.spec.type)
      ? this.#home!.store.executions.nextPartition(row, job.version)
      : job.spec.count;
    const done = Number(
      this.#home!.store.database.get(
        `SELECT count(DISTINCT partition) AS n FROM executions
         WHERE job_row = ? AND job_version = ? AND phase = 'completed'`,
        row,
        job.version,
      )!.n,
    );
    this.that(
      job.completedCount === done && done <= asked,
      "a job counts each result once",
      () => `${job.id} counts ${job.completedCount}, has ${done} of ${job.spec.count}`,
    );
    this.that(
      job.phase !== "completed" || done === asked,
      "completed means all partitions",
      () => `${job.id} has ${done} of ${job.spec.count}`,
    );
  }

  #checkProjection(): void {
    const { store } = this.#home!;
    const sums = store.loads.placed();
    const held = store.loads.heldByNamespace();
    for (const name of new Set([...held.keys(), ...store.projection.accounts.namespaces])) {
      this.that(
        JSON.stringify(store.projection.accounts.heldBy(name)) ===
          JSON.stringify(held.get(name) ?? NO_RESOURCES),
        "the home's accounts are the sum of its rows",
        () => `${name}: ${JSON.stringify(store.projection.accounts.heldBy(name))}`,
      );
    }
    for (const { node, allocated, waitingCount } of store.projection.nodes) {
      const sum = sums.get(node.facts.id) ?? NOTHING_PLACED;
      this.that(
        DIMENSIONS.every((it) => allocated[it] === sum.allocated[it]) && waitingCount === sum.waitingCount,
        "the home's projection is the sum of its rows",
        () => `${node.facts.id}: ${JSON.stringify({ allocated, waitingCount })}, rows ${JSON.stringify(sum)}`,
      );
    }
  }

  onAgentCommit(node: SimNode): void {
    const { executions } = node.program ?? {};
    if (executions === undefined) return;
    const { allocations } = executions;
    this.that(
      fits(allocations.total, node.facts.capacity),
      "allocations never exceed capacity",
      () => `${node.id}: ${JSON.stringify(allocations.total)}`,
    );
    const holding = executions.all().filter(({ state }) => holdsAllocation(state)).length;
    this.that(
      allocations.count === holding,
      "allocations are held and released exactly once",
      () => `${node.id}: ${allocations.count} held, ${holding} executions hold one`,
    );
  }

  /** The agent calls the engine's `start`. */
  onStartAsked(node: SimNode, { id, run }: { id: string; run: number }): void {
    const row = node.disk.committed.get("SELECT phase, body FROM executions WHERE id = ?", id);
    this.that(row !== undefined, "only what is on disk starts", () => `${node.id}: ${id}`);
    if (row === undefined) return;
    const state = decodeBody(row.body) as ExecutionState & { stopping?: { because: string } };
    this.that(
      run === 0 || (state.phase === "preparing" && runOf(state) === run),
      "a start in place is on disk before it happens",
      () => `${node.id} starts run ${run} of ${id}, which is ${JSON.stringify(state)}`,
    );
    this.that(
      state.phase !== "ended" && state.stopping?.because !== "order",
      "a stopped job starts nothing new",
      () => `${node.id} starts ${id}, which is ${JSON.stringify(state)}`,
    );
  }

  /** May be told in the middle of a commit: nothing is read here. */
  onStartForgotten(node: SimNode, { id, run }: { id: string; run: number }): void {
    this.#forgotten.add(`${id} ${run} ${node.id} ${node.wipeCount}`);
  }

  /** What nothing tells of any more may begin again, unless its job says that it must not; endless ones always. */
  #mayBeginAgain(node: SimNode, id: string): boolean {
    const row = node.disk.committed.get(
      "SELECT orders.body FROM orders JOIN executions USING (row) WHERE id = ?",
      id,
    );
    const order = row && decodeBody(row.body) as RunOrder;
    return !order?.runsOnce || isEndless(order.jobType);
  }

  /** A task begins to run. */
  onTaskRuns(node: SimNode, task: EngineTask): void {
    this.startCount++;
    const id = task.executionId;
    const key = `${id} ${task.run} ${node.id} ${node.wipeCount}`;
    const isForgotten = this.#forgotten.delete(key) && this.#mayBeginAgain(node, id);
    const count = isForgotten ? 1 : (this.#starts.get(key) ?? 0) + 1;
    this.#starts.set(key, count);
    this.that(
      count === 1,
      "each run of an execution starts once",
      () => `${id} run ${task.run} on ${node.id}: ${count} times`,
    );
    this.that(
      !node.engine.running.some(({ executionId }) => executionId === id),
      "an execution has one run at a time",
      () => `${id} run ${task.run} on ${node.id}`,
    );
    const running = [...node.engine.running, task];
    for (const [amount, limit] of [["cpuMillis", "cpuMillis"], ["memoryBytes", "memoryBytes"]] as const) {
      const sum = running.reduce((total, it) => total + it[amount], 0);
      this.that(
        sum <= node.facts.capacity[limit],
        "what runs never exceeds capacity",
        () => `${node.id}: ${sum} of ${node.facts.capacity[limit]} ${amount}`,
      );
    }
    for (const other of this.#nodes().flatMap(({ engine }) => engine.running)) {
      if (other.executionId === id || !isSamePartition(other, task)) continue;
      this.that(
        this.everLost.has(other.executionId) || this.everLost.has(id),
        "a partition runs twice only after a loss",
        () => `${id} begins while ${other.executionId} runs`,
      );
    }
  }
}

function isSamePartition(a: EngineTask, b: EngineTask): boolean {
  return a.env.SKERRY_JOB_ID === b.env.SKERRY_JOB_ID &&
    a.env.SKERRY_JOB_VERSION === b.env.SKERRY_JOB_VERSION &&
    a.env.SKERRY_PARTITION_INDEX === b.env.SKERRY_PARTITION_INDEX;
}
