/**
 * What scheduling looks at, in memory: nodes with what is placed on them. Changed inside the transaction that changes
 * the rows, and rebuilt from them at start and whenever a transaction fails.
 */
import type { NodeId } from "../../shared/model/ids.ts";
import type { Node } from "../../shared/model/node.ts";
import { add, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";
import type { NodeView } from "../core/node.ts";

/** Nodes and what is placed on them, sorted by id. */
export class Projection {
  #ids: NodeId[] = [];
  #views: NodeView[] = [];
  readonly #index = new Map<NodeId, number>();

  rebuild(nodes: readonly Node[], allocated: ReadonlyMap<NodeId, Resources>): void {
    this.#ids = nodes.map(({ facts }) => facts.id).sort();
    const byId = new Map(nodes.map((node) => [node.facts.id, node]));
    this.#views = this.#ids.map((id) => ({
      node: byId.get(id)!,
      allocated: allocated.get(id) ?? NO_RESOURCES,
    }));
    this.#number();
  }

  /** Sorted by id. */
  get nodes(): readonly NodeView[] {
    return this.#views;
  }

  find(id: NodeId): NodeView | undefined {
    const index = this.#index.get(id);
    return index === undefined ? undefined : this.#views[index];
  }

  putNode(node: Node): void {
    const index = this.#index.get(node.facts.id);
    if (index !== undefined) {
      this.#views[index] = { ...this.#views[index]!, node };
      return;
    }
    this.#ids.push(node.facts.id);
    this.#views.push({ node, allocated: NO_RESOURCES });
    const order = this.#ids.map((id, at) => ({ id, view: this.#views[at]! })).sort((a, b) =>
      a.id < b.id ? -1 : 1
    );
    this.#ids = order.map(({ id }) => id);
    this.#views = order.map(({ view }) => view);
    this.#number();
  }

  allocate(id: NodeId, resources: Resources): void {
    this.#change(id, (allocated) => add(allocated, resources));
  }

  release(id: NodeId, resources: Resources): void {
    this.#change(id, (allocated) => subtract(allocated, resources));
  }

  #change(id: NodeId, change: (allocated: Resources) => Resources): void {
    const index = this.#index.get(id);
    if (index === undefined) return;
    const view = this.#views[index]!;
    this.#views[index] = { ...view, allocated: change(view.allocated) };
  }

  #number(): void {
    this.#index.clear();
    for (const [index, id] of this.#ids.entries()) this.#index.set(id, index);
  }
}
