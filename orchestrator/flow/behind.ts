/** Whom an execution waits behind on its node, as far as its home knows: what runs there, and what stands before it in the queue. */
import { type Execution, hasNotBegun } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { jobAt } from "../store/jobs.ts";
import type { QueuedRow } from "../store/executions.ts";
import type { Store } from "../store/store.ts";
import type { NamedJob } from "./explain.ts";

/** Who is there before it. Work of other homes is not known here. */
export interface Behind {
  readonly runningCount: number;
  /** Of higher priority, or of the same and there before it: namespaces take turns, so that others may go first too. */
  readonly waitingCount: number;
  /** Jobs of them, each once: the first of them, those that run first. */
  readonly jobs: readonly NamedJob[];
}

/** Nodes that are looked at for one explanation: each look costs a pass over the index of what lives. */
const NODES_MAX = 5;
const NAMED_MAX = 5;

/** Of those that wait on a node, on the first of their nodes. */
export function behindOf(store: Store, executions: readonly Execution[]): ReadonlyMap<string, Behind> {
  const there = new Map<NodeId, readonly QueuedRow[]>();
  const found = new Map<string, Behind>();
  for (const { id, nodeId, phase, desired } of executions) {
    if (!hasNotBegun(phase) || desired === "stop") continue;
    if (!there.has(nodeId)) {
      if (there.size === NODES_MAX) continue;
      there.set(nodeId, store.executions.queueOn(nodeId));
    }
    const rows = there.get(nodeId)!;
    const at = rows.findIndex((one) => one.id === id);
    if (at >= 0) found.set(id, tell(store, rows.slice(0, at)));
  }
  return found;
}

function tell(store: Store, before: readonly QueuedRow[]): Behind {
  const runningCount = before.filter(({ hasBegun }) => hasBegun).length;
  const rows = [...new Set(before.map(({ jobRow }) => jobRow))].slice(0, NAMED_MAX);
  const jobs = rows.flatMap((row) => {
    const job = store.damaged.read(jobAt(row), () => store.jobs.get(row).job);
    return job === undefined ? [] : [{ id: job.id, name: job.spec.name }];
  });
  return { runningCount, waitingCount: before.length - runningCount, jobs };
}
