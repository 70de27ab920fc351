/** A node as placement sees it. */
import type { Node } from "../../shared/model/node.ts";
import { NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";

/** A node with what this home has placed on it. Plain data: the projection makes a new one for every change. */
export interface NodeView {
  readonly node: Node;
  /** Sum over live executions of this home. */
  readonly allocated: Resources;
}

/** What the node holds for other homes, by its last word. */
export const heldForOthers = ({ node }: NodeView): Resources => node.load?.heldForOthers ?? NO_RESOURCES;
