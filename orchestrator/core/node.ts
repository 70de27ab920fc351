/** A node as placement sees it. */
import { LIMITS } from "../../shared/limits.ts";
import type { Node } from "../../shared/model/node.ts";
import { add, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";

/** What this home has placed on a node. */
export interface Placed {
  /** Sum over live executions of this home. */
  readonly allocated: Resources;
  /** Ports of the node that live executions of this home have by name. Absent: none. */
  readonly hostPorts?: readonly number[];
  /** Of them, those that have not begun as far as is known: at least as many as stand in the node's queue. */
  readonly waitingCount: number;
  /** How many may wait there, where that is less than a queue holds: the node has refused for want of room. */
  readonly waitingMax?: number;
}

/** Nothing is placed there. */
export const NOTHING_PLACED: Placed = { allocated: NO_RESOURCES, waitingCount: 0 };

/** A node with what this home has placed on it. Plain data: the projection makes a new one for every change. */
export interface NodeView extends Placed {
  readonly node: Node;
}

/** Whether its queue may be full: an order more could be refused. */
export const isQueueFull = ({ waitingCount, waitingMax = Infinity }: Omit<Placed, "allocated">): boolean =>
  waitingCount >= Math.min(waitingMax, LIMITS.agentQueueMax);

/** What the node holds for other homes, by its last word. */
export const heldForOthers = ({ node }: NodeView): Resources => node.load?.heldForOthers ?? NO_RESOURCES;

/** What counts against the node: what this home has there, others have, and `reserved` for whom room is being made. */
export const usedOn = (view: NodeView, reserved = NO_RESOURCES): Resources =>
  add(add(view.allocated, heldForOthers(view)), reserved);
