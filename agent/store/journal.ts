/**
 * The agent's journal: every execution it was given, with its order and how far it has come. Writes belong to the
 * caller's transaction.
 */
import { z } from "zod";
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import { encodeBody, parseBody } from "../../shared/ledger/body.ts";
import { Damaged } from "../../shared/ledger/damaged.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { HealthStatus, LastExit } from "../../shared/model/execution.ts";
import type { EvaluationId, ExecutionId, JobId } from "../../shared/model/ids.ts";
import { ImageFound } from "../../shared/model/image.ts";
import { Port } from "../../shared/model/port.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import { PublishedResult, RunOutput } from "../../shared/model/result.ts";
import { Order, type RunOrder } from "../../shared/model/order.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import type { ExecutionState } from "../core/execution_state.ts";

const Failure = {
  code: z.custom<ErrorCode>((value) => typeof value === "string"),
  message: z.string(),
  hint: z.string().optional(),
};
const Outcome = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("completed"), hint: z.string().optional() }),
  z.object({ kind: z.enum(["failed", "stopped", "refused"]), ...Failure }),
]);
const Stopping = z.discriminatedUnion("because", [
  z.object({ because: z.literal("order"), message: z.string(), graceMs: z.number() }),
  z.object({ because: z.literal("time_out"), timeoutMs: z.number(), graceMs: z.number() }),
  z.object({ because: z.literal("unhealthy"), message: z.string(), graceMs: z.number() }),
  z.object({ because: z.literal("agent_restart"), then: z.enum(["restart", "fail"]), graceMs: z.number() }),
]);
const Past = z.object({
  run: z.number(),
  lastExit: LastExit,
  outputFrom: z.object({ stdout: z.number(), stderr: z.number() }),
  intervalFromMs: z.number(),
  intervalCount: z.number(),
  streak: z.number(),
});
const Health = z.object({ status: HealthStatus, sinceMs: z.number(), message: z.string().optional() });
/** The states of `core/execution.ts`, as they are stored. */
const State = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("queued") }),
  z.object({ phase: z.literal("preparing"), stopping: Stopping.optional(), past: Past.optional() }),
  z.object({
    phase: z.literal("running"),
    stopping: Stopping.optional(),
    past: Past.optional(),
    startedMs: z.number().optional(),
    health: Health.optional(),
  }),
  z.object({
    phase: z.literal("restarting"),
    past: Past,
    inMs: z.number(),
    sinceMs: z.number(),
    output: RunOutput,
  }),
  z.object({ phase: z.literal("publishing"), outcome: Outcome, output: RunOutput, past: Past.optional() }),
  z.object({
    phase: z.literal("ended"),
    outcome: Outcome,
    output: RunOutput.optional(),
    result: PublishedResult.optional(),
    past: Past.optional(),
  }),
]);

/** One execution as stored. */
export interface JournalRecord {
  readonly row: number;
  readonly id: ExecutionId;
  readonly home: PeerId;
  readonly revision: number;
  readonly state: ExecutionState;
  readonly image?: ImageFound;
  readonly ports?: readonly Port[];
}

/** Executions, their orders, and values of the agent itself. */
export class Journal {
  readonly #database: Database;
  readonly #damaged: Damaged;

  constructor(database: Database, damaged = new Damaged()) {
    this.#database = database;
    this.#damaged = damaged;
  }

  /** First free row: rows are numbered by the caller, so that a record has its row before it is written. */
  nextRow(): number {
    return Number(this.#database.get("SELECT max(row) AS row FROM executions")?.row ?? 0) + 1;
  }

  /** Everything that has not ended, oldest first, with its order. What has lost its order has ended by that. */
  loadLive(): readonly (JournalRecord & { readonly order: RunOrder })[] {
    return this.#database.all(
      `SELECT executions.*, orders.body AS order_body FROM executions LEFT JOIN orders ON orders.row = executions.row
       WHERE ended_lifetime_ms IS NULL ORDER BY executions.row`,
    ).map((row) => {
      const record = this.#read(row);
      const order = this.#damaged.read(`order of execution ${record.id}`, () => toRunOrder(row.order_body));
      return order === undefined
        ? { ...record, state: ORDER_LOST, order: lostOrder(record.id) }
        : { ...record, order };
    });
  }

  /** A state that cannot be read is as far as its phase tells; the engine knows the rest. */
  #read(row: SqlRow): JournalRecord {
    const id = String(row.id) as ExecutionId;
    const state = this.#damaged.read(`execution ${id}`, () => parseBody(State, row.body) as ExecutionState);
    const image = row.image === null
      ? undefined
      : this.#damaged.read(`image of execution ${id}`, () => parseBody(ImageFound, row.image));
    const ports = row.ports === null
      ? undefined
      : this.#damaged.read(`ports of execution ${id}`, () => parseBody(z.array(Port), row.ports));
    return {
      row: Number(row.row),
      id,
      home: String(row.home),
      revision: Number(row.revision),
      state: state ?? stateByPhase(String(row.phase)),
      ...(image && { image }),
      ...(ports && { ports }),
    };
  }

  /** Everything of this home that it has not confirmed to have recorded. */
  loadUnconfirmed(home: PeerId): readonly JournalRecord[] {
    return this.#database.all(
      "SELECT * FROM executions WHERE home = ? AND is_forgettable = 0 ORDER BY row",
      home,
    ).map((row) => this.#read(row));
  }

  find(id: ExecutionId): JournalRecord | undefined {
    const row = this.#database.get("SELECT * FROM executions WHERE id = ?", id);
    return row && this.#read(row);
  }

  /** Writes the whole record. `endedMs` is the agent's lifetime at its end, once it has ended. */
  put(record: JournalRecord, options: { endedMs: number | undefined; keepsResults: boolean }): void {
    this.#database.run(
      `INSERT INTO executions (row, id, home, phase, revision, body, ended_lifetime_ms, is_forgettable, keeps_results, has_results, image, ports)
       VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)
       ON CONFLICT (row) DO UPDATE SET phase = excluded.phase, revision = excluded.revision, body = excluded.body,
         ended_lifetime_ms = excluded.ended_lifetime_ms, keeps_results = excluded.keeps_results,
         has_results = excluded.has_results, image = excluded.image`,
      record.row,
      record.id,
      record.home,
      record.state.phase,
      record.revision,
      encodeBody(record.state),
      options.endedMs ?? null,
      options.keepsResults ? 1 : 0,
      options.keepsResults ? 1 : 0,
      record.image === undefined ? null : encodeBody(record.image),
      record.ports === undefined ? null : encodeBody(record.ports),
    );
  }

  /** Once, with the first `put`. */
  putOrder(row: number, order: RunOrder): void {
    this.#database.run("INSERT OR IGNORE INTO orders (row, body) VALUES (?, ?)", row, encodeBody(order));
  }

  /** Its home has recorded the end. Nothing happens when it has not ended. */
  setForgettable(id: ExecutionId): void {
    this.#database.run(
      "UPDATE executions SET is_forgettable = 1 WHERE id = ? AND ended_lifetime_ms IS NOT NULL AND is_forgettable = 0",
      id,
    );
  }

  /** Its home has forgotten the job: nobody can fetch what it left any more. Nothing happens when it has not ended. */
  forget(id: ExecutionId): void {
    this.#database.run(
      "UPDATE executions SET is_forgettable = 1, keeps_results = 0 WHERE id = ? AND ended_lifetime_ms IS NOT NULL",
      id,
    );
  }

  /**
   * Lets those be forgotten that have ended and of which nothing waits in the outbox: their homes have acknowledged the
   * end, and a home acknowledges in the transaction that records it. Answers how many, at most `limit`.
   */
  confirmEnded(limit: number): number {
    return this.#database.run(
      `UPDATE executions SET is_forgettable = 1 WHERE row IN (
         SELECT row FROM executions WHERE is_forgettable = 0 AND ended_lifetime_ms IS NOT NULL
           AND id NOT IN (SELECT about FROM outbox) ORDER BY home, row LIMIT ?)`,
      limit,
    ).changes;
  }

  /** All its results have been read, at this lifetime of the agent. */
  setFetched(id: ExecutionId, atMs: number): void {
    this.#database.run(
      "UPDATE executions SET keeps_results = 0, fetched_lifetime_ms = ? WHERE id = ?",
      atMs,
      id,
    );
  }

  /** Forgets one execution and its ledger entries. */
  remove(row: number): void {
    this.#database.run("DELETE FROM executions WHERE row = ?", row);
    this.#database.run("DELETE FROM orders WHERE row = ?", row);
    this.#database.run("DELETE FROM ledger WHERE subject = ?", row);
  }

  /** A value of the agent itself, such as its node's id; undefined also when it cannot be read. */
  findMeta<Schema extends z.ZodType>(key: string, schema: Schema): z.infer<Schema> | undefined {
    const row = this.#database.get("SELECT body FROM meta WHERE key = ?", key);
    return row && this.#damaged.read(`value ${key}`, () => parseBody(schema, row.body));
  }

  putMeta(key: string, value: unknown): void {
    this.#database.run(
      "INSERT INTO meta (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body",
      key,
      encodeBody(value),
    );
  }
}

const DAMAGED = { hint: "The node's disk or its file agent.db is damaged: check the disk" };
const ORDER_LOST: ExecutionState = {
  phase: "ended",
  outcome: {
    kind: "failed",
    code: "interrupted",
    message: "The node can no longer read what it was ordered to run",
    ...DAMAGED,
  },
};
const END_LOST: ExecutionState = {
  phase: "ended",
  outcome: {
    kind: "failed",
    code: "interrupted",
    message: "The node can no longer read how the execution ended",
    ...DAMAGED,
  },
};

function stateByPhase(phase: string): ExecutionState {
  if (phase === "ended") return END_LOST;
  return { phase: phase === "queued" ? "queued" : "running" };
}

/** Stands for an order that cannot be read: it asks for nothing. */
function lostOrder(executionId: ExecutionId): RunOrder {
  return {
    desired: "run",
    executionId,
    jobId: "" as JobId,
    jobVersion: 1,
    jobType: "batch",
    namespace: "",
    evaluationId: "" as EvaluationId,
    partition: 0,
    partitionCount: 0,
    priority: 0,
    task: {
      name: "",
      engine: { type: "", params: {} },
      env: {},
      meta: {},
      inputs: [],
      resultPaths: [],
      resources: NO_RESOURCES,
      network: { type: "none", domains: [] },
      timeouts: { executionMs: 0, queueMs: 0, totalMs: 0 },
    },
    stopGraceMs: 0,
  };
}

function toRunOrder(body: unknown): RunOrder {
  return parseBody(Order, body) as RunOrder;
}
