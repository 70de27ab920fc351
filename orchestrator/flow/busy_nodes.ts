/**
 * Nodes that said "not now", although this home thought that they had room: it may have counted wrongly. Such a node gets
 * nothing for a while, which doubles each time; then one order, and more as long as it takes them. In memory only: a
 * home that starts anew finds out again.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { NodeLoad } from "../../shared/model/node.ts";
import { NO_RESOURCES } from "../../shared/model/resources.ts";
import type { Store } from "../store/store.ts";

/** How long a node is left alone: at first, and at most. */
const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 300_000;
/** With each sign of life without a refusal it gets so many times as many orders. */
const GROWTH = 8;

interface Busy {
  readonly message: string;
  readonly pauseMs: number;
  readonly untilMs: number;
  /** Orders that it may have waiting beyond those that it had; 0: it gets nothing. */
  extraCount: number;
}

const NO_LOAD: NodeLoad = { allocated: NO_RESOURCES, queued: NO_RESOURCES, runningCount: 0, queuedCount: 0 };

/** All nodes of this home that have refused for want of room, until they take everything again. */
export class BusyNodes {
  readonly #store: Store;
  readonly #busy = new Map<NodeId, Busy>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** It refused an execution because it is busy: nothing more goes there for now. */
  refused({ nodeId, message }: Execution): void {
    const { projection, clock } = this.#store;
    const known = this.#busy.get(nodeId);
    if (known?.extraCount === 0) return; // one of those that were on their way
    const pauseMs = known === undefined ? PAUSE_MS : Math.min(known.pauseMs * 2, PAUSE_MAX_MS);
    const why = message ?? "takes no new work at the moment";
    this.#busy.set(nodeId, { message: why, pauseMs, untilMs: clock.uptimeMs() + pauseMs, extraCount: 0 });
    const node = projection.find(nodeId)?.node;
    if (node !== undefined) projection.putNode({ ...node, load: { ...node.load ?? NO_LOAD, refuses: why } });
  }

  /** How long the node is left alone at least; undefined when it is not. */
  pauseLeftMs(nodeId: NodeId): number | undefined {
    const busy = this.#busy.get(nodeId);
    return busy?.extraCount === 0 ? Math.max(0, busy.untilMs - this.#store.clock.uptimeMs()) : undefined;
  }

  /** The load that a sign of life told, as it is to be believed. Lets a node that has room have orders again. */
  believe(nodeId: NodeId, load: NodeLoad | undefined): NodeLoad | undefined {
    const busy = this.#busy.get(nodeId);
    if (busy === undefined) return load;
    const { projection, clock } = this.#store;
    const hasRoom = load === undefined ||
      (load.refuses === undefined && load.queuedCount < LIMITS.agentQueueMax);
    if (busy.extraCount === 0 && (clock.uptimeMs() < busy.untilMs || !hasRoom)) {
      return { ...load ?? NO_LOAD, refuses: load?.refuses ?? busy.message };
    }
    busy.extraCount = Math.max(1, busy.extraCount * GROWTH);
    if (busy.extraCount < LIMITS.agentQueueMax) projection.limitQueue(nodeId, busy.extraCount);
    else {
      projection.limitQueue(nodeId, undefined);
      this.#busy.delete(nodeId);
    }
    return load;
  }
}
