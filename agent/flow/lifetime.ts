/**
 * How long this agent has run, all its processes together. What is kept for a while is kept by this clock: wall clocks
 * jump, on devices without a battery at every boot.
 */
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { Journal } from "../store/journal.ts";

/** How often it is written down: a crash forgets so much at most, and then things are kept for longer. */
const CHECKPOINT_MS = 300_000;
const KEY = "lifetime_ms";

/** The agent's own clock. */
export class Lifetime {
  readonly #database: Database;
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #beforeMs: number;
  readonly #startedAtMs: number;
  #writtenMs: number;

  constructor(options: { database: Database; journal: Journal; clock: Clock }) {
    this.#database = options.database;
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#beforeMs = options.journal.findMeta(KEY, z.number().nonnegative()) ?? 0;
    this.#writtenMs = this.#beforeMs;
    this.#startedAtMs = options.clock.uptimeMs();
  }

  nowMs(): number {
    return Math.round(this.#beforeMs + this.#clock.uptimeMs() - this.#startedAtMs);
  }

  /** Writes it down when it is time, or now, and never mind when it cannot. At an orderly end, and from the sweep. */
  checkpoint(options: { isForced: boolean }): void {
    const nowMs = this.nowMs();
    if (!options.isForced && nowMs - this.#writtenMs < CHECKPOINT_MS) return;
    try {
      this.#database.transaction(() => this.#journal.putMeta(KEY, nowMs));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
    this.#writtenMs = nowMs;
  }
}
