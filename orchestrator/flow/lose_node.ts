/** What a node holds is given up: it fell silent for long, or it lost its store and knows of nothing any more. */
import type { NodeId } from "../../shared/model/ids.ts";
import * as events from "../core/events.ts";
import { step } from "../core/execution.ts";
import { jobAt } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

/** Inside the caller's transaction; a late report may still correct each of them. */
export function loseNode(store: Store, nodeId: NodeId, { message }: { message: string }): void {
  for (const { jobRow, execution } of store.executions.liveOn(nodeId)) {
    const lost = step(execution, {
      kind: "lost",
      message,
      hint:
        "It is tried again elsewhere as far as the job's retry policy allows; a late result is still accepted",
    }, store.nowMs());
    store.executions.update(lost);
    store.projection.follow(execution, lost);
    const found = store.damaged.read(jobAt(jobRow), () => store.jobs.get(jobRow));
    if (found === undefined) continue;
    store.record(found, events.executionStopped(message), { executionId: lost.id });
    store.evaluate(found, "node_leave");
  }
  store.waiting.nodesChanged();
}
