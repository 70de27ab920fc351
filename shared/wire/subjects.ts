/** Names on the bus. A node's id holds no dots, so that each is one token. */
import type { PeerId } from "./messages.ts";

/** Where a peer receives hello, batch and ack. */
export const syncSubject = (peer: PeerId): string => `skerry.v1.sync.${peer.replace("/", ".")}`;
/** Where a peer answers requests for content, logs, results and room. */
export const serveSubject = (
  peer: PeerId,
  what: "content" | "logs" | "result_list" | "result_read" | "prune",
): string => `skerry.v1.serve.${peer.replace("/", ".")}.${what}`;

/** The agent of a node. */
export const agentPeer = (nodeId: string): PeerId => `${nodeId}/agent`;
/** The orchestrator of a node. */
export const orchestratorPeer = (nodeId: string): PeerId => `${nodeId}/orchestrator`;
/** The node's id of a peer. */
export const nodeOf = (peer: PeerId): string => peer.slice(0, peer.indexOf("/"));
