/**
 * How long a program has run, all its processes together. What is kept for a while is kept by this clock: wall clocks
 * jump, on devices without a battery at every boot.
 */
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Database } from "./database.ts";

/** Table of this file, for the migrations of a program's store. */
export const LIFETIME_TABLES = `
CREATE TABLE lifetime (
  row INTEGER PRIMARY KEY CHECK (row = 1),
  ms REAL NOT NULL
) STRICT;
`;

/** A program's own clock. */
export class Lifetime {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #beforeMs: number;
  readonly #startedAtMs: number;
  #writtenMs: number;

  constructor(options: { database: Database; clock: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#beforeMs = Number(options.database.get("SELECT ms FROM lifetime")?.ms ?? 0);
    this.#writtenMs = this.#beforeMs;
    this.#startedAtMs = options.clock.uptimeMs();
  }

  /** Whole ms. */
  nowMs(): number {
    return Math.floor(this.#beforeMs + this.#clock.uptimeMs() - this.#startedAtMs);
  }

  /**
   * Writes it down when the last time is so long ago; 0 is now. Never mind when it cannot: a crash then forgets what has
   * passed since the last time, and what is timed by it takes longer.
   */
  checkpoint({ afterMs }: { afterMs: number }): void {
    const nowMs = this.nowMs();
    if (nowMs - this.#writtenMs < afterMs) return;
    try {
      this.#database.transaction(() =>
        this.#database.run(
          "INSERT INTO lifetime (row, ms) VALUES (1, ?) ON CONFLICT (row) DO UPDATE SET ms = excluded.ms",
          nowMs,
        )
      );
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
    this.#writtenMs = nowMs;
  }
}
