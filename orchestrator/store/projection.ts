/**
 * What scheduling looks at, in memory: nodes with what is placed on them. Changed inside the transaction that changes
 * the rows, and rebuilt from them at start and whenever a transaction fails.
 */
import { type Execution, hasNotBegun, isLive } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { Node } from "../../shared/model/node.ts";
import { add, type Resources, subtract } from "../../shared/model/resources.ts";
import { Accounts } from "./accounts.ts";
import { Draining } from "./draining.ts";
import { Occupants } from "./occupants.ts";
import { type NodeView, NOTHING_PLACED, type Placed } from "../core/node.ts";

/** Nodes and what is placed on them, sorted by id. */
export class Projection {
  readonly accounts = new Accounts();
  readonly draining = new Draining();
  readonly occupants: Occupants;
  #ids: NodeId[] = [];
  #views: NodeView[] = [];
  readonly #index = new Map<NodeId, number>();

  /** `hasPreemption`: who is on which node is kept too. */
  constructor({ hasPreemption = false }: { hasPreemption?: boolean } = {}) {
    this.occupants = new Occupants({ isKept: hasPreemption });
  }

  rebuild(
    nodes: readonly Node[],
    placed: ReadonlyMap<NodeId, Placed>,
    held: ReadonlyMap<string, Resources> = new Map(),
  ): void {
    this.accounts.rebuild(nodes, held);
    const former = new Map(this.#views.map((view) => [view.node.facts.id, view]));
    this.#ids = nodes.map(({ facts }) => facts.id).sort();
    const byId = new Map(nodes.map((node) => [node.facts.id, node]));
    this.#views = this.#ids.map((id) => {
      // What nodes said since their rows were written is in memory only.
      const { node: { load } = {}, waitingMax } = former.get(id) ?? {};
      const node = byId.get(id)!;
      const view = {
        ...placed.get(id) ?? NOTHING_PLACED,
        node: load === undefined ? node : { ...node, load },
      };
      return waitingMax === undefined ? view : { ...view, waitingMax };
    });
    this.#number();
    this.draining.rebuild(nodes);
  }

  /** Sorted by id. */
  get nodes(): readonly NodeView[] {
    return this.#views;
  }

  find(id: NodeId): NodeView | undefined {
    const index = this.#index.get(id);
    return index === undefined ? undefined : this.#views[index];
  }

  /** `placed`: what is there already of a node that was not known. */
  putNode(node: Node, placed = NOTHING_PLACED): void {
    const before = this.find(node.facts.id)?.node;
    this.draining.followNode(before, node);
    this.accounts.followNode(before, node);
    const index = this.#index.get(node.facts.id);
    if (index !== undefined) {
      this.#views[index] = { ...this.#views[index]!, node };
      return;
    }
    this.#ids.push(node.facts.id);
    this.#views.push({ ...placed, node });
    const order = this.#ids.map((id, at) => ({ id, view: this.#views[at]! })).sort((a, b) =>
      a.id < b.id ? -1 : 1
    );
    this.#ids = order.map(({ id }) => id);
    this.#views = order.map(({ view }) => view);
    this.#number();
  }

  /** So many more may wait there than do now; undefined: as many as its queue holds. */
  limitQueue(id: NodeId, extraCount: number | undefined): void {
    const index = this.#index.get(id);
    if (index === undefined) return;
    const { waitingMax: _, ...view } = this.#views[index]!;
    this.#views[index] = extraCount === undefined
      ? view
      : { ...view, waitingMax: view.waitingCount + extraCount };
  }

  /** Takes over what a change of an execution means to its node. `before` is absent for a new one. */
  follow(before: Execution | undefined, after: Execution): void {
    const { nodeId, resources, hostPorts, phase } = after;
    this.accounts.follow(before, after);
    this.occupants.follow(after);
    this.draining.follow(after);
    const index = this.#index.get(nodeId);
    if (index === undefined) return;
    const wasLive = before !== undefined && isLive(before.phase);
    const hasWaited = before !== undefined && hasNotBegun(before.phase);
    const view = this.#views[index]!;
    const { allocated, waitingCount } = view;
    this.#views[index] = {
      ...view,
      allocated: wasLive === isLive(phase)
        ? allocated
        : wasLive
        ? subtract(allocated, resources)
        : add(allocated, resources),
      waitingCount: waitingCount + Number(hasNotBegun(phase)) - Number(hasWaited),
      ...(hostPorts && wasLive !== isLive(phase) &&
        {
          hostPorts: wasLive ? without(view.hostPorts, hostPorts) : [...view.hostPorts ?? [], ...hostPorts],
        }),
    };
  }

  #number(): void {
    this.#index.clear();
    for (const [index, id] of this.#ids.entries()) this.#index.set(id, index);
  }
}

/** Each once: one that was given up and one that took its place may both be there. */
function without(all: readonly number[] = [], gone: readonly number[]): readonly number[] {
  const left = [...all];
  for (const port of gone) {
    const at = left.indexOf(port);
    if (at >= 0) left.splice(at, 1);
  }
  return left;
}
