/** Jobs that have ended: which are the oldest, and how one is forgotten. Every write belongs to the caller's transaction. */
import { parseBody } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import { Execution } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { LIVE } from "./executions.ts";

/** One that has ended. */
export interface EndedJob {
  readonly row: number;
  /** Lifetime of the orchestrator at its end. */
  readonly endedMs: number;
}

/** What was removed of a job. */
export interface Removed {
  readonly rowCount: number;
  /** Executions whose results may be on their nodes. */
  readonly executions: readonly { readonly id: ExecutionId; readonly nodeId: NodeId }[];
  /** Contents that it used, once all of it is gone. */
  readonly digests: readonly string[];
  readonly isGone: boolean;
}

/** Those of the rows of executions whose results may be on their nodes. */
export function withResults(rows: readonly SqlRow[], damaged: Damaged): Removed["executions"] {
  return rows.filter(({ id, body }) =>
    // One that cannot be read may have left something.
    damaged.read(`execution ${id}`, () => parseBody(Execution, body).result !== undefined) ?? true
  ).map(({ id, node_id }) => ({ id: id as ExecutionId, nodeId: node_id as NodeId }));
}

/** Reads and removes. */
export class EndedJobs {
  readonly #database: Database;
  readonly #damaged: Damaged;

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  count(): number {
    const row = this.#database.get(
      "SELECT count(*) AS n FROM jobs INDEXED BY jobs_ended WHERE ended_ms IS NOT NULL",
    );
    return Number(row!.n);
  }

  /** Those that changed last the longest ago, by the wall clock of the time: an order, and nothing more. */
  oldest(limit: number): readonly EndedJob[] {
    return this.#database.all(
      `SELECT row, ended_ms FROM jobs INDEXED BY jobs_ended WHERE ended_ms IS NOT NULL
       ORDER BY modified_at_ms, row LIMIT ?`,
      limit,
    ).map((row) => ({ row: Number(row.row), endedMs: Number(row.ended_ms) }));
  }

  /** A page in the same order, after the given one. */
  page(
    after: EndedJob & { readonly atMs: number } | undefined,
    limit: number,
  ): readonly (EndedJob & { atMs: number })[] {
    return this.#database.all(
      `SELECT row, ended_ms, modified_at_ms FROM jobs INDEXED BY jobs_ended
       WHERE ended_ms IS NOT NULL AND (modified_at_ms, row) > (?, ?) ORDER BY modified_at_ms, row LIMIT ?`,
      after?.atMs ?? -1,
      after?.row ?? -1,
      limit,
    ).map((row) => ({
      row: Number(row.row),
      endedMs: Number(row.ended_ms),
      atMs: Number(row.modified_at_ms),
    }));
  }

  /** Nothing is at work for it or due. The newest job is never at rest: its row's number is not given to another. */
  isAtRest(row: number): boolean {
    return this.#database.get(
      `SELECT 1 AS one WHERE NOT EXISTS (SELECT 1 FROM evaluations WHERE job_row = ?)
         AND NOT EXISTS (SELECT 1 FROM executions INDEXED BY executions_live WHERE job_row = ? AND ${LIVE})
         AND ? < (SELECT max(row) FROM jobs)`,
      row,
      row,
      row,
    ) !== undefined;
  }

  /** Removes up to so many executions and events of it; with the last of them the job itself. */
  remove(row: number, rowsMax: number): Removed {
    const found = this.#database.all(
      "SELECT row, id, node_id, body FROM executions INDEXED BY executions_created WHERE job_row = ? ORDER BY row LIMIT ?",
      row,
      rowsMax,
    );
    for (const execution of found) {
      this.#database.run("DELETE FROM executions WHERE row = ?", Number(execution.row));
    }
    const executions = withResults(found, this.#damaged);
    const eventsMax = rowsMax - found.length;
    const { changes } = this.#database.run(
      "DELETE FROM ledger WHERE seq IN (SELECT seq FROM ledger WHERE subject = ? ORDER BY seq LIMIT ?)",
      row,
      eventsMax,
    );
    const rowCount = found.length + changes;
    if (changes === eventsMax) return { rowCount, executions, digests: [], isGone: false };
    const digests = this.#database.all("SELECT digest FROM content_uses WHERE job_row = ?", row);
    for (const table of ["content_uses", "job_versions"]) {
      this.#database.run(`DELETE FROM ${table} WHERE job_row = ?`, row);
    }
    this.#database.run("DELETE FROM jobs WHERE row = ?", row);
    return {
      rowCount: rowCount + 1,
      executions,
      digests: digests.map(({ digest }) => String(digest)),
      isGone: true,
    };
  }

  /** Forgets tokens of jobs that are gone, among so many after the given one; answers the last that was looked at. */
  removeTokens(after: string, limit: number): string | undefined {
    const rows = this.#database.all(
      `SELECT token, EXISTS (SELECT 1 FROM jobs WHERE row = job_row) AS is_used FROM submissions
       WHERE token > ? ORDER BY token LIMIT ?`,
      after,
      limit,
    );
    for (const { token, is_used } of rows) {
      if (Number(is_used) === 0) this.#database.run("DELETE FROM submissions WHERE token = ?", String(token));
    }
    return rows.length < limit ? undefined : String(rows.at(-1)!.token);
  }
}
