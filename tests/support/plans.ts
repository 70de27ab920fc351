/** What reconcile looks at, for tests. */
import type { OpenExecution, ReconcileInput } from "../../orchestrator/core/plan.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { UPDATE_DEFAULT } from "../../shared/model/job.ts";

/** A running batch job of three partitions that has nothing yet. */
export const input = (change: Partial<ReconcileInput> = {}): ReconcileInput => ({
  nodes: [],
  beenOn: new Set(),
  older: [],
  vacated: [],
  away: new Set(),
  closed: new Set(),
  update: UPDATE_DEFAULT,
  isRolling: false,
  isHalted: false,
  nowMs: 0,
  type: "batch",
  phase: "running",
  count: 3,
  retry: { attempts: 0, lostAttempts: 2 },
  nextPartition: 0,
  completedCount: 0,
  open: [],
  ...change,
});
/** One that runs. */
export const open = (change: Partial<OpenExecution> = {}): OpenExecution => ({
  createdAtMs: 0,
  modifiedAtMs: 0,
  id: "e-1" as ExecutionId,
  nodeId: "n-1" as NodeId,
  partition: 0,
  attempt: 0,
  phase: "running",
  desired: "run",
  isSuperseded: false,
  ...change,
});
/** One whose node was lost. */
export const lost = (change: Partial<OpenExecution> = {}) =>
  open({ phase: "lost", code: "node_lost", message: "gone", ...change });
/** An ended execution of a partition on a node. */
export const ended = (partition: number, node: string, change: Partial<OpenExecution> = {}): OpenExecution =>
  open({
    id: `e-${partition}-${node}` as ExecutionId,
    partition,
    nodeId: node as NodeId,
    phase: "failed",
    ...change,
  });
