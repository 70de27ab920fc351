/**
 * The one door to SQLite: opening with the right settings, append-only migrations, one `transaction()` that several may
 * share a commit by, cached statements, bodies with a checksum. Foreign errors are recognised here and nowhere else.
 */
import { DatabaseSync, type StatementSync, type SupportedValueType } from "node:sqlite";
import { AppError } from "../errors.ts";
import { invariant } from "../invariant.ts";

/** A value of a column. */
export type SqlValue = SupportedValueType;
/** A row as it comes out: parse it before use. */
export type SqlRow = Record<string, unknown>;

/** Which file, and what should be in it. */
export interface DatabaseOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  /** Each runs once, in order, in a transaction. Only ever append. */
  readonly migrations: readonly string[];
  /** Marks whose file it is, so that a wrong file is refused. Fits 31 bits. */
  readonly applicationId: number;
}

/** Cached pages in KiB: enough for the hot part of a large store, small beside the process itself. */
const CACHE_KIB = 8 * 1024;
/** WAL pages before a checkpoint. Larger: hot pages are written back less often; smaller: shorter recovery. */
const CHECKPOINT_PAGES = 8 * 1024;

/** How a transaction is run. */
export interface TransactionOptions {
  /** Nothing of it was kept: take back what was changed in memory. */
  readonly onFailed?: (error: unknown) => void;
}

/** Transactions that share a commit. */
interface Group {
  /** Those that have begun and are not taken back. */
  steps: number;
  /** Why none of them can be kept. */
  broken?: unknown;
  readonly calls: (() => void)[];
  readonly failed: ((error: unknown) => void)[];
}

/** An open database. Synchronous: nothing awaits between a read and the write that follows from it. */
export class Database {
  readonly #sqlite: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  #beforeCommit: (() => void)[] = [];
  #group: Group | undefined;
  #isInTransaction = false;

  private constructor(sqlite: DatabaseSync, path: string) {
    this.#sqlite = sqlite;
    this.#path = path;
  }

  /** Opens or creates. Errors: `in_use` when another process holds it, `store` when it cannot be used. */
  static open(options: DatabaseOptions): Database {
    try {
      const sqlite = new DatabaseSync(options.path);
      try {
        sqlite.exec(
          `PRAGMA page_size = 1024; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
           PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = 16777216;
           PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;`,
        );
        const database = new Database(sqlite, options.path);
        database.#migrate(options);
        return database;
      } catch (error) {
        sqlite.close();
        throw error;
      }
    } catch (error) {
      throw recognise(error, options.path);
    }
  }

  /**
   * Whether `open` would take the file, without a change to what it holds; `read` may look further. No file is fine.
   * Errors: those of `open`.
   */
  static check(options: DatabaseOptions, read: (database: Database) => void = () => {}): void {
    if (!isThere(options.path)) return;
    try {
      const sqlite = new DatabaseSync(options.path);
      try {
        sqlite.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK");
        const database = new Database(sqlite, options.path);
        if (database.#formatOf(options) > 0) read(database);
      } finally {
        sqlite.close();
      }
    } catch (error) {
      throw recognise(error, options.path);
    }
  }

  /** How many migrations it has had. Errors: `store` when it is none of ours, or of a newer version. */
  #formatOf({ migrations, applicationId, path }: DatabaseOptions): number {
    const found = Number(this.get("PRAGMA application_id")?.application_id ?? 0);
    const version = Number(this.get("PRAGMA user_version")?.user_version ?? 0);
    const isEmpty = version === 0 && this.get("SELECT 1 AS one FROM sqlite_schema LIMIT 1") === undefined;
    if (!isEmpty && found !== applicationId) {
      throw new AppError("store", `Cannot open "${path}": it is not a Skerry store of this kind`, {
        hint: "Name another data folder with --data-dir, or move the file away",
      });
    }
    if (version > migrations.length) {
      throw new AppError(
        "store",
        `Cannot open "${path}": it must be of format ${migrations.length} or older, current format is ${version}`,
        {
          hint:
            "It was written by a newer Skerry: upgrade this one, or name another data folder with --data-dir",
        },
      );
    }
    return version;
  }

  #migrate(options: DatabaseOptions): void {
    const { migrations, applicationId } = options;
    for (let next = this.#formatOf(options); next < migrations.length; next++) {
      this.transaction(() => {
        this.#sqlite.exec(migrations[next]!);
        this.#sqlite.exec(`PRAGMA user_version = ${next + 1}; PRAGMA application_id = ${applicationId};`);
      });
    }
  }

  /**
   * Runs `work` in one transaction. It commits when `work` returns and rolls back when it throws. Work asked for by
   * `afterCommit` runs after a successful commit; `onFailed` when nothing of it was kept. Does not nest. Within `group()`
   * it commits with the group: then what must wait for the disk belongs into `afterCommit`.
   */
  transaction<Result>(work: () => Result, options: TransactionOptions = {}): Result {
    invariant(!this.#isInTransaction, "transaction() does not nest");
    if (this.#group !== undefined) return this.#step(this.#group, work, options);
    return this.group(() => this.#step(this.#group!, work, options));
  }

  /**
   * Lets the transactions in `work` share one commit. One that throws takes back its own changes only; when the commit
   * fails, none of them is kept. Without a transaction nothing happens. Does not nest.
   */
  group<Result>(work: () => Result): Result {
    invariant(this.#group === undefined, "group() does not nest");
    const group: Group = { steps: 0, calls: [], failed: [] };
    this.#group = group;
    let result: Result;
    try {
      result = work();
      if (group.broken !== undefined) throw group.broken;
      if (group.steps > 0) this.#commit();
    } catch (cause) {
      if (group.steps > 0) this.#rollback();
      this.#group = undefined;
      const error = recognise(cause, this.#path);
      for (const call of group.failed) call(error);
      throw error;
    }
    this.#group = undefined;
    for (const call of group.calls) call();
    return result;
  }

  #step<Result>(group: Group, work: () => Result, { onFailed }: TransactionOptions): Result {
    if (group.broken !== undefined) throw group.broken;
    const isFirst = group.steps === 0;
    const callCount = group.calls.length;
    try {
      this.#statement(isFirst ? "BEGIN IMMEDIATE" : "SAVEPOINT step").run();
      group.steps++;
      this.#isInTransaction = true;
      const result = work();
      if (!isFirst) this.#statement("RELEASE step").run();
      if (onFailed !== undefined) group.failed.push(onFailed);
      return result;
    } catch (cause) {
      this.#isInTransaction = false;
      group.calls.length = callCount;
      const error = recognise(cause, this.#path);
      this.#takeBack(group, isFirst, error);
      onFailed?.(error);
      throw error;
    } finally {
      this.#isInTransaction = false;
    }
  }

  #takeBack(group: Group, isFirst: boolean, error: unknown): void {
    if (isFirst) {
      this.#rollback();
      group.steps = 0;
      return;
    }
    try {
      this.#statement("ROLLBACK TO step").run();
      this.#statement("RELEASE step").run();
    } catch {
      // On a full disk or an I/O error SQLite may have taken everything back by itself: then nothing of the group is left.
      group.broken = error;
    }
  }

  #commit(): void {
    this.#isInTransaction = true;
    try {
      for (const call of this.#beforeCommit) call();
      this.#statement("COMMIT").run();
    } finally {
      this.#isInTransaction = false;
    }
  }

  #rollback(): void {
    try {
      this.#sqlite.exec("ROLLBACK");
    } catch (error) {
      // SQLite rolls back by itself on a full disk or an I/O error, and then says that there is nothing to roll back.
      if (!String(error).includes("no transaction is active")) throw error;
    }
  }

  /** Runs `call` once this transaction has committed; dropped when it rolls back. */
  afterCommit(call: () => void): void {
    invariant(this.#isInTransaction, "afterCommit() needs a transaction");
    this.#group!.calls.push(call);
  }

  /** Registers a call that runs at the end of every transaction: for small writes that may wait for the next one. */
  beforeEachCommit(call: () => void): void {
    this.#beforeCommit.push(call);
  }

  /** First row, or undefined. */
  get(sql: string, ...values: SqlValue[]): SqlRow | undefined {
    return this.#guard(() => this.#statement(sql).get(...values) as SqlRow | undefined);
  }

  all(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#guard(() => this.#statement(sql).all(...values) as SqlRow[]);
  }

  /** Answers the number of changed rows and the last row id. Only inside a transaction. */
  run(sql: string, ...values: SqlValue[]): { changes: number; rowId: number } {
    invariant(this.#isInTransaction, "a write needs a transaction");
    return this.#guard(() => {
      const { changes, lastInsertRowid } = this.#statement(sql).run(...values);
      return { changes: Number(changes), rowId: Number(lastInsertRowid) };
    });
  }

  /** Moves the WAL into the file. For a clean close and for backups. */
  checkpoint(): void {
    this.#guard(() => this.#sqlite.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw recognise(error, this.#path);
    }
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    // Whatever else is wrong with it, opening tells better.
    return !(error instanceof Deno.errors.NotFound);
  }
}

function recognise(error: unknown, path: string): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const text = error.message;
  const fail = (code: "in_use" | "disk_full" | "store", what: string, hint: string) =>
    new AppError(code, `Cannot use "${path}": ${what}`, { hint, cause: error });
  if (/is locked|database is busy/.test(text)) {
    return fail(
      "in_use",
      "another process holds it",
      "Stop the other Skerry, or name another folder with --data-dir",
    );
  }
  if (/database or disk is full/.test(text)) {
    return fail("disk_full", "the disk is full", "Free some space; nothing was recorded of this request");
  }
  if (/readonly database|unable to open database/.test(text)) {
    return fail(
      "store",
      `it cannot be written (${text})`,
      "Check the folder's owner, its permissions and the mount",
    );
  }
  if (/malformed|not a database|disk I\/O error/.test(text)) {
    return fail(
      "store",
      `it is damaged (${text})`,
      "Move it away and restore a backup, or start with an empty folder",
    );
  }
  return error;
}
