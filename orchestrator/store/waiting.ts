/**
 * Which jobs are to be evaluated, in memory: those that are due; those that wait for room, grouped by what they need, so
 * that freed capacity wakes the first of each group and nobody polls; and those that stand by, each for its own nodes.
 * Within one priority namespaces take turns, so that each comes to its share. Rebuilt from the evaluations' rows.
 */
import type { NodeId } from "../../shared/model/ids.ts";
import type { Job } from "../../shared/model/job.ts";
import { NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { needOf } from "../core/filters.ts";
import type { Refusal } from "../core/refusal.ts";
import { FairQueue, type ShareOf, type Waiter } from "./fair_queue.ts";

export type { Waiter } from "./fair_queue.ts";

/** What namespaces hold of the whole. */
export interface Shares {
  readonly shareOf: ShareOf;
  /** What so much more adds to the namespace's share. */
  readonly stepOf: (namespace: string, resources: Resources) => number;
}

/** Where a job stands among those that are to be evaluated. */
export interface Standing {
  /** `blocked`: nothing is done until room or a node appears. */
  readonly status: "due" | "blocked";
  readonly aheadCount: number;
  /** The first rows of them, in their order. */
  readonly ahead: readonly number[];
}

/** What jobs wait for together. */
export interface GroupKey {
  readonly id: string;
  /** What each execution of theirs holds. */
  readonly resources: Resources;
  /** They wait for room in the quota of this namespace, and not on a node. */
  readonly quotaOf?: string;
}

/** Jobs that need the same of a node: when the first finds no room, neither do the others. */
interface Group {
  readonly key: GroupKey;
  readonly queue: FairQueue;
  /** Something changed since the first found no room. */
  isOpen: boolean;
  refusal: Refusal | undefined;
}

/** What one that stands by is woken by, besides its own deadlines and executions. */
export interface Wakes {
  /** A node came, went or changed. */
  readonly nodes: boolean;
  /** Room on one of these. */
  readonly room: ReadonlySet<NodeId>;
  /** Room in the quota of this namespace. */
  readonly quotaOf?: string;
}

/** Same needs, same key. */
export function groupKey({ spec, image }: Job): GroupKey {
  const need = needOf(spec, image);
  const id = JSON.stringify([
    need.engine,
    need.network,
    need.hostPorts,
    need.publisher,
    need.inputs,
    need.constraints,
    need.resources,
    spec.spread,
  ]);
  return { id, resources: need.resources };
}

/** What is beyond the quota of its namespace waits apart: room on a node does not help it. */
export function quotaKey({ spec }: Job): GroupKey {
  const { namespace, task: { resources } } = spec;
  return { id: JSON.stringify(["quota", namespace, resources]), resources, quotaOf: namespace };
}

const NO_SHARES: Shares = { shareOf: () => 0, stepOf: () => 0 };

/** Jobs to evaluate, in order. */
export class Waiting {
  readonly #shares: Shares;
  /** Within a namespace in the order in which they became due. */
  readonly #due = new FairQueue();
  #dueOrder = 0;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<number, string>();
  readonly #standing = new Map<number, { readonly waiter: Waiter; readonly wakes: Wakes }>();

  constructor(shares: Shares = NO_SHARES) {
    this.#shares = shares;
  }

  /** Due now. */
  putDue(waiter: Waiter): void {
    this.#due.put(waiter, this.#dueOrder++);
  }

  /** Waits for room from now on. */
  putBlocked(waiter: Waiter, key: GroupKey, refusal: Refusal | undefined): void {
    this.#due.remove(waiter.jobRow);
    this.#standing.delete(waiter.jobRow);
    if (this.#groupOf.get(waiter.jobRow) !== key.id) this.#leave(waiter.jobRow);
    let group = this.#groups.get(key.id);
    if (group === undefined) {
      this.#groups.set(key.id, group = { key, queue: new FairQueue(), isOpen: false, refusal: undefined });
    }
    // The oldest goes first.
    group.queue.put(waiter, waiter.jobRow);
    this.#groupOf.set(waiter.jobRow, key.id);
    if (refusal !== undefined) group.refusal = refusal;
    group.isOpen = false;
  }

  /** Waits for something of its own from now on: nobody waits behind it. */
  standBy(waiter: Waiter, wakes: Wakes): void {
    this.remove(waiter.jobRow);
    this.#standing.set(waiter.jobRow, { waiter, wakes });
  }

  remove(jobRow: number): void {
    this.#due.remove(jobRow);
    this.#leave(jobRow);
    this.#standing.delete(jobRow);
  }

  #leave(jobRow: number): void {
    const id = this.#groupOf.get(jobRow);
    if (id === undefined) return;
    this.#groupOf.delete(jobRow);
    const { queue } = this.#groups.get(id)!;
    queue.remove(jobRow);
    if (queue.size === 0) this.#groups.delete(id);
  }

  /**
   * Room appeared on a node: the first of every group is worth another look, and who stands by for that node. Where a
   * namespace holds less than before, also who waits for its quota.
   */
  roomFreed(nodeId: NodeId, namespace?: string): void {
    const isOurs = (quotaOf: string | undefined) => quotaOf !== undefined && quotaOf === namespace;
    this.#wake({
      opens: ({ quotaOf }) => quotaOf === undefined || isOurs(quotaOf),
      concerns: ({ room, quotaOf }) => room.has(nodeId) || isOurs(quotaOf),
    });
  }

  /** A node came, went or changed, or nobody knows what did. */
  nodesChanged(): void {
    this.#wake({
      opens: () => true,
      concerns: ({ nodes, room, quotaOf }) => nodes || room.size > 0 || quotaOf !== undefined,
    });
  }

  #wake(
    { opens, concerns }: { opens: (key: GroupKey) => boolean; concerns: (wakes: Wakes) => boolean },
  ): void {
    for (const group of this.#groups.values()) if (opens(group.key)) group.isOpen = true;
    for (const { waiter, wakes } of this.#standing.values()) if (concerns(wakes)) this.putDue(waiter);
  }

  /** What the jobs ahead of this one in its group were told; undefined when nobody is ahead. */
  aheadOf(waiter: Waiter, key: GroupKey): Refusal | undefined {
    const group = this.#groups.get(key.id);
    if (group === undefined || group.isOpen) return undefined;
    return this.#isBefore(group.queue.first(this.#shares.shareOf)!, waiter) ? group.refusal : undefined;
  }

  #isBefore(a: Waiter, b: Waiter): boolean {
    if (a.jobRow === b.jobRow) return false;
    if (a.priority !== b.priority) return a.priority > b.priority;
    if (a.namespace === b.namespace) return a.jobRow < b.jobRow;
    const { shareOf } = this.#shares;
    const [left, right] = [shareOf(a.namespace), shareOf(b.namespace)];
    return left === right ? a.jobRow < b.jobRow : left < right;
  }

  /** The next to evaluate; stays until it is put elsewhere or removed. */
  next(): Waiter | undefined {
    const { shareOf } = this.#shares;
    let best: Waiter | undefined;
    for (const { queue, isOpen } of this.#groups.values()) {
      const first = isOpen ? queue.first(shareOf)! : undefined;
      if (first !== undefined && (best === undefined || this.#isBefore(first, best))) best = first;
    }
    const due = this.#due.first(shareOf);
    if (due === undefined || best === undefined) return due ?? best;
    // What waits already goes first where nothing else decides.
    const isFirst = due.priority > best.priority ||
      (due.priority === best.priority && shareOf(due.namespace) < shareOf(best.namespace));
    return isFirst ? due : best;
  }

  /** The smallest share of another namespace that competes for room with this one: due, or in a group that is open. */
  nextShare(waiter: Waiter): number | undefined {
    const { shareOf } = this.#shares;
    let least = this.#due.nextShare(waiter, shareOf);
    for (const { queue, isOpen } of this.#groups.values()) {
      const share = isOpen ? queue.nextShare(waiter, shareOf) : undefined;
      if (share !== undefined) least = Math.min(least ?? Infinity, share);
    }
    return least;
  }

  /** Undefined when it is not to be evaluated. Names at most so many that are ahead; nobody is of one that stands by. */
  standing(jobRow: number, namedMax: number): Standing | undefined {
    const isDue = this.#due.has(jobRow);
    const group = this.#groups.get(this.#groupOf.get(jobRow) ?? "");
    const queue = isDue ? this.#due : group?.queue;
    if (queue === undefined) {
      return this.#standing.has(jobRow) ? { status: "blocked", aheadCount: 0, ahead: [] } : undefined;
    }
    const { shareOf, stepOf } = this.#shares;
    const resources = isDue ? NO_RESOURCES : group!.key.resources;
    const { count, rows } = queue.aheadOf(jobRow, {
      shareOf,
      stepOf: (namespace) => stepOf(namespace, resources),
      namedMax,
    });
    return { status: isDue ? "due" : "blocked", aheadCount: count, ahead: rows };
  }

  get dueCount(): number {
    return this.#due.size;
  }

  get blockedCount(): number {
    return this.#groupOf.size + this.#standing.size;
  }

  clear(): void {
    this.#due.clear();
    this.#groups.clear();
    this.#groupOf.clear();
    this.#standing.clear();
  }
}
