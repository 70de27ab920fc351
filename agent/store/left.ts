/** What ended executions left on the node, and which of it may go. Writes belong to the caller's transaction. */
import type { Database, SqlRow } from "../../shared/ledger/database.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { Amount } from "../../shared/wire/messages.ts";

/** `results`: published here. `logs`: the output of those that published nothing here. */
export type LeftKind = "results" | "logs";

/** What an ended execution left. */
export interface Left {
  readonly row: number;
  readonly id: ExecutionId;
  readonly sizeBytes: number;
}

/** Which of what was left may go, by the agent's lifetime. */
export interface MayGo {
  readonly kinds: readonly LeftKind[];
  /** Ended before. */
  readonly endedBeforeMs: number;
  /** Results that were fetched: before this. */
  readonly fetchedBeforeMs: number;
}

/** Its home has recorded its end, and nobody has still to fetch what it left. */
const FREE = "is_forgettable = 1 AND keeps_results = 0";
const MAY_GO =
  `${FREE} AND ended_lifetime_ms < ? AND coalesce(fetched_lifetime_ms < ?, 1) AND has_results BETWEEN ? AND ?`;

const valuesOf = ({ kinds, endedBeforeMs, fetchedBeforeMs }: MayGo): number[] => [
  endedBeforeMs,
  fetchedBeforeMs,
  kinds.includes("logs") ? 0 : 1,
  kinds.includes("results") ? 1 : 0,
];

/** Reads and weighs. */
export class LeftBehind {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Ended ones whose size is not known yet, oldest first. */
  unweighed(limit: number): readonly Pick<Left, "row" | "id">[] {
    return this.#database.all(
      "SELECT row, id FROM executions WHERE ended_lifetime_ms IS NOT NULL AND size_bytes IS NULL ORDER BY row LIMIT ?",
      limit,
    ).map(toLeft);
  }

  setSize(row: number, sizeBytes: number): void {
    this.#database.run("UPDATE executions SET size_bytes = ? WHERE row = ?", sizeBytes, row);
  }

  /** What all that has been weighed takes together. */
  totalBytes(): number {
    const sql =
      "SELECT sum(size_bytes) AS bytes FROM executions INDEXED BY executions_weighed WHERE size_bytes IS NOT NULL";
    return Number(this.#database.get(sql)!.bytes ?? 0);
  }

  /** The oldest first. */
  list(may: MayGo, limit: number): readonly Left[] {
    return this.#database.all(
      `SELECT row, id, size_bytes FROM executions WHERE ${MAY_GO} ORDER BY ended_lifetime_ms LIMIT ?`,
      ...valuesOf(may),
      limit,
    ).map(toLeft);
  }

  /** All that ended ones left. */
  held(kind: LeftKind): Amount {
    return this.#sum("ended_lifetime_ms IS NOT NULL AND has_results = ?", [kind === "results" ? 1 : 0]);
  }

  mayGo(may: MayGo): Amount {
    return this.#sum(MAY_GO, valuesOf(may));
  }

  /** Why some of it may not go yet. */
  bound(
    kind: LeftKind,
    fetchedSinceMs: number,
  ): { unfetched: number; fetchedLately: number; unrecorded: number } {
    const count = (where: string, ...values: number[]) =>
      this.#sum(`ended_lifetime_ms IS NOT NULL AND has_results = ? AND ${where}`, [
        kind === "results" ? 1 : 0,
        ...values,
      ]).count;
    return {
      unfetched: count("is_forgettable = 1 AND keeps_results = 1"),
      fetchedLately: count(`${FREE} AND fetched_lifetime_ms >= ?`, fetchedSinceMs),
      unrecorded: count("is_forgettable = 0"),
    };
  }

  #sum(where: string, values: readonly number[]): Amount {
    const sql = `SELECT count(*) AS n, sum(size_bytes) AS bytes FROM executions WHERE ${where}`;
    const row = this.#database.get(sql, ...values)!;
    return { count: Number(row.n), bytes: Number(row.bytes ?? 0) };
  }
}

const toLeft = (row: SqlRow): Left => ({
  row: Number(row.row),
  id: String(row.id) as ExecutionId,
  sizeBytes: Number(row.size_bytes ?? 0),
});
