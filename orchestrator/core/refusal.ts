/** Why slots found no place, in words: Bacalhau's sentence, and one line for each reason. */
import { type NodeId, shortId } from "../../shared/model/ids.ts";

/** Why slots found no place, for users. */
export interface Refusal {
  /** No known node could ever run it as things are. */
  readonly isLasting: boolean;
  readonly message: string;
  readonly hint: string;
}

/** What is known of the nodes that did not take them. */
export interface RefusalInput {
  readonly requestedCount: number;
  readonly nodesKnown: number;
  readonly rejected: readonly { nodeId: NodeId; reason: string; isLasting: boolean; remedy?: string }[];
  /** Nodes that pass every filter and have refused this partition all the same. */
  readonly refused: readonly { nodeId: NodeId; reason: string; hint?: string }[];
  /** Nodes that pass every filter and have no room. */
  readonly busy: readonly NodeId[];
}

/** Nodes rejected for the same reason share a line; the most frequent reasons first. */
export function notEnoughNodes(input: RefusalInput): Refusal {
  const { requestedCount, nodesKnown, rejected, refused, busy } = input;
  const lines = new Map<string, NodeId[]>();
  const note = (reason: string, nodeId: NodeId) => {
    const nodes = lines.get(reason);
    if (nodes === undefined) lines.set(reason, [nodeId]);
    else nodes.push(nodeId);
  };
  for (const { reason, nodeId } of rejected) note(reason, nodeId);
  // Agents speak of themselves: `this node does not have …`.
  for (const { reason, nodeId } of refused) note(reason.replace(/^this node /, ""), nodeId);
  for (const nodeId of busy) note("node busy", nodeId);
  const shown = [...lines].sort(([a, m], [b, n]) => n.length - m.length || (a < b ? -1 : 1)).slice(
    0,
    LINES_MAX,
  );
  const bullets = shown.map(([reason, nodes]) =>
    `\n• ${
      nodes.length > 1 ? `${nodes.length} of ${nodesKnown} nodes` : `Node ${shortId(nodes[0]!)}`
    }: ${reason}`
  );
  const isRefusedEverywhere = refused.length > 0 && busy.length === 0;
  const isLasting = isRefusedEverywhere || (busy.length === 0 && rejected.every((one) => one.isLasting));
  const remedy = commonRemedy(rejected);
  return {
    isLasting,
    message:
      `not enough nodes to run job. requested: ${requestedCount}, available: ${nodesKnown}, suitable: ${busy.length}.` +
      bullets.join(""),
    hint: isRefusedEverywhere
      ? refused.find(({ hint }) => hint !== undefined)?.hint ?? "Change what the job asks for"
      : isLasting
      ? remedy ?? "Change what the job asks for, or add a node that offers it"
      : remedy === undefined || busy.length > 0
      ? `${STARTS_BY_ITSELF} a node has room`
      : `${STARTS_BY_ITSELF} a node takes it; ${remedy[0]!.toLowerCase()}${remedy.slice(1)}`,
  };
}

/** What would help with every node. */
function commonRemedy(rejected: RefusalInput["rejected"]): string | undefined {
  const [remedy, ...others] = new Set(rejected.map((one) => one.remedy));
  return others.length === 0 ? remedy : undefined;
}

/** How hints for what waits without fault of the job begin. */
export const STARTS_BY_ITSELF = "It starts by itself as soon as";

/** More reasons than this help nobody. */
const LINES_MAX = 8;
