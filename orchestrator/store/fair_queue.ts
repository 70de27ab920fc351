/**
 * Jobs in line: by priority, then those of the namespace that holds the smallest share, then in their order. Shares change
 * all the time, so nothing is sorted by them: each look compares the namespaces that wait. Cost of a look: O(namespaces of
 * the highest priority); of a change: O(log jobs), and a move in memory.
 */

/** One job that waits. */
export interface Waiter {
  readonly jobRow: number;
  readonly priority: number;
  readonly namespace: string;
}

/** What a namespace holds of the whole, by its weight. */
export type ShareOf = (namespace: string) => number;

interface Place {
  readonly waiter: Waiter;
  /** Lower goes first within a namespace, and between namespaces with equal shares. */
  readonly order: number;
}

interface Lane {
  readonly priority: number;
  /** Each sorted by order; none is empty. */
  readonly byNamespace: Map<string, Place[]>;
}

/** A line. */
export class FairQueue {
  /** Highest priority first; none is empty. */
  readonly #lanes: Lane[] = [];
  readonly #places = new Map<number, Place>();

  get size(): number {
    return this.#places.size;
  }

  has(jobRow: number): boolean {
    return this.#places.has(jobRow);
  }

  /** One that is in line already stays where it is, unless its priority has changed. */
  put(waiter: Waiter, order: number): void {
    const known = this.#places.get(waiter.jobRow);
    if (known?.waiter.priority === waiter.priority) return;
    this.remove(waiter.jobRow);
    const place = { waiter, order };
    this.#places.set(waiter.jobRow, place);
    const { byNamespace } = this.#lane(waiter.priority);
    const places = byNamespace.get(waiter.namespace);
    if (places === undefined) byNamespace.set(waiter.namespace, [place]);
    else places.splice(indexOf(places, order), 0, place);
  }

  #lane(priority: number): Lane {
    const at = this.#lanes.findIndex((lane) => lane.priority <= priority);
    const found = this.#lanes[at];
    if (found?.priority === priority) return found;
    const lane = { priority, byNamespace: new Map<string, Place[]>() };
    this.#lanes.splice(at < 0 ? this.#lanes.length : at, 0, lane);
    return lane;
  }

  remove(jobRow: number): void {
    const place = this.#places.get(jobRow);
    if (place === undefined) return;
    this.#places.delete(jobRow);
    const { priority, namespace } = place.waiter;
    const at = this.#lanes.findIndex((lane) => lane.priority === priority);
    const { byNamespace } = this.#lanes[at]!;
    const places = byNamespace.get(namespace)!;
    places.splice(indexOf(places, place.order), 1);
    if (places.length === 0) byNamespace.delete(namespace);
    if (byNamespace.size === 0) this.#lanes.splice(at, 1);
  }

  clear(): void {
    this.#lanes.length = 0;
    this.#places.clear();
  }

  /** The next in line. */
  first(shareOf: ShareOf): Waiter | undefined {
    const lane = this.#lanes[0];
    if (lane === undefined) return undefined;
    let [best, bestShare]: [Place | undefined, number] = [undefined, Infinity];
    for (const [namespace, places] of lane.byNamespace) {
      const place = places[0]!;
      const share = lane.byNamespace.size === 1 ? 0 : shareOf(namespace);
      const isBetter = best === undefined || share < bestShare ||
        (share === bestShare && place.order < best.order);
      if (isBetter) [best, bestShare] = [place, share];
    }
    return best!.waiter;
  }

  /** The smallest share of another namespace that waits with at least this priority. */
  nextShare({ priority, namespace }: Waiter, shareOf: ShareOf): number | undefined {
    let least: number | undefined;
    for (const lane of this.#lanes) {
      if (lane.priority < priority) break;
      for (const other of lane.byNamespace.keys()) {
        if (other !== namespace) least = Math.min(least ?? Infinity, shareOf(other));
      }
    }
    return least;
  }

  /**
   * Those ahead of one, as shares are now: how many, and the first of them in their order. `stepOf`: what one more job adds
   * to the share of its namespace.
   */
  aheadOf(
    jobRow: number,
    { shareOf, stepOf, namedMax }: { shareOf: ShareOf; stepOf: ShareOf; namedMax: number },
  ): { count: number; rows: readonly number[] } {
    const { waiter, order } = this.#places.get(jobRow)!;
    const rows: number[] = [];
    let count = 0;
    for (const { priority, byNamespace } of this.#lanes) {
      if (priority < waiter.priority) break;
      const own = priority === waiter.priority ? byNamespace.get(waiter.namespace)! : undefined;
      const ownAhead = own === undefined ? 0 : indexOf(own, order);
      const ownShare = own === undefined
        ? Infinity
        : shareOf(waiter.namespace) + ownAhead * stepOf(waiter.namespace);
      const turns: { at: number; order: number; jobRow: number }[] = [];
      for (const [namespace, places] of byNamespace) {
        const isOwn = places === own;
        const [share, step] = [shareOf(namespace), stepOf(namespace)];
        const ahead = isOwn ? ownAhead : turnsBefore(places, { share, step, untilShare: ownShare, order });
        count += ahead;
        for (const [nth, place] of places.slice(0, Math.min(ahead, namedMax)).entries()) {
          turns.push({ at: share + nth * step, order: place.order, jobRow: place.waiter.jobRow });
        }
      }
      turns.sort((a, b) => a.at - b.at || a.order - b.order);
      rows.push(...turns.slice(0, namedMax - rows.length).map((turn) => turn.jobRow));
    }
    return { count, rows };
  }
}

/** How many of a namespace have their turn before its share comes to that of one with this order. */
function turnsBefore(
  places: readonly Place[],
  { share, step, untilShare, order }: { share: number; step: number; untilShare: number; order: number },
): number {
  if (share > untilShare) return 0;
  if (untilShare === Infinity) return places.length;
  if (step === 0) return share < untilShare ? places.length : indexOf(places, order);
  const turns = (untilShare - share) / step;
  const last = places[turns];
  return Math.min(places.length, Math.ceil(turns) + Number(last !== undefined && last.order < order));
}

/** Where the order is, or belongs. */
function indexOf(places: readonly Place[], order: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]!.order < order) low = middle + 1;
    else high = middle;
  }
  return low;
}
