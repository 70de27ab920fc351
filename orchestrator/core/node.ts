/** A node as placement sees it. */
import type { NodeId } from "../../shared/model/ids.ts";
import type { Node } from "../../shared/model/node.ts";
import { add, NO_RESOURCES, type Resources, scale, subtract } from "../../shared/model/resources.ts";

/** A node with what this home has placed on it. Plain data: the projection makes a new one for every change. */
export interface NodeView {
  readonly node: Node;
  /** Sum over live executions of this home. */
  readonly allocated: Resources;
}

/** What others (its own desk, another home) hold there, by the node's last word. */
export function heldByOthers({ node, allocated }: NodeView): Resources {
  if (node.load === undefined) return NO_RESOURCES;
  const rest = subtract(add(node.load.allocated, node.load.queued), allocated);
  return scale({
    cpuMillis: Math.max(0, rest.cpuMillis),
    memoryBytes: Math.max(0, rest.memoryBytes),
    diskBytes: Math.max(0, rest.diskBytes),
    gpuCount: Math.max(0, rest.gpuCount),
  }, 1);
}

export const nodeIdOf = (view: NodeView): NodeId => view.node.facts.id;
