/**
 * RETAIN: jobs that have ended are kept for a while, and up to a number; then they are forgotten with everything that
 * belongs to them, and their nodes are told that nobody can fetch their results any more. The time is what has passed
 * while the orchestrator ran: a wrong wall clock makes nothing old. Of jobs without an end the newest history is kept.
 */
import type { Clock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { Stage } from "../../shared/supervise.ts";
import type { EndedJob, Removed } from "../store/ended_jobs.ts";
import { jobAt, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { orderForget, type Send } from "./dispatch.ts";
import type { KeepContents } from "./keep_contents.ts";

/** Which ended jobs are kept. */
export interface Retention {
  /** So long after their end. */
  readonly keptMs: number;
  /** So many at most, the newest. */
  readonly countMax: number;
}

/** What retaining works on. */
export interface RetainOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly keepContents: KeepContents;
  readonly send: Send;
  readonly retention: Retention;
  readonly nudge: () => void;
}

/** Between two looks. */
const LOOK_MS = 60_000;
/** How often the lifetime is written down: a crash forgets so much at most, and jobs are kept for longer. */
const LIFETIME_MS = 3_600_000;
/** Of the oldest, so many are looked at: some of them may not be due, or not at rest. */
const CANDIDATES = 256;
const TOKENS = 512;
/** Jobs at a time that are looked at for what is too old. */
const TRIMMED = 64;

/** The stage that forgets. */
export class Retain implements Stage {
  readonly name = "retain";
  readonly #options: RetainOptions;
  #lookAtMs = 0;
  #lastToken: string | undefined;
  #lastTrimmed = 0;
  #cancel: (() => void) | undefined;

  constructor(options: RetainOptions) {
    this.#options = options;
  }

  tick(): boolean {
    const { store, clock, nudge } = this.#options;
    if (clock.uptimeMs() >= this.#lookAtMs) {
      store.lifetime.checkpoint({ afterMs: LIFETIME_MS });
      if (this.#removeSome()) return true;
      this.#removeTokens();
      if (this.#trimSome()) return true;
      this.#lookAtMs = clock.uptimeMs() + LOOK_MS;
    }
    this.#cancel ??= clock.after(Math.max(1, this.#lookAtMs - clock.uptimeMs()), () => {
      this.#cancel = undefined;
      nudge();
    });
    return false;
  }

  close(): void {
    this.#cancel?.();
  }

  /** Answers whether more is to be removed. */
  #removeSome(): boolean {
    const due = this.#due();
    if (due.length === 0) return false;
    const { rowCount } = this.forget(due);
    const isFull = rowCount >= LIMITS.rowsRemovedPerTick;
    return rowCount > 0 && (isFull || due.length === CANDIDATES);
  }

  /** Forgets those of them that are at rest, in one transaction of bounded size; the last may be forgotten in part. */
  forget(due: readonly EndedJob[]): { readonly rowCount: number; readonly jobCount: number } {
    const { store } = this.#options;
    let left: number = LIMITS.rowsRemovedPerTick;
    let jobCount = 0;
    store.transaction(() => {
      for (const { row } of due) {
        if (left <= 0) break;
        if (!store.ended.isAtRest(row)) continue;
        const removed = store.ended.remove(row, left);
        left -= removed.rowCount;
        if (removed.isGone) jobCount++;
        this.#follow(removed);
      }
    });
    return { rowCount: LIMITS.rowsRemovedPerTick - left, jobCount };
  }

  #due(): readonly EndedJob[] {
    const { store, retention } = this.#options;
    const surplus = store.ended.count() - retention.countMax;
    const endedBeforeMs = store.lifetime.nowMs() - retention.keptMs;
    return store.ended.oldest(CANDIDATES).filter(({ endedMs }, at) =>
      at < surplus || endedMs < endedBeforeMs
    );
  }

  #follow({ executions, digests }: Pick<Removed, "executions" | "digests">): void {
    const { store, send, keepContents } = this.#options;
    for (const { id, nodeId } of executions) {
      if (store.projection.find(nodeId) !== undefined) orderForget(send, { id, nodeId });
    }
    if (digests.length > 0) store.database.afterCommit(() => keepContents.removeUnused(digests));
  }

  /** Old events and executions of jobs without an end, job after job. Answers whether more is to be looked at. */
  #trimSome(): boolean {
    const { store } = this.#options;
    const rows = store.endless.live(this.#lastTrimmed, TRIMMED);
    store.transaction(() => {
      for (const row of rows) {
        this.#lastTrimmed = row;
        const found = store.damaged.read(jobAt(row), () => store.jobs.get(row));
        if (found !== undefined && isEndless(found.job.spec.type)) this.#trim(found);
      }
    });
    if (rows.length === TRIMMED) return true;
    this.#lastTrimmed = 0;
    return false;
  }

  #trim({ row, job }: JobRow): void {
    const { store } = this.#options;
    const rowsMax = LIMITS.rowsRemovedPerTick;
    store.endless.trimEvents(row, rowsMax);
    const placeCount = store.executions.nextPartition(row, job.version);
    const { executions } = store.endless.trimExecutions(row, { placeCount, rowsMax });
    this.#follow({ executions, digests: [] });
  }

  #removeTokens(): void {
    const { store } = this.#options;
    store.transaction(() => {
      this.#lastToken = store.ended.removeTokens(this.#lastToken ?? "", TOKENS);
    });
  }
}
