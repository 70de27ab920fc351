/**
 * Makes room when somebody asks for it: ended jobs here, and on the node what they left. One call does a bounded amount
 * and says whether there is more.
 */
import type { Bus } from "../../shared/bus/bus.ts";
import { pause } from "../../shared/clock.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import { PruneAnswer, type PruneItem, type PruneRequest } from "../../shared/wire/messages.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import type { Store } from "../store/store.ts";
import type { Retain } from "./retain.ts";

/** What pruning works on. */
export interface PruneOptions {
  readonly store: Store;
  readonly retain: Retain;
  readonly bus: Bus;
  /** The agent of this node. */
  readonly agent: PeerId;
  /** Orders to the agent that it has not acknowledged. */
  readonly unsentCount: () => number;
}

/** What is there, what of it may go, what went. */
export interface Pruned {
  readonly items: readonly PruneItem[];
  readonly isMore: boolean;
  /** Bytes of this orchestrator's database; what is removed from it is used again, the file stays as large. */
  readonly storeBytes: number;
  /** The same of the agent, and what its disk has free; absent when it was not asked. */
  readonly agent?: { readonly storeBytes: number; readonly diskFreeBytes: number };
}

/** One call removes jobs for so long at most. */
const STEP_MS = 2_000;
const PAGE = 256;
/** What the agent needs to hear of forgotten jobs before it is asked for their results. */
const HEARD_MS = 5_000;
const HEARD_PAUSE_MS = 20;
const REQUEST_MS = 60_000;

/** Errors: `unavailable` when the node's agent does not answer. */
export async function prune(options: PruneOptions, request: PruneRequest): Promise<Pruned> {
  const { store, bus, agent } = options;
  const items: PruneItem[] = [];
  let isMore = false;
  if (request.kinds.includes("jobs")) {
    const jobs = await pruneJobs(options, request);
    items.push(jobs.item);
    isMore = jobs.isMore;
  }
  const storeBytes = bytesOf(store);
  const kinds = request.kinds.filter((kind) => kind !== "jobs");
  if (kinds.length === 0) return { items, isMore, storeBytes };
  if (items.some(({ gone }) => gone.count > 0)) await heard(options);
  const bytes = encodeMessage({ ...request, kinds });
  const answer = decodeAnswer(
    await bus.request(serveSubject(agent, "prune"), bytes, { timeoutMs: REQUEST_MS }),
  );
  const told = PruneAnswer.parse(answer.value);
  return {
    items: [...items, ...told.items],
    isMore: isMore || told.isMore,
    storeBytes,
    agent: { storeBytes: told.storeBytes, diskFreeBytes: told.diskFreeBytes },
  };
}

async function pruneJobs(options: PruneOptions, { olderThanMs, isDry }: PruneRequest) {
  const { store, retain } = options;
  const { clock } = store;
  const endedBeforeMs = store.lifetime.nowMs() - olderThanMs;
  const untilMs = clock.uptimeMs() + STEP_MS;
  let [mayGoCount, restlessCount, goneCount] = [0, 0, 0];
  let isMore = false;
  for (
    let page = store.ended.page(undefined, PAGE);
    page.length > 0;
    page = store.ended.page(page.at(-1), PAGE)
  ) {
    const old = page.filter(({ endedMs }) => endedMs <= endedBeforeMs);
    const resting = old.filter(({ row }) => store.ended.isAtRest(row));
    restlessCount += old.length - resting.length;
    mayGoCount += resting.length;
    if (!isDry && resting.length > 0) {
      const { jobCount } = retain.forget(resting);
      goneCount += jobCount;
      mayGoCount -= jobCount;
      isMore ||= jobCount < resting.length;
      if (clock.uptimeMs() > untilMs) {
        isMore = true;
        break;
      }
    }
    await pause(clock, 0);
  }
  const stays = restlessCount > 0
    ? [`${restlessCount} of which something is still at work, or the newest`]
    : [];
  const item = {
    kind: "jobs",
    held: { count: store.ended.count(), bytes: 0 },
    mayGo: { count: mayGoCount, bytes: 0 },
    gone: { count: goneCount, bytes: 0 },
    stays,
  };
  return { item, isMore };
}

/** Until the agent has heard which jobs are forgotten, or for a while. */
async function heard({ store: { clock }, unsentCount }: PruneOptions): Promise<void> {
  const untilMs = clock.uptimeMs() + HEARD_MS;
  while (unsentCount() > 0 && clock.uptimeMs() < untilMs) await pause(clock, HEARD_PAUSE_MS);
}

function bytesOf({ database }: Store): number {
  const { page_count, page_size } = {
    ...database.get("PRAGMA page_count"),
    ...database.get("PRAGMA page_size"),
  };
  return Number(page_count) * Number(page_size);
}
