/** Jobs without an end: what is too old of them goes while they live on. Every write belongs to the caller's transaction. */
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database } from "../../shared/ledger/database.ts";
import { type Removed, withResults } from "./ended_jobs.ts";
import { liveRows } from "./jobs.ts";

/** Events kept of each, the newest. */
const EVENTS_KEPT = 5_000;
/** Executions kept of each, the newest; more of those with many places. */
const EXECUTIONS_KEPT = 1_000;
const EXECUTIONS_KEPT_OF_PLACE = 10;

/** Finds and trims them. */
export class EndlessJobs {
  readonly #database: Database;
  readonly #damaged: Damaged;

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  /** Rows of jobs that have not ended, after the given one, in order: also of those that pause between two failures. */
  live(after: number, limit: number): readonly number[] {
    return this.#database.all(`${liveRows(">", "ASC")} LIMIT ?`, after, after, limit).map(({ job_row }) =>
      Number(job_row)
    );
  }

  /** Removes events beyond the newest; up to so many. Answers how many. */
  trimEvents(row: number, rowsMax: number): number {
    const last = this.#database.get(
      "SELECT seq FROM ledger WHERE subject = ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
      row,
      EVENTS_KEPT,
    );
    if (last === undefined) return 0;
    return this.#database.run(
      "DELETE FROM ledger WHERE seq IN (SELECT seq FROM ledger WHERE subject = ? AND seq <= ? ORDER BY seq LIMIT ?)",
      row,
      Number(last.seq),
      rowsMax,
    ).changes;
  }

  /**
   * Removes executions that have ended, beyond the newest; up to so many. The latest of each partition stays, and what is lost
   * and was not told to stop: it may be running.
   */
  trimExecutions(
    row: number,
    { placeCount, rowsMax }: { placeCount: number; rowsMax: number },
  ): Pick<Removed, "rowCount" | "executions"> {
    const last = this.#database.get(
      "SELECT row FROM executions INDEXED BY executions_created WHERE job_row = ? ORDER BY row DESC LIMIT 1 OFFSET ?",
      row,
      Math.max(EXECUTIONS_KEPT, placeCount * EXECUTIONS_KEPT_OF_PLACE),
    );
    if (last === undefined) return { rowCount: 0, executions: [] };
    const found = this.#database.all(
      // The newest of each place are found once, along an index, and not for each that may go.
      `WITH newest AS MATERIALIZED (SELECT partition AS place, job_version AS version, max(row) AS newest_row
         FROM executions INDEXED BY executions_job WHERE job_row = ? GROUP BY job_version, partition)
       SELECT row, id, node_id, body FROM executions INDEXED BY executions_created
       WHERE job_row = ? AND row <= ?
         AND (phase IN ('failed', 'stopped', 'refused', 'completed') OR (phase = 'lost' AND desired = 'stop'))
         AND EXISTS (SELECT 1 FROM newest WHERE place = partition AND version >= job_version AND newest_row > row)
       ORDER BY row LIMIT ?`,
      ...[row, row, Number(last.row), rowsMax],
    );
    for (const execution of found) {
      this.#database.run("DELETE FROM executions WHERE row = ?", Number(execution.row));
    }
    return { rowCount: found.length, executions: withResults(found, this.#damaged) };
  }
}
