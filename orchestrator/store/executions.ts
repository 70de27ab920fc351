/** Rows of executions. Every write belongs to the caller's transaction. */
import { encodeBody, parseBody, parseStored } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import { Execution, HealthStatus } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import type { OpenExecution } from "../core/plan.ts";

/** An execution with its job's row. */
export interface ExecutionRow {
  readonly jobRow: number;
  readonly execution: Execution;
}

/** A live execution in short. */
export interface ThereRow {
  readonly id: ExecutionId;
  readonly jobRow: number;
  readonly phase: Execution["phase"];
  readonly desired: Execution["desired"];
}

/** One in the line of a node. */
export interface QueuedRow {
  readonly id: ExecutionId;
  readonly jobRow: number;
  readonly hasBegun: boolean;
}

/** Of executions: live. */
export const LIVE = "phase IN ('placed', 'queued', 'preparing', 'running', 'publishing')";

const FAILED = "phase IN ('failed', 'stopped', 'refused', 'lost')";
/** The two indexes of executions that have not completed. */
const OPEN = [{ index: "executions_live", phases: LIVE }, { index: "executions_failed", phases: FAILED }];

/** What `#toOpen` reads, but for one column. Of those that live no body is parsed: there may be many, at every look. */
const OPEN_COLUMNS = `id, job_row, node_id, partition, attempt, phase, desired, health, restarts,
  CASE WHEN ${LIVE} THEN NULL ELSE body END AS body`;

/** Reads and writes executions. */
export class Executions {
  readonly #database: Database;
  readonly #damaged: Damaged;

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  insert({ jobRow, execution }: ExecutionRow): void {
    const { resources } = execution;
    this.#database.run(
      `INSERT INTO executions (id, job_row, job_version, partition, attempt, node_id, phase, desired,
         cpu_millis, memory_bytes, disk_bytes, gpu_count, modified_at_ms, body, host_ports)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      execution.id,
      jobRow,
      execution.jobVersion,
      execution.partition,
      execution.attempt,
      execution.nodeId,
      execution.phase,
      execution.desired,
      resources.cpuMillis,
      resources.memoryBytes,
      resources.diskBytes,
      resources.gpuCount,
      execution.modifiedAtMs,
      encodeBody(execution),
      execution.hostPorts?.join() || null,
    );
  }

  update(execution: Execution): void {
    this.#database.run(
      "UPDATE executions SET phase = ?, desired = ?, modified_at_ms = ?, health = ?, restarts = ?, body = ? WHERE id = ?",
      execution.phase,
      execution.desired,
      execution.modifiedAtMs,
      execution.health?.status ?? null,
      (execution.restarts ?? 0) - (execution.restartsBefore ?? 0) || null,
      encodeBody(execution),
      execution.id,
    );
  }

  find(id: string): ExecutionRow | undefined {
    const row = this.#database.get("SELECT job_row, body FROM executions WHERE id = ?", id);
    return row === undefined ? undefined : toExecution(row);
  }

  /** At most two: enough to see that a prefix is ambiguous. */
  findByPrefix(prefix: string): readonly ExecutionRow[] {
    return this.#database.all(
      "SELECT job_row, body FROM executions WHERE id >= ? AND id < ? LIMIT 2",
      prefix,
      `${prefix}\u{10ffff}`,
    ).map(toExecution);
  }

  /** Whether a partition has its accepted result. */
  isTaken(at: { jobRow: number; jobVersion: number; partition: number }): boolean {
    return this.#database.get(
      "SELECT 1 AS one FROM executions WHERE job_row = ? AND job_version = ? AND partition = ? AND phase = 'completed'",
      at.jobRow,
      at.jobVersion,
      at.partition,
    ) !== undefined;
  }

  /** The latest execution of a partition that was not refused. */
  findLatest(at: { jobRow: number; jobVersion: number; partition: number }): ExecutionId | undefined {
    const row = this.#database.get(
      `SELECT id FROM executions WHERE job_row = ? AND job_version = ? AND partition = ? AND phase <> 'refused'
       ORDER BY attempt DESC LIMIT 1`,
      at.jobRow,
      at.jobVersion,
      at.partition,
    );
    return row && row.id as ExecutionId;
  }

  /** What a partition left: its completed execution's result, or else the last there is. */
  findResult(at: { jobRow: number; jobVersion: number; partition: number }): Execution | undefined {
    const rows = this.#database.all(
      `SELECT id, job_row, body FROM executions WHERE job_row = ? AND job_version = ? AND partition = ?
       ORDER BY phase = 'completed' DESC, attempt DESC`,
      at.jobRow,
      at.jobVersion,
      at.partition,
    );
    for (const row of rows) {
      const execution = this.#read(row)?.execution;
      if (execution?.result !== undefined) return execution;
    }
  }

  /** The first partition that has had no execution. */
  nextPartition(jobRow: number, jobVersion: number): number {
    const last = this.#database.get(
      "SELECT max(partition) AS last FROM executions WHERE job_row = ? AND job_version = ?",
      jobRow,
      jobVersion,
    )?.last;
    return last === null || last === undefined ? 0 : Number(last) + 1;
  }

  /** Nodes that have had an execution of the version. */
  nodesOf(jobRow: number, jobVersion: number): ReadonlySet<NodeId> {
    const rows = this.#database.all(
      "SELECT DISTINCT node_id FROM executions WHERE job_row = ? AND job_version = ?",
      jobRow,
      jobVersion,
    );
    return new Set(rows.map(({ node_id }) => node_id as NodeId));
  }

  /** What reconcile needs to know of a version's executions. */
  openOf(jobRow: number, jobVersion: number): { open: readonly OpenExecution[]; nextPartition: number } {
    const nextPartition = this.nextPartition(jobRow, jobVersion);
    // By two partial indexes: completed executions, which may be many, are not walked.
    const rows = OPEN.flatMap(({ index, phases }) =>
      this.#database.all(
        `SELECT ${OPEN_COLUMNS},
           EXISTS (SELECT 1 FROM executions other WHERE other.job_row = executions.job_row
             AND other.job_version = executions.job_version AND other.partition = executions.partition
             AND other.phase = 'completed') AS superseded
         FROM executions INDEXED BY ${index} WHERE job_row = ? AND job_version = ? AND ${phases} ORDER BY row`,
        jobRow,
        jobVersion,
      )
    );
    return { open: rows.map((row) => this.#toOpen(row)), nextPartition };
  }

  /** Of earlier versions: those that may run, asked to stop or not. */
  olderOf(jobRow: number, jobVersion: number): readonly OpenExecution[] {
    return this.#database.all(
      `SELECT ${OPEN_COLUMNS}, 0 AS superseded FROM executions INDEXED BY executions_live
         WHERE job_row = ? AND job_version < ? AND ${LIVE}
       UNION ALL SELECT ${OPEN_COLUMNS}, 0 AS superseded FROM executions INDEXED BY executions_failed
         WHERE job_row = ? AND job_version < ? AND ${FAILED} AND phase = 'lost' AND desired = 'run'`,
      ...[jobRow, jobVersion, jobRow, jobVersion],
    ).map((row) => this.#toOpen(row));
  }

  /** Where executions of earlier versions have stopped because they were asked to. */
  vacatedOf(jobRow: number, jobVersion: number): readonly { partition: number; nodeId: NodeId }[] {
    return this.#database.all(
      `SELECT DISTINCT partition, node_id FROM executions INDEXED BY executions_failed
       WHERE job_row = ? AND job_version < ? AND ${FAILED} AND phase = 'stopped' AND desired = 'stop'`,
      jobRow,
      jobVersion,
    ).map(({ partition, node_id }) => ({ partition: Number(partition), nodeId: node_id as NodeId }));
  }

  /** Makes an execution of an earlier version one of a later version; answers it as it is then. */
  adopt(execution: Execution, { jobVersion, priority }: { jobVersion: number; priority: number }): Execution {
    const adopted = {
      ...{ ...execution, jobVersion, revision: execution.revision + 1 },
      priority: priority === 0 ? undefined : priority,
      restartsBefore: execution.restarts,
    };
    this.update(adopted);
    this.#database.run("UPDATE executions SET job_version = ? WHERE id = ?", jobVersion, execution.id);
    return adopted;
  }

  /** The same of a version without an end: those that may run, and the latest of each partition. */
  latestOf(jobRow: number, jobVersion: number): { open: readonly OpenExecution[]; nextPartition: number } {
    const nextPartition = this.nextPartition(jobRow, jobVersion);
    const rows = this.#database.all(
      `SELECT ${OPEN_COLUMNS}, 0 AS superseded FROM executions
       WHERE job_row = ? AND job_version = ? AND (${LIVE} OR (phase = 'lost' AND desired = 'run') OR NOT EXISTS (SELECT 1 FROM executions later WHERE later.job_row = executions.job_row
           AND later.job_version = executions.job_version AND later.partition = executions.partition
           AND later.attempt > executions.attempt))`,
      jobRow,
      jobVersion,
    );
    return { open: rows.map((row) => this.#toOpen(row)), nextPartition };
  }

  /** Live executions of a job, whatever their version; damaged ones are left out. */
  liveOf(jobRow: number): readonly Execution[] {
    return this.#database.all(
      `SELECT id, job_row, body FROM executions INDEXED BY executions_live WHERE job_row = ? AND ${LIVE} ORDER BY row`,
      jobRow,
    ).flatMap((row) => this.#read(row)?.execution ?? []);
  }

  /** How many of a job run, and do their work as far as is known, and nobody asked them to stop. */
  upCount(jobRow: number): number {
    const found = this.#database.get(
      `SELECT count(*) AS n FROM executions INDEXED BY executions_live WHERE job_row = ? AND ${LIVE}
         AND phase = 'running' AND desired = 'run' AND coalesce(health, 'healthy') = 'healthy'`,
      jobRow,
    );
    return Number(found!.n);
  }

  /** Whether something of a version has not begun, or of all versions, whether something has. */
  hasAny(
    what: "waiting" | "begun",
    { jobRow, jobVersion }: { jobRow: number; jobVersion?: number },
  ): boolean {
    return this.#database.get(
      `SELECT 1 AS one FROM executions INDEXED BY executions_live WHERE job_row = ? AND ${LIVE}
         AND (phase IN ('placed', 'queued')) = ? AND (? IS NULL OR job_version = ?) LIMIT 1`,
      ...[jobRow, what === "waiting" ? 1 : 0, jobVersion ?? null, jobVersion ?? null],
    ) !== undefined;
  }

  /** Every live execution; damaged ones are left out. */
  allLive(): readonly Execution[] {
    return this.#database.all(
      `SELECT id, job_row, body FROM executions INDEXED BY executions_live WHERE ${LIVE} ORDER BY row`,
    ).flatMap((row) => this.#read(row)?.execution ?? []);
  }

  /** How many executions of a job are live, in all its versions, and how many of a version ended without a result. */
  countsOf(jobRow: number, jobVersion: number): { live: number; unsuccessful: number } {
    const live =
      `SELECT count(*) AS n FROM executions INDEXED BY executions_live WHERE job_row = ? AND ${LIVE}`;
    const failed =
      `SELECT count(*) AS n FROM executions INDEXED BY executions_failed WHERE job_row = ? AND job_version = ? AND ${FAILED}`;
    return {
      live: Number(this.#database.get(live, jobRow)!.n),
      unsuccessful: Number(this.#database.get(failed, jobRow, jobVersion)!.n),
    };
  }

  /** Some of each: live ones of any version, those of a version that ended last without a result, completed ones of it. */
  someOf(
    jobRow: number,
    { jobVersion, limit, hasCompleted = true }: { jobVersion: number; limit: number; hasCompleted?: boolean },
  ): Record<"live" | "unsuccessful" | "completed", readonly Execution[]> {
    const read = (sql: string, ...values: number[]) =>
      this.#database.all(
        `SELECT id, job_row, body FROM executions INDEXED BY ${sql} LIMIT ?`,
        ...values,
        limit,
      )
        .flatMap((row) => this.#read(row)?.execution ?? []);
    const ofVersion = "WHERE job_row = ? AND job_version = ?";
    return {
      live: read(`executions_live WHERE job_row = ? AND ${LIVE}`, jobRow),
      unsuccessful: read(
        `executions_failed ${ofVersion} AND ${FAILED} ORDER BY row DESC`,
        jobRow,
        jobVersion,
      ),
      // Where there is none, all would be looked through.
      completed: !hasCompleted ? [] : read(
        `executions_job ${ofVersion} AND phase = 'completed' ORDER BY partition, attempt`,
        jobRow,
        jobVersion,
      ),
    };
  }

  /** Whether an execution of the job may be running that nobody asked to stop: live, or lost. */
  mayRunOf(jobRow: number): boolean {
    return OPEN.some(({ index, phases }) =>
      this.#database.get(
        `SELECT 1 AS one FROM executions INDEXED BY ${index} WHERE job_row = ? AND ${phases} AND phase NOT IN ('failed', 'stopped', 'refused')
         AND desired = 'run' LIMIT 1`,
        jobRow,
      ) !== undefined
    );
  }

  /** Executions that a node shall not end by itself: live, or given up and their late result still welcome. */
  wantedOn(nodeId: NodeId): readonly ExecutionId[] {
    const from = {
      executions_live: LIVE,
      executions_lost: "phase = 'lost' AND desired = 'run'",
    };
    return Object.entries(from).flatMap(([index, phases]) =>
      this.#database.all(
        `SELECT id FROM executions INDEXED BY ${index} WHERE node_id = ? AND ${phases} ORDER BY row`,
        nodeId,
      )
    ).map(({ id }) => id as ExecutionId);
  }

  /** Live executions on a node, oldest first; damaged ones are left out. */
  liveOn(nodeId: NodeId): readonly ExecutionRow[] {
    return this.#database.all(
      `SELECT id, job_row, body FROM executions INDEXED BY executions_live WHERE node_id = ? AND ${LIVE} ORDER BY row`,
      nodeId,
    ).flatMap((row) => this.#read(row) ?? []);
  }

  /** The same without their records: enough to see who has to leave. */
  thereOn(nodeId: NodeId): readonly ThereRow[] {
    return this.#database.all(
      `SELECT id, job_row, phase, desired FROM executions INDEXED BY executions_live WHERE node_id = ? AND ${LIVE} ORDER BY row`,
      nodeId,
    ).map((row) => ({
      id: row.id as ExecutionId,
      jobRow: Number(row.job_row),
      phase: parseStored(Execution.shape.phase, row.phase),
      desired: row.desired === "stop" ? "stop" : "run",
    }));
  }

  /** Live executions on a node in the order in which it lets them begin: those that have, then by priority, then the oldest. */
  queueOn(nodeId: NodeId): readonly QueuedRow[] {
    return this.#database.all(
      `SELECT id, job_row, phase NOT IN ('placed', 'queued') AS has_begun FROM executions INDEXED BY executions_live
       WHERE node_id = ? AND ${LIVE} ORDER BY has_begun DESC,
         CASE WHEN json_valid(substr(body, 9)) THEN coalesce(json_extract(substr(body, 9), '$.priority'), 0) END DESC, row`,
      nodeId,
    ).map((row) => ({
      id: row.id as ExecutionId,
      jobRow: Number(row.job_row),
      hasBegun: Number(row.has_begun) === 1,
    }));
  }

  /** One whose record cannot be read has ended in a way that nobody knows: its job goes on. */
  #toOpen(row: SqlRow): OpenExecution {
    const ended = row.body === null ? undefined : this.#read(row)?.execution;
    return {
      id: row.id as ExecutionId,
      nodeId: row.node_id as NodeId,
      partition: Number(row.partition),
      attempt: Number(row.attempt),
      phase: parseStored(Execution.shape.phase, row.phase),
      desired: row.desired === "stop" ? "stop" : "run",
      createdAtMs: ended?.createdAtMs ?? 0,
      modifiedAtMs: ended?.modifiedAtMs ?? 0,
      code: ended?.code,
      message: ended?.message,
      hint: ended?.hint,
      exitCode: ended?.output?.exitCode,
      health: row.health === null ? undefined : parseStored(HealthStatus, row.health),
      restarts: row.restarts === null ? undefined : Number(row.restarts),
      streak: ended?.streak,
      moving: ended?.moving,
      isSuperseded: Number(row.superseded) === 1,
    };
  }

  #read(row: SqlRow): ExecutionRow | undefined {
    return this.#damaged.read(`execution ${row.id}`, () => toExecution(row));
  }

  /** A page of a job's executions; damaged ones are left out. */
  scan(options: {
    jobRow: number;
    version: number | "all";
    after: { key: number; row: number };
    orderBy: "created" | "modified";
    isReversed: boolean;
    limit: number;
  }): readonly { row: number; execution: Execution }[] {
    const { jobRow, version, after, orderBy, isReversed, limit } = options;
    const [sign, order] = isReversed ? ["<", "DESC"] : [">", "ASC"];
    const number = version === "all" ? 0 : version;
    const where = "job_row = ? AND (? = 0 OR job_version = ?)";
    // Along an index; by the last change without one, where at least the bodies are not sorted with the keys.
    const sql = orderBy === "created"
      ? `SELECT id, row, row AS key, job_row, body FROM executions INDEXED BY executions_created
         WHERE ${where} AND row ${sign} ? ORDER BY row ${order} LIMIT ?`
      : `SELECT id, row, key, job_row, body FROM (
           SELECT row AS found, modified_at_ms AS key FROM executions INDEXED BY executions_created
           WHERE ${where} AND (modified_at_ms, row) ${sign} (?, ?) ORDER BY key ${order}, row ${order} LIMIT ?
         ) CROSS JOIN executions ON row = found ORDER BY key ${order}, row ${order}`;
    return this.#damaged.page({
      limit,
      next: (last, rest) => {
        const from = last === undefined ? after : { key: Number(last.key), row: Number(last.row) };
        const key = orderBy === "created" ? [from.row] : [from.key, from.row];
        return this.#database.all(sql, jobRow, number, number, ...key, rest);
      },
      read: (row) => ({ row: Number(row.row), execution: toExecution(row).execution }),
      about: ({ id }) => `execution ${id}`,
    });
  }
}

function toExecution(row: SqlRow): ExecutionRow {
  return { jobRow: Number(row.job_row), execution: parseBody(Execution, row.body) };
}
