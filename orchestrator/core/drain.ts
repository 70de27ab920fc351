/** Who leaves a node that is being drained, and when. Pure. */
import { type ExecutionPhase, hasNotBegun } from "../../shared/model/execution.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { JobType } from "../../shared/model/job.ts";
import type { Drain } from "../../shared/model/node.ts";

/** A live execution on the node. */
export interface There {
  readonly id: ExecutionId;
  readonly jobRow: number;
  readonly type: JobType;
  readonly phase: ExecutionPhase;
  readonly desired: "run" | "stop";
  /** Its job must never run anything twice: what was taken away may have begun. */
  readonly runsOnce: boolean;
}

/** What moving looks at. */
export interface DrainInput {
  readonly drain: Drain;
  /** Oldest first. */
  readonly there: readonly There[];
  /** Whether everything that the service should have runs, here and elsewhere. Asked only where it matters. */
  readonly isWhole: (jobRow: number) => boolean;
}

/**
 * Executions to stop now. What has not begun leaves at once. Services leave one at a time, each time that the job is whole
 * again. Batch and ops may end until the deadline has passed; then all leave. Daemons leave last.
 */
export function leaving({ drain, there, isWhole }: DrainInput): readonly There[] {
  if (drain.kind === "cordon") return [];
  const isOver = drain.isOver ?? false;
  const isLast = there.every(({ type }) => type === "daemon");
  const moved = new Set<number>();
  return there.filter(({ jobRow, type, phase, desired, runsOnce }) => {
    if (desired === "stop") return false;
    switch (type) {
      case "batch":
        return isOver || (hasNotBegun(phase) && !runsOnce);
      case "ops":
        return isOver;
      case "service":
        if (isOver || hasNotBegun(phase)) return true;
        if (moved.has(jobRow) || !isWhole(jobRow)) return false;
        moved.add(jobRow);
        return true;
      case "daemon":
        return isLast;
    }
  });
}
