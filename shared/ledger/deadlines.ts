/**
 * Deadlines, kept as remaining time: restarts and wrong clocks never cut them short. Rows are written when a deadline
 * is set and at checkpoints; what runs between a checkpoint and a crash is granted again.
 */
import type { Clock } from "../clock.ts";
import type { Database } from "./database.ts";

/** Table of this file, for the migrations of a program's store. */
export const DEADLINE_TABLES = `
CREATE TABLE deadlines (
  about TEXT NOT NULL, kind TEXT NOT NULL,
  remaining_ms REAL NOT NULL,
  PRIMARY KEY (about, kind)
) STRICT, WITHOUT ROWID;
`;

/** One deadline that has passed. */
export interface Due {
  readonly about: string;
  readonly kind: string;
}

/** How often remaining times are written down while there are any. */
const CHECKPOINT_MS = 30_000;

/** All deadlines of one program. */
export class Deadlines {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #nudge: () => void;
  /** `about kind` → uptime at which it is due. */
  readonly #due = new Map<string, { about: string; kind: string; atMs: number }>();
  /** Changed by a transaction that has not committed; after one that failed, what stays here costs a statement. */
  readonly #changing = new Set<string>();
  #cancel: (() => void) | undefined;
  #timerAtMs = Infinity;
  #checkpointAtMs: number;

  constructor(options: { database: Database; clock: Clock; nudge: () => void }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#nudge = options.nudge;
    const now = this.#clock.uptimeMs();
    this.#checkpointAtMs = now + CHECKPOINT_MS;
    for (const row of this.#database.all("SELECT about, kind, remaining_ms FROM deadlines")) {
      const [about, kind] = [String(row.about), String(row.kind)];
      this.#due.set(key(about, kind), { about, kind, atMs: now + Number(row.remaining_ms) });
    }
    this.#arm();
  }

  /** Inside the caller's transaction. A second `set` of the same keeps the first. */
  set(about: string, kind: string, remainingMs: number): void {
    if (!this.#mayChange(about, kind, { isSet: false })) return;
    const { changes } = this.#database.run(
      "INSERT OR IGNORE INTO deadlines (about, kind, remaining_ms) VALUES (?, ?, ?)",
      about,
      kind,
      remainingMs,
    );
    if (changes === 0) return;
    const atMs = this.#clock.uptimeMs() + remainingMs;
    this.#change(about, kind, () => {
      this.#due.set(key(about, kind), { about, kind, atMs });
      this.#armAt(Math.min(atMs, this.#checkpointAtMs));
    });
  }

  /** Inside the caller's transaction. */
  clear(about: string, kind: string): void {
    if (!this.#mayChange(about, kind, { isSet: true })) return;
    this.#database.run("DELETE FROM deadlines WHERE about = ? AND kind = ?", about, kind);
    this.#change(about, kind, () => this.#due.delete(key(about, kind)));
  }

  /** Memory knows, unless this transaction has changed the deadline already: then the row does. */
  #mayChange(about: string, kind: string, { isSet }: { isSet: boolean }): boolean {
    return this.#changing.has(key(about, kind)) || this.#due.has(key(about, kind)) === isSet;
  }

  #change(about: string, kind: string, after: () => void): void {
    this.#changing.add(key(about, kind));
    this.#database.afterCommit(() => {
      this.#changing.delete(key(about, kind));
      after();
    });
  }

  /** What has passed, in order; each is answered until it is cleared. */
  passed(): readonly Due[] {
    const now = this.#clock.uptimeMs();
    return [...this.#due.values()].filter(({ atMs }) => atMs <= now)
      .sort((a, b) => a.atMs - b.atMs || (key(a.about, a.kind) < key(b.about, b.kind) ? -1 : 1))
      .map(({ about, kind }) => ({ about, kind }));
  }

  /** Ms until the given deadline; undefined when there is none. */
  remainingMs(about: string, kind: string): number | undefined {
    const due = this.#due.get(key(about, kind));
    return due === undefined ? undefined : Math.max(0, due.atMs - this.#clock.uptimeMs());
  }

  /** Writes remaining times down when it is time, or now. Call it at an orderly end, and from the sweep. */
  checkpoint(options: { isForced: boolean }): void {
    const now = this.#clock.uptimeMs();
    if (this.#due.size === 0 || (!options.isForced && now < this.#checkpointAtMs)) return;
    this.#checkpointAtMs = now + CHECKPOINT_MS;
    this.#database.transaction(() => {
      for (const { about, kind, atMs } of this.#due.values()) {
        this.#database.run(
          "UPDATE deadlines SET remaining_ms = ? WHERE about = ? AND kind = ?",
          Math.max(0, atMs - now),
          about,
          kind,
        );
      }
    });
  }

  close(): void {
    this.#cancel?.();
  }

  /** One timer for the earliest deadline or the next checkpoint; none when there are no deadlines. */
  #armAt(atMs: number): void {
    if (atMs >= this.#timerAtMs) return;
    this.#cancel?.();
    this.#timerAtMs = atMs;
    this.#cancel = this.#clock.after(Math.max(1, Math.ceil(atMs - this.#clock.uptimeMs())), () => {
      this.#timerAtMs = Infinity;
      this.#nudge();
      // What has passed stays until the sweep clears it: look again a little later than now.
      this.#arm(this.#clock.uptimeMs() + 100);
    });
  }

  #arm(earliestMs = 0): void {
    if (this.#due.size === 0) return;
    let atMs = this.#checkpointAtMs;
    for (const due of this.#due.values()) atMs = Math.min(atMs, due.atMs);
    this.#armAt(Math.max(atMs, earliestMs));
  }
}

const key = (about: string, kind: string): string => `${about} ${kind}`;
