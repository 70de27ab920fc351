/** Results stay in the execution's folder and are served from this node. */
import type { Publisher } from "./publisher.ts";

/** The publisher `local`. */
export const localPublisher: Publisher = {
  type: "local",
  keepsResultsHere: true,
  publish: ({ executionId, nodeId }) =>
    Promise.resolve({ type: "local", params: { NodeID: nodeId, ExecutionID: executionId } }),
};
