/** Makes room when somebody asks for it: what is here, what of it may go, and a bounded part of that at a time. */
import type { Database } from "../../shared/ledger/database.ts";
import {
  type Amount,
  type PruneAnswer,
  type PruneItem,
  PruneKind,
  type PruneRequest,
} from "../../shared/wire/messages.ts";
import { AppError, asAppError } from "../../shared/errors.ts";
import type { Engine } from "../engines/engine.ts";
import type { ContentStore } from "../host/host.ts";
import type { LeftKind } from "../store/left.ts";
import type { DiskWatch } from "./disk_watch.ts";
import type { Executions } from "./executions.ts";
import { type KeepLeft, sizeOf } from "./keep_left.ts";
import { contentsInUse } from "./sweep.ts";

/** What pruning works on. */
export interface PruneOptions {
  readonly database: Database;
  readonly executions: Executions;
  readonly keepLeft: KeepLeft;
  readonly contents: ContentStore;
  readonly disk: DiskWatch;
  readonly engines: Iterable<Engine>;
}

const NOTHING: Amount = { count: 0, bytes: 0 };

/** Answers requests for room. */
export class Prune {
  readonly #options: PruneOptions;

  constructor(options: PruneOptions) {
    this.#options = options;
  }

  /** Does a bounded part, and says whether there is more. Kinds that it does not know are left out. */
  async answer(request: PruneRequest): Promise<PruneAnswer> {
    const { database, disk } = this.#options;
    try {
      const items: PruneItem[] = [];
      let isMore = false;
      for (const kind of PruneKind.options.filter((one) => request.kinds.includes(one))) {
        const one = kind === "contents"
          ? this.#contents(request)
          : kind === "images"
          ? await this.#images(request)
          : await this.#left(kind, request);
        items.push(one.item);
        isMore ||= one.isMore;
      }
      const { page_count, page_size } = {
        ...database.get("PRAGMA page_count"),
        ...database.get("PRAGMA page_size"),
      };
      const storeBytes = Number(page_count) * Number(page_size);
      return { items, isMore, storeBytes, diskFreeBytes: disk.freeBytes };
    } catch (error) {
      // Forgetting is written down too: what is kept for a full disk is worth less than what this frees.
      if (error instanceof AppError && error.code === "disk_full") disk.onDiskFull();
      throw error;
    }
  }

  async #left(kind: LeftKind, { olderThanMs, isDry }: PruneRequest) {
    const { keepLeft } = this.#options;
    const { removed, isMore } = isDry
      ? { removed: [], isMore: false }
      : await keepLeft.prune([kind], olderThanMs);
    const { held, mayGo, bound } = await keepLeft.amounts(kind, olderThanMs);
    const stays = [
      ...(bound.unfetched > 0 ? [`${bound.unfetched} that nobody has fetched`] : []),
      ...(bound.fetchedLately > 0 ? [`${bound.fetchedLately} that were fetched a moment ago`] : []),
      ...(bound.unrecorded > 0 ? [`${bound.unrecorded} whose end their server has not recorded`] : []),
    ];
    const gone = { count: removed.length, bytes: sizeOf(removed) };
    return { item: { kind, held, mayGo, gone, stays }, isMore };
  }

  /** What no execution uses, whatever its age: it comes again when it is needed. */
  #contents({ isDry }: PruneRequest) {
    const { contents, executions } = this.#options;
    const inUse = () => contentsInUse(executions);
    const gone = isDry ? NOTHING : contents.sweep(inUse, { bytesMax: 0 });
    const mayGo = contents.sweep(inUse, { bytesMax: 0, isDry: true });
    const held = contents.held();
    const stays = held.count > mayGo.count ? ["what is in use, or was a moment ago"] : [];
    return { item: { kind: "contents" as const, held, mayGo, gone, stays }, isMore: false };
  }

  /** What engines have fetched, whatever its age. An engine that does not answer removes nothing. */
  async #images({ isDry }: PruneRequest) {
    const item: Mutable = { held: NOTHING, mayGo: NOTHING, gone: NOTHING, stays: [] };
    for (const engine of this.#options.engines) {
      try {
        const pruned = await engine.pruneImages?.({ isDry });
        if (pruned === undefined) continue;
        for (const key of ["held", "mayGo", "gone"] as const) item[key] = add(item[key], pruned[key]);
        item.stays.push(...pruned.stays);
      } catch (error) {
        item.stays.push(asAppError(error).message);
      }
    }
    return { item: { kind: "images" as const, ...item }, isMore: false };
  }
}

interface Mutable extends Record<"held" | "mayGo" | "gone", Amount> {
  readonly stays: string[];
}

const add = (a: Amount, b: Amount): Amount => ({ count: a.count + b.count, bytes: a.bytes + b.bytes });
