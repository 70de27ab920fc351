/**
 * Which jobs are to be evaluated, in memory: those that are due; those that wait for room, grouped by what they need, so
 * that freed capacity wakes the first of each group and nobody polls; and those that stand by, each for its own nodes.
 * Rebuilt from the evaluations' rows.
 */
import type { NodeId } from "../../shared/model/ids.ts";
import type { Job } from "../../shared/model/job.ts";
import { needOf } from "../core/filters.ts";
import type { Refusal } from "../core/refusal.ts";

/** One job that waits. */
export interface Waiter {
  readonly jobRow: number;
  readonly priority: number;
}

/** Where a job stands among those that are to be evaluated. */
export interface Standing {
  /** `blocked`: nothing is done until room or a node appears. */
  readonly status: "due" | "blocked";
  readonly aheadCount: number;
  /** The first rows of them, in their order. */
  readonly ahead: readonly number[];
}

/** Jobs that need the same of a node: when the first finds no room, neither do the others. */
interface Group {
  /** By priority, then by age. */
  readonly waiters: Waiter[];
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
}

/** Same needs, same key. */
export function groupKey({ spec, image }: Pick<Job, "spec" | "image">): string {
  const need = needOf(spec, image);
  return JSON.stringify([
    need.engine,
    need.network,
    need.hostPorts,
    need.publisher,
    need.inputs,
    need.constraints,
    need.resources,
    need.platforms,
    spec.spread,
  ]);
}

const isBefore = (a: Waiter, b: Waiter): boolean =>
  a.priority > b.priority || (a.priority === b.priority && a.jobRow < b.jobRow);

/** Jobs to evaluate, in order. */
export class Waiting {
  /** By priority, then in the order in which they became due. */
  readonly #due = new Map<number, Map<number, Waiter>>();
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<number, string>();
  readonly #standing = new Map<number, { readonly waiter: Waiter; readonly wakes: Wakes }>();

  /** Due now. */
  putDue(waiter: Waiter): void {
    const due = this.#due.get(waiter.priority);
    if (due === undefined) this.#due.set(waiter.priority, new Map([[waiter.jobRow, waiter]]));
    else due.set(waiter.jobRow, waiter);
  }

  #takeDue(jobRow: number): void {
    for (const due of this.#due.values()) due.delete(jobRow);
  }

  /** Waits for room from now on. */
  putBlocked(waiter: Waiter, key: string, refusal: Refusal | undefined): void {
    this.#takeDue(waiter.jobRow);
    this.#standing.delete(waiter.jobRow);
    let group = this.#groups.get(key);
    if (group === undefined) {
      this.#groups.set(key, group = { waiters: [], isOpen: false, refusal: undefined });
    }
    if (this.#groupOf.get(waiter.jobRow) !== key) {
      this.#leave(waiter.jobRow);
      insertSorted(group.waiters, waiter);
      this.#groupOf.set(waiter.jobRow, key);
    }
    if (refusal !== undefined) group.refusal = refusal;
    group.isOpen = false;
  }

  /** Waits for something of its own from now on: nobody waits behind it. */
  standBy(waiter: Waiter, wakes: Wakes): void {
    this.remove(waiter.jobRow);
    this.#standing.set(waiter.jobRow, { waiter, wakes });
  }

  remove(jobRow: number): void {
    this.#takeDue(jobRow);
    this.#leave(jobRow);
    this.#standing.delete(jobRow);
  }

  #leave(jobRow: number): void {
    const key = this.#groupOf.get(jobRow);
    if (key === undefined) return;
    this.#groupOf.delete(jobRow);
    const { waiters } = this.#groups.get(key)!;
    waiters.splice(waiters.findIndex((one) => one.jobRow === jobRow), 1);
    if (waiters.length === 0) this.#groups.delete(key);
  }

  /** Room appeared on a node: the first of every group is worth another look, and who stands by for that node. */
  roomFreed(nodeId: NodeId): void {
    this.#wake(({ room }) => room.has(nodeId));
  }

  /** A node came, went or changed, or nobody knows what did. */
  nodesChanged(): void {
    this.#wake(({ nodes, room }) => nodes || room.size > 0);
  }

  #wake(concerns: (wakes: Wakes) => boolean): void {
    for (const group of this.#groups.values()) group.isOpen = true;
    for (const { waiter, wakes } of this.#standing.values()) if (concerns(wakes)) this.putDue(waiter);
  }

  /** What the jobs ahead of this one in its group were told; undefined when nobody is ahead. */
  aheadOf(waiter: Waiter, key: string): Refusal | undefined {
    const group = this.#groups.get(key);
    const first = group?.waiters[0];
    if (group === undefined || group.isOpen || first === undefined || !isBefore(first, waiter)) {
      return undefined;
    }
    return group.refusal;
  }

  /** The next to evaluate; stays until it is put elsewhere or removed. */
  next(): Waiter | undefined {
    let best: Waiter | undefined;
    for (const group of this.#groups.values()) {
      const first = group.waiters[0];
      if (group.isOpen && first !== undefined && (best === undefined || isBefore(first, best))) best = first;
    }
    for (const [priority, due] of this.#due) {
      const first = due.values().next().value;
      if (first !== undefined && (best === undefined || priority > best.priority)) best = first;
    }
    return best;
  }

  /** Undefined when it is not to be evaluated. Names at most so many that are ahead. */
  standing({ jobRow, priority }: Waiter, namedMax: number): Standing | undefined {
    const own = this.#due.get(priority);
    const ahead: number[] = [];
    if (own?.has(jobRow)) {
      const higher = [...this.#due.keys()].filter((one) => one > priority).sort((a, b) => b - a);
      for (const one of higher) ahead.push(...this.#due.get(one)!.keys());
      for (const row of own.keys()) {
        if (row === jobRow) break;
        ahead.push(row);
      }
      return { status: "due", aheadCount: ahead.length, ahead: ahead.slice(0, namedMax) };
    }
    // What stands by waits for what is its own.
    if (this.#standing.has(jobRow)) return { status: "blocked", aheadCount: 0, ahead: [] };
    const waiters = this.#groups.get(this.#groupOf.get(jobRow) ?? "")?.waiters;
    if (waiters === undefined) return undefined;
    const aheadCount = waiters.findIndex((one) => one.jobRow === jobRow);
    return {
      status: "blocked",
      aheadCount,
      ahead: waiters.slice(0, Math.min(aheadCount, namedMax)).map((it) => it.jobRow),
    };
  }

  get dueCount(): number {
    return [...this.#due.values()].reduce((sum, due) => sum + due.size, 0);
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

function insertSorted(waiters: Waiter[], waiter: Waiter): void {
  let [low, high] = [0, waiters.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(waiters[middle]!, waiter)) low = middle + 1;
    else high = middle;
  }
  waiters.splice(low, 0, waiter);
}
