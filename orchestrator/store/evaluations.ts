/** Rows of evaluations: at most one for each job. Every write belongs to the caller's transaction. */
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import { Evaluation } from "../../shared/model/evaluation.ts";

/** An evaluation with its job's row. */
export interface EvaluationRow {
  readonly jobRow: number;
  readonly id: string;
  readonly trigger: Evaluation["trigger"];
  readonly status: Evaluation["status"];
  readonly priority: number;
}

/** Reads and writes evaluations. */
export class Evaluations {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Makes the job's evaluation due; one that is there already stays, with its id. A new version
   * may have another priority.
   */
  put(evaluation: EvaluationRow & { nowMs: number }): void {
    this.#database.run(
      `INSERT INTO evaluations (job_row, id, trigger, status, priority, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (job_row) DO UPDATE SET status = excluded.status, priority = excluded.priority`,
      evaluation.jobRow,
      evaluation.id,
      evaluation.trigger,
      evaluation.status,
      evaluation.priority,
      evaluation.nowMs,
    );
  }

  find(jobRow: number): EvaluationRow | undefined {
    const row = this.#database.get("SELECT * FROM evaluations WHERE job_row = ?", jobRow);
    return row === undefined ? undefined : toEvaluation(row);
  }

  /** Since when something of the job waits, Unix ms; undefined when nothing does. */
  since(jobRow: number): number | undefined {
    const row = this.#database.get("SELECT created_at_ms FROM evaluations WHERE job_row = ?", jobRow);
    return Number(row?.created_at_ms ?? 0) || undefined;
  }

  /** Of one that stands by for as long as its job lives: whether something of the job waits from now on, unless it did already. */
  noteWaiting(jobRow: number, { isWaiting, nowMs }: { isWaiting: boolean; nowMs: number }): void {
    this.#database.run(
      "UPDATE evaluations SET created_at_ms = ? WHERE job_row = ? AND (created_at_ms = 0) = ?",
      isWaiting ? nowMs : 0,
      jobRow,
      isWaiting ? 1 : 0,
    );
  }

  delete(jobRow: number): void {
    this.#database.run("DELETE FROM evaluations WHERE job_row = ?", jobRow);
  }

  /** All, in the order in which they should be worked on. */
  all(): readonly (EvaluationRow & { readonly namespace: string })[] {
    return this.#database.all(
      `SELECT evaluations.*, jobs.namespace FROM evaluations LEFT JOIN jobs ON jobs.row = job_row
       ORDER BY priority DESC, job_row`,
    ).map((row) => ({ ...toEvaluation(row), namespace: String(row.namespace ?? "") }));
  }
}

function toEvaluation(row: SqlRow): EvaluationRow {
  return {
    jobRow: Number(row.job_row),
    id: String(row.id),
    // What cannot be read is due: to look at a job once more does no harm.
    trigger: Evaluation.shape.trigger.catch("placement_limit").parse(row.trigger),
    status: Evaluation.shape.status.catch("due").parse(row.status),
    priority: Number(row.priority),
  };
}
