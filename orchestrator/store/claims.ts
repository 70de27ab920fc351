/**
 * Room that is being made for jobs, in memory: until those that make way have gone, nobody who comes later takes it. A home
 * that starts anew looks again: what is on its way out still counts as room to come.
 */
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { add, NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import type { Waiter } from "./fair_queue.ts";

/** Room for one execution. */
export interface Claim {
  readonly nodeId: NodeId;
  readonly resources: Resources;
  /** Those that make way. */
  readonly victims: readonly ExecutionId[];
}

/** Claims by the job that they are for. */
export class Claims {
  readonly #byJob = new Map<number, { readonly waiter: Waiter; readonly claims: readonly Claim[] }>();

  /** The job's claims, which are given up. */
  take(jobRow: number): readonly Claim[] {
    const claims = this.#byJob.get(jobRow)?.claims ?? [];
    this.#byJob.delete(jobRow);
    return claims;
  }

  has(jobRow: number): boolean {
    return this.#byJob.has(jobRow);
  }

  put(waiter: Waiter, claims: readonly Claim[]): void {
    if (claims.length > 0) this.#byJob.set(waiter.jobRow, { waiter, claims });
  }

  /** What this job must leave to those that go first. */
  reservedFor({ jobRow, priority }: Waiter): ReadonlyMap<NodeId, Resources> {
    const reserved = new Map<NodeId, Resources>();
    for (const { waiter, claims } of this.#byJob.values()) {
      const isFirst = waiter.priority > priority ||
        (waiter.priority === priority && waiter.jobRow < jobRow);
      if (!isFirst) continue;
      for (const { nodeId, resources } of claims) {
        reserved.set(nodeId, add(reserved.get(nodeId) ?? NO_RESOURCES, resources));
      }
    }
    return reserved;
  }

  clear(): void {
    this.#byJob.clear();
  }
}
