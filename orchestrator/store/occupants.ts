/** Live executions by node, in memory, where some may have to make room for others. Followed by the projection. */
import { type Execution, hasNotBegun, isLive } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import type { Occupant } from "../core/preempt.ts";

/** All live executions; none where nobody asks. */
export class Occupants {
  readonly #isKept: boolean;
  readonly #byNode = new Map<NodeId, Map<ExecutionId, Occupant>>();
  /** How many there are of each priority. */
  readonly #counts = new Map<number, number>();

  constructor(options: { isKept: boolean }) {
    this.#isKept = options.isKept;
  }

  /** `live` is read only where it is needed. */
  rebuild(live: () => readonly Execution[]): void {
    this.#byNode.clear();
    this.#counts.clear();
    if (this.#isKept) { for (const execution of live()) this.follow(execution); }
  }

  follow(execution: Execution): void {
    if (!this.#isKept) return;
    const { id, nodeId, phase, priority = 0 } = execution;
    const there = this.#byNode.get(nodeId) ?? new Map<ExecutionId, Occupant>();
    if (there.has(id)) this.#count(priority, -1);
    if (!isLive(phase)) there.delete(id);
    else {
      there.set(id, toOccupant(execution));
      this.#count(priority, 1);
    }
    if (there.size === 0) this.#byNode.delete(nodeId);
    else this.#byNode.set(nodeId, there);
  }

  #count(priority: number, change: number): void {
    const count = (this.#counts.get(priority) ?? 0) + change;
    if (count === 0) this.#counts.delete(priority);
    else this.#counts.set(priority, count);
  }

  on(nodeId: NodeId): readonly Occupant[] {
    return [...this.#byNode.get(nodeId)?.values() ?? []];
  }

  /** Whether anything live has at most this priority. */
  hasAtMost(priority: number): boolean {
    return [...this.#counts.keys()].some((one) => one <= priority);
  }
}

function toOccupant(execution: Execution): Occupant {
  const { id, resources, phase, desired, priority = 0, staysPut = false, createdAtMs } = execution;
  return {
    ...{ id, priority, resources, createdAtMs },
    hasBegun: !hasNotBegun(phase),
    isLeaving: desired === "stop",
    // One that publishes is as good as over.
    isMovable: !staysPut && phase !== "publishing",
  };
}
