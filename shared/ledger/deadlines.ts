/**
 * Deadlines by the program's own lifetime: restarts and wrong clocks never cut them short. A row is written when a
 * deadline is set and when it is cleared; what runs between a checkpoint of the lifetime and a crash is granted again.
 */
import type { Clock } from "../clock.ts";
import type { Database } from "./database.ts";
import { type Lifetime, LIFETIME_TABLES } from "./lifetime.ts";

/** Tables of this file, for the migrations of a program's store. */
export const DEADLINE_TABLES = `${LIFETIME_TABLES}
CREATE TABLE deadlines (
  about TEXT NOT NULL, kind TEXT NOT NULL,
  due_ms REAL NOT NULL,          -- lifetime of the program at which it passes
  PRIMARY KEY (about, kind)
) STRICT, WITHOUT ROWID;
`;

/** One deadline that has passed. */
export interface Due {
  readonly about: string;
  readonly kind: string;
}

/** A deadline in memory, by uptime. */
interface Running extends Due {
  readonly atMs: number;
}

/** How often the lifetime is written down while there are deadlines. */
const CHECKPOINT_MS = 30_000;

/** All deadlines of one program. */
export class Deadlines {
  readonly #database: Database;
  readonly #lifetime: Lifetime;
  readonly #clock: Clock;
  readonly #nudge: () => void;
  readonly #running = new Map<string, Running>();
  /** The same, the next to pass first. */
  readonly #order: Running[] = [];
  /** Changed by a transaction that has not committed; after one that failed, what stays here costs a statement. */
  readonly #changing = new Set<string>();
  #cancel: (() => void) | undefined;
  #timerAtMs = Infinity;
  #checkpointAtMs: number;

  constructor(options: { database: Database; lifetime: Lifetime; clock: Clock; nudge: () => void }) {
    this.#database = options.database;
    this.#lifetime = options.lifetime;
    this.#clock = options.clock;
    this.#nudge = options.nudge;
    const now = this.#clock.uptimeMs();
    this.#checkpointAtMs = now + CHECKPOINT_MS;
    for (const row of this.#database.all("SELECT about, kind, due_ms FROM deadlines")) {
      const running = {
        about: String(row.about),
        kind: String(row.kind),
        atMs: now + Number(row.due_ms) - this.#lifetime.nowMs(),
      };
      this.#running.set(key(running), running);
      this.#order.push(running);
    }
    this.#order.sort(compare);
    this.#arm();
  }

  /** Inside the caller's transaction. A second `set` of the same keeps the first. */
  set(about: string, kind: string, remainingMs: number): void {
    if (!this.#mayChange({ about, kind }, { isSet: false })) return;
    const { changes } = this.#database.run(
      "INSERT OR IGNORE INTO deadlines (about, kind, due_ms) VALUES (?, ?, ?)",
      about,
      kind,
      this.#lifetime.nowMs() + remainingMs,
    );
    if (changes === 0) return;
    const running = { about, kind, atMs: this.#clock.uptimeMs() + remainingMs };
    this.#change(running, () => {
      this.#running.set(key(running), running);
      this.#order.splice(this.#placeOf(running), 0, running);
      this.#armAt(Math.min(running.atMs, this.#checkpointAtMs));
    });
  }

  /** Inside the caller's transaction. */
  clear(about: string, kind: string): void {
    const due = { about, kind };
    if (!this.#mayChange(due, { isSet: true })) return;
    this.#database.run("DELETE FROM deadlines WHERE about = ? AND kind = ?", about, kind);
    this.#change(due, () => {
      const running = this.#running.get(key(due));
      if (running === undefined) return;
      this.#running.delete(key(due));
      this.#order.splice(this.#placeOf(running), 1);
    });
  }

  /** Memory knows, unless this transaction has changed the deadline already: then the row does. */
  #mayChange(due: Due, { isSet }: { isSet: boolean }): boolean {
    return this.#changing.has(key(due)) || this.#running.has(key(due)) === isSet;
  }

  #change(due: Due, after: () => void): void {
    this.#changing.add(key(due));
    this.#database.afterCommit(() => {
      this.#changing.delete(key(due));
      after();
    });
  }

  /** Its place in the order, or where it belongs. */
  #placeOf(running: Running): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#order[middle]!, running) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What has passed, in order, the first so many; each is answered until it is cleared. */
  passed(max = Infinity): readonly Due[] {
    const now = this.#clock.uptimeMs();
    const passed: Due[] = [];
    for (const { about, kind, atMs } of this.#order) {
      if (atMs > now || passed.length >= max) break;
      passed.push({ about, kind });
    }
    return passed;
  }

  /** Ms until the given deadline; undefined when there is none. */
  remainingMs(about: string, kind: string): number | undefined {
    const running = this.#running.get(key({ about, kind }));
    return running === undefined ? undefined : Math.max(0, running.atMs - this.#clock.uptimeMs());
  }

  /** Writes down that time has passed, when there are deadlines and it is time, or now. From the sweep, and at an orderly end. */
  checkpoint(options: { isForced: boolean }): void {
    const now = this.#clock.uptimeMs();
    const isDue = this.#order.length > 0 && now >= this.#checkpointAtMs;
    if (!options.isForced && !isDue) return;
    this.#checkpointAtMs = now + CHECKPOINT_MS;
    this.#lifetime.checkpoint({ afterMs: 0 });
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
    const [first] = this.#order;
    if (first !== undefined) this.#armAt(Math.max(Math.min(this.#checkpointAtMs, first.atMs), earliestMs));
  }
}

const key = ({ about, kind }: Due): string => `${about} ${kind}`;

const compare = (a: Running, b: Running): number =>
  a.atMs - b.atMs || (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0);
