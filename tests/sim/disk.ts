/** A machine's disk: databases in memory that outlive the programs that use them, and can be full. */
import { AppError } from "../../shared/errors.ts";
import { Database, type SqlValue } from "../../shared/ledger/database.ts";
import { Crash, type Life } from "./life.ts";

export interface DiskOptions {
  readonly name: string;
  readonly migrations: readonly string[];
  readonly applicationId: number;
}

/** Who looks on. */
export interface DiskWatch {
  onWrite(sql: string, values: readonly SqlValue[], rowId: number): void;
  onCommit(): void;
  /** A commit killed the program. */
  onCrash(): void;
  /** A planted bug: these writes never happen. */
  swallows?(sql: string): boolean;
}

/** When a program is to be killed around its next commit. */
export type CommitCrash = "before_commit" | "after_commit";

export class Disk {
  readonly #options: DiskOptions;
  #path = "";
  /** Holds the memory while no program has it open. */
  #keeper: Database | undefined;
  isFull = false;
  /** Nearly full: what is known can be recorded, nothing new is taken. */
  isLow = false;
  /** Kills at the next commit. */
  crashAt: CommitCrash | undefined;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.wipe();
  }

  /** An empty disk from now on. */
  wipe(): void {
    this.#keeper?.close();
    this.#path = `file:${this.#options.name}-${crypto.randomUUID()}?mode=memory&cache=shared`;
    this.#keeper = Database.open({ ...this.#options, path: this.#path });
  }

  /** For reading what is committed. */
  get committed(): Database {
    return this.#keeper!;
  }

  close(): void {
    this.#keeper?.close();
    this.#keeper = undefined;
  }

  /** The database of one life. */
  open(life: Life, { onWrite, onCommit, onCrash, swallows }: DiskWatch): Database {
    const database = Database.open({ ...this.#options, path: this.#path });
    database.run = (sql, ...values) => {
      if (swallows?.(sql)) return { changes: 0, rowId: 0 };
      const result = Database.prototype.run.call(database, sql, ...values);
      onWrite(sql, values, result.rowId);
      return result;
    };
    const killed = () => {
      this.crashAt = undefined;
      onCrash();
      return new Crash("killed at a commit");
    };
    database.beforeEachCommit(() => {
      if (this.isFull) throw new AppError("disk_full", "Cannot write: the simulated disk is full");
      if (this.crashAt === "before_commit") throw killed();
    });
    database.transaction = (work, options) => {
      if (life.isOver) throw new Crash("a dead program writes nothing");
      const result = Database.prototype.transaction.call(database, () => {
        database.afterCommit(() => {
          if (this.crashAt === "after_commit") throw killed();
        });
        return work();
      }, options);
      return result as ReturnType<typeof work>;
    };
    database.group = (work) => {
      const result = Database.prototype.group.call(database, work);
      onCommit();
      return result as ReturnType<typeof work>;
    };
    return database;
  }
}
