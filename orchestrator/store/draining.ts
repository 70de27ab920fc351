/**
 * Nodes that get nothing new, in memory, and which of them are worth another look: one on which something changed, or that
 * waits for a job which did. Followed by the projection.
 */
import type { Execution } from "../../shared/model/execution.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import type { Node } from "../../shared/model/node.ts";

/** All such nodes. */
export class Draining {
  readonly #nodes = new Set<NodeId>();
  readonly #due = new Set<NodeId>();
  /** Jobs of which something leaves a node as soon as all of them runs, and from where. */
  readonly #waiting = new Map<JobId, Set<NodeId>>();

  rebuild(nodes: readonly Node[]): void {
    this.#nodes.clear();
    this.#due.clear();
    this.#waiting.clear();
    for (const node of nodes) this.followNode(undefined, node);
  }

  followNode(before: Node | undefined, { facts: { id }, drain, connection }: Node): void {
    if (drain === undefined) return this.#forget(id);
    this.#nodes.add(id);
    if (before?.drain !== drain || before.connection !== connection) this.#due.add(id);
  }

  #forget(id: NodeId): void {
    if (!this.#nodes.delete(id)) return;
    this.#due.delete(id);
    for (const [job, nodes] of this.#waiting) {
      if (nodes.delete(id) && nodes.size === 0) this.#waiting.delete(job);
    }
  }

  follow({ nodeId, jobId }: Execution): void {
    if (this.#nodes.has(nodeId)) this.#due.add(nodeId);
    for (const id of this.#waiting.get(jobId) ?? []) this.#due.add(id);
    this.#waiting.delete(jobId);
  }

  get isDue(): boolean {
    return this.#due.size > 0;
  }

  /** Some that are due, and are not any more. */
  take(max: number): readonly NodeId[] {
    const some = [...this.#due.keys().take(max)];
    for (const id of some) this.#due.delete(id);
    return some;
  }

  /** It was looked at just now: again when one of these jobs has changed; `isMore`: or at once. */
  looked(id: NodeId, { jobs, isMore }: { jobs: Iterable<JobId>; isMore: boolean }): void {
    if (isMore) this.#due.add(id);
    else this.#due.delete(id);
    for (const job of jobs) {
      const nodes = this.#waiting.get(job);
      if (nodes === undefined) this.#waiting.set(job, new Set([id]));
      else nodes.add(id);
    }
  }
}
