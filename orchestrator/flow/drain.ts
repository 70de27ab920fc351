/** Nodes that are to be emptied: what runs there ends or moves, by the clock and as room is found elsewhere. */
import { AppError } from "../../shared/errors.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { Drain, Node } from "../../shared/model/node.ts";
import { leaving, type There } from "../core/drain.ts";
import { takesNothingNew } from "../core/filters.ts";
import { jobAt, type JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { Enact, type EnactOptions } from "./enact.ts";
import { loseNode } from "./lose_node.ts";

/** How a node is to be emptied. */
export interface DrainWish {
  readonly kind: Drain["kind"];
  /** Until everything that is left is stopped; 0: at once. Absent: it may take as long as it takes. */
  readonly deadlineMs?: number;
  readonly reason?: string;
}

/** What drains are kept in. */
export interface DrainOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly nudgeTurn: () => void;
}

/** From now on the node gets nothing new. A second wish takes the place of the first. Errors: `not_found`. */
export function drainNode(options: DrainOptions, id: NodeId, wish: DrainWish): Node {
  const { store, deadlines, nudgeTurn } = options;
  const { kind, deadlineMs, reason } = wish;
  const nowMs = store.nowMs();
  const before = nodeOf(store, id);
  const drain: Drain = {
    kind,
    sinceAtMs: before.drain?.sinceAtMs ?? nowMs,
    ...(kind === "drain" && deadlineMs !== undefined && { deadlineAtMs: nowMs + deadlineMs }),
    ...(reason !== undefined && reason !== "" && { reason }),
  };
  const node = { ...before, drain };
  store.transaction(() => {
    deadlines.clear(id, "drain");
    if (kind === "drain" && deadlineMs !== undefined) deadlines.set(id, "drain", deadlineMs);
    put(store, node);
    store.waiting.nodesChanged();
  });
  nudgeTurn();
  return node;
}

/** The node takes work again; what has left does not come back by itself. Errors: `not_found`. */
export function endDrain({ store, deadlines, nudgeTurn }: DrainOptions, id: NodeId): Node {
  const { drain, ...node } = nodeOf(store, id);
  if (drain === undefined) return node;
  store.transaction(() => {
    deadlines.clear(id, "drain");
    put(store, node);
    store.waiting.nodesChanged();
  });
  nudgeTurn();
  return node;
}

/** Its time is up: everything that is left must leave. Inside the caller's transaction. */
export function drainIsOver(store: Store, id: NodeId): void {
  const node = store.projection.find(id)?.node;
  if (node?.drain !== undefined) put(store, { ...node, drain: { ...node.drain, isOver: true } });
}

function nodeOf(store: Store, id: NodeId): Node {
  const node = store.projection.find(id)?.node;
  if (node === undefined) throw new AppError("not_found", `node not found: ${id}`);
  return node;
}

function put(store: Store, node: Node): void {
  store.nodes.put(node);
  store.projection.putNode(node);
}

/** Moves what is due to leave. A part of the turn: after what agents have told, before plans are made. */
export class DrainNodes {
  readonly #store: Store;
  readonly #enact: Enact;

  constructor(options: EnactOptions) {
    this.#store = options.store;
    this.#enact = new Enact(options);
  }

  /** Looks at a bounded number of nodes, and stops a bounded number of executions; answers whether more must be done. */
  tick(): boolean {
    const { draining } = this.#store.projection;
    if (!draining.isDue) return false;
    return this.#store.transaction(() => {
      let left: number = LIMITS.placementsPerPlan;
      for (const id of draining.take(NODES_PER_TICK)) left -= this.#drain(id, left);
      return draining.isDue;
    });
  }

  /** Answers how many it stopped. */
  #drain(id: NodeId, stopsMax: number): number {
    const store = this.#store;
    const { draining } = store.projection;
    const { node } = store.projection.find(id)!;
    const drain = node.drain!;
    const rows = store.executions.thereOn(id);
    if (drain.kind === "cordon") {
      this.#noteEmpty(node, drain, rows.length === 0);
      draining.looked(id, { jobs: [], isMore: false });
      return 0;
    }
    const jobs = new Map<number, JobRow>();
    const there = rows.flatMap(({ jobRow, ...execution }): There[] => {
      const job = jobs.get(jobRow) ?? store.damaged.read(jobAt(jobRow), () => store.jobs.get(jobRow));
      if (job === undefined) return [];
      jobs.set(jobRow, job);
      const { type, retry } = job.job.spec;
      return [{ ...execution, jobRow, type, runsOnce: retry.lostAttempts === 0 }];
    });
    const message = `Execution stop requested because its node ${takesNothingNew(drain)}`;
    const all = leaving({ drain, there, isWhole: (row) => this.#isWhole(jobs.get(row)!) });
    const stops = all.slice(0, stopsMax);
    for (const { id, jobRow } of stops) {
      this.#enact.stop(jobs.get(jobRow)!, id, message, "drain");
    }
    const isMore = stops.length < all.length;
    // Nobody answers there: what should be gone by now is given up, and stopped as soon as the node is back.
    const isGone = drain.isOver === true && node.connection === "disconnected" && rows.length > 0 && !isMore;
    if (isGone) {
      loseNode(store, id, {
        message: `Execution lost because its node ${takesNothingNew(drain)} and is not connected`,
      });
    }
    this.#noteEmpty(node, drain, rows.length === 0 || isGone);
    const services = [...jobs.values()].filter(({ job }) => job.spec.type === "service");
    draining.looked(id, { jobs: services.map(({ job }) => job.id), isMore });
    return stops.length;
  }

  #noteEmpty(node: Node, { emptyAtMs, ...drain }: Drain, isEmpty: boolean): void {
    if (isEmpty === (emptyAtMs !== undefined)) return;
    const noted = isEmpty ? { ...drain, emptyAtMs: this.#store.nowMs() } : drain;
    put(this.#store, { ...node, drain: noted });
  }

  /** Everything that the service should have runs and does its work, as far as is known. */
  #isWhole({ row, job }: JobRow): boolean {
    return this.#store.executions.upCount(row) >= job.spec.count;
  }
}

/** A look at one costs a pass over the index of what lives: they are many where a home with many such nodes starts. */
const NODES_PER_TICK = 16;
