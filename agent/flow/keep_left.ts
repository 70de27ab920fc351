/**
 * What ended executions leave is kept by age and by size: the oldest goes first, and never what a home has not recorded,
 * what nobody has fetched yet, or what was fetched a moment ago. Each is weighed once, after its end.
 */
import type { Database } from "../../shared/ledger/database.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Amount } from "../../shared/wire/messages.ts";
import type { Workspace } from "../host/host.ts";
import type { Journal } from "../store/journal.ts";
import type { Left, LeftBehind, LeftKind, MayGo } from "../store/left.ts";
import type { DiskWatch } from "./disk_watch.ts";

/** How long what ended executions left is kept. */
export interface LeftRetention {
  /** So long after their end, while the agent runs. */
  readonly keptMs: number;
  /** So much together; undefined: as long as the disk has room. */
  readonly bytesMax?: number;
}

/** What keeping works on. */
export interface KeepLeftOptions {
  readonly database: Database;
  readonly journal: Journal;
  readonly left: LeftBehind;
  readonly workspace: Workspace;
  readonly disk: DiskWatch;
  readonly lifetime: Lifetime;
  readonly retention: LeftRetention;
}

const KINDS: readonly LeftKind[] = ["results", "logs"];

/** Weighs, counts and removes. One at a time, whoever asks. */
export class KeepLeft {
  readonly #options: KeepLeftOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KeepLeftOptions) {
    this.#options = options;
  }

  /** One bounded step of keeping; answers whether more is to go. */
  sweep(): Promise<boolean> {
    return this.#alone(async () => {
      const limit = LIMITS.executionsRemovedPerTick;
      const { retention, disk, lifetime, left } = this.#options;
      const keptMs = disk.isTight ? 0 : retention.keptMs;
      const old = left.list(this.#mayGo(KINDS, lifetime.nowMs() - keptMs), limit);
      // Before anything is written: this is what makes room on a full disk.
      await this.#remove(old);
      const weighedCount = await this.#weigh();
      const surplus = this.#surplus(limit);
      await this.#remove(surplus);
      return [old.length, weighedCount, surplus.length].includes(limit);
    });
  }

  /** Removes some of what ended so long ago, the oldest first; answers what, and whether there is more. */
  prune(
    kinds: readonly LeftKind[],
    olderThanMs: number,
  ): Promise<{ removed: readonly Left[]; isMore: boolean }> {
    return this.#alone(async () => {
      const limit = LIMITS.executionsRemovedPerTick;
      this.#confirm();
      const isUnweighed = await this.#weigh() === limit;
      const removed = this.#options.left.list(this.#before(kinds, olderThanMs), limit);
      await this.#remove(removed);
      return { removed, isMore: isUnweighed || removed.length === limit };
    });
  }

  /** What is here of a kind, and how much of it ended so long ago and may go. Weighs what is not weighed yet, up to a bound. */
  async amounts(
    kind: LeftKind,
    olderThanMs: number,
  ): Promise<{ held: Amount; mayGo: Amount; bound: ReturnType<LeftBehind["bound"]> }> {
    const { left } = this.#options;
    this.#confirm();
    for (let steps = 0; steps < WEIGHING_STEPS; steps++) {
      if (await this.#alone(() => this.#weigh()) < LIMITS.executionsRemovedPerTick) break;
    }
    const may = this.#before([kind], olderThanMs);
    return { held: left.held(kind), mayGo: left.mayGo(may), bound: left.bound(kind, may.fetchedBeforeMs) };
  }

  /** What ended a moment ago is known to be recorded as soon as its home has said so. */
  #confirm(): void {
    const { database, journal } = this.#options;
    database.transaction(() => journal.confirmEnded(LIMITS.executionsConfirmedPerTick));
  }

  #before(kinds: readonly LeftKind[], olderThanMs: number): MayGo {
    // Something that ends in this very moment is meant too.
    return this.#mayGo(kinds, this.#options.lifetime.nowMs() - olderThanMs + 1);
  }

  #mayGo(kinds: readonly LeftKind[], endedBeforeMs: number): MayGo {
    const fetchedBeforeMs = this.#options.lifetime.nowMs() - LIMITS.resultsFetchedKeptMs;
    return { kinds, endedBeforeMs, fetchedBeforeMs };
  }

  /** The oldest that must go so that the rest stays within its size. */
  #surplus(limit: number): readonly Left[] {
    const { left, retention: { bytesMax }, lifetime } = this.#options;
    if (bytesMax === undefined) return [];
    let excess = left.totalBytes() - bytesMax;
    if (excess <= 0) return [];
    const surplus: Left[] = [];
    for (const one of left.list(this.#mayGo(KINDS, lifetime.nowMs()), limit)) {
      if (excess <= 0) break;
      surplus.push(one);
      excess -= one.sizeBytes;
    }
    return surplus;
  }

  /** Answers how many it weighed. */
  async #weigh(): Promise<number> {
    const { left, workspace, database } = this.#options;
    const found = left.unweighed(LIMITS.executionsRemovedPerTick);
    if (found.length === 0) return 0;
    const sizes: [row: number, sizeBytes: number][] = [];
    for (const { row, id } of found) sizes.push([row, await workspace.sizeOf(id)]);
    database.transaction(() => {
      for (const [row, sizeBytes] of sizes) left.setSize(row, sizeBytes);
    });
    return found.length;
  }

  /** Folders first: a row without a folder does no harm, a folder without a row would stay for ever. */
  async #remove(gone: readonly Left[]): Promise<void> {
    if (gone.length === 0) return;
    const { workspace, journal, database } = this.#options;
    for (const { id } of gone) await workspace.remove(id);
    database.transaction(() => {
      for (const { row } of gone) journal.remove(row);
    });
  }

  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Before it is counted, so many steps of what is not weighed yet are. */
const WEIGHING_STEPS = 100;

/** What they left together. */
export const sizeOf = (left: readonly Left[]): number =>
  left.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
