/** What each namespace holds of the whole, in memory: followed by the projection. */
import { type Execution, isLive } from "../../shared/model/execution.ts";
import type { Node } from "../../shared/model/node.ts";
import { add, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";

/** Whether the node's capacity is a part of the whole that is shared. */
const counts = ({ membership, isGivenUp = false }: Node): boolean => membership === "approved" && !isGivenUp;

/** Sums over live executions by namespace, and over nodes. */
export class Accounts {
  readonly #held = new Map<string, Resources>();
  #total: Resources = NO_RESOURCES;

  rebuild(nodes: readonly Node[], held: ReadonlyMap<string, Resources>): void {
    this.#held.clear();
    for (const [namespace, resources] of held) this.#held.set(namespace, resources);
    this.#total = NO_RESOURCES;
    for (const node of nodes) this.followNode(undefined, node);
  }

  /** Sum over the namespace's live executions. */
  heldBy(namespace: string): Resources {
    return this.#held.get(namespace) ?? NO_RESOURCES;
  }

  /** Namespaces that hold something, sorted by name. */
  get namespaces(): readonly string[] {
    return [...this.#held.keys()].sort();
  }

  /** Capacity of all approved nodes that are not given up. */
  get total(): Resources {
    return this.#total;
  }

  /** Takes over what a change of an execution means. `before` is absent for a new one. */
  follow(before: Execution | undefined, { namespace, resources, phase }: Execution): void {
    const wasLive = before !== undefined && isLive(before.phase);
    if (wasLive === isLive(phase)) return;
    const held = wasLive
      ? subtract(this.heldBy(namespace), resources)
      : add(this.heldBy(namespace), resources);
    if (Object.values(held).every((amount) => amount === 0)) this.#held.delete(namespace);
    else this.#held.set(namespace, held);
  }

  followNode(before: Node | undefined, after: Node): void {
    if (before !== undefined && counts(before)) {
      this.#total = subtract(this.#total, before.facts.capacity);
    }
    if (counts(after)) this.#total = add(this.#total, after.facts.capacity);
  }
}
