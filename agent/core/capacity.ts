/** Who gets the node's resources: accounting that never goes below zero, and the order in which room is granted. */
import { invariant } from "../../shared/invariant.ts";
import { add, fits, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";

/** What executions hold. Holding twice and releasing twice change nothing. */
export class Allocations {
  readonly capacity: Resources;
  readonly #countMax: number;
  readonly #held = new Map<string, Resources>();
  #total: Resources = NO_RESOURCES;

  /** `countMax` bounds the executions at once, whatever little they ask for. */
  constructor(capacity: Resources, options: { countMax: number }) {
    this.capacity = capacity;
    this.#countMax = options.countMax;
  }

  get total(): Resources {
    return this.#total;
  }

  get count(): number {
    return this.#held.size;
  }

  /** What may be granted. Nothing while more is held than there is: after capacity was set lower. */
  get room(): Resources | undefined {
    if (this.#held.size >= this.#countMax || !fits(this.#total, this.capacity)) return undefined;
    return subtract(this.capacity, this.#total);
  }

  /** Also beyond the capacity: a running execution that was found again keeps what it has. */
  hold(id: string, resources: Resources): void {
    if (this.#held.has(id)) return;
    this.#held.set(id, resources);
    this.#total = add(this.#total, resources);
  }

  release(id: string): void {
    const resources = this.#held.get(id);
    if (resources === undefined) return;
    this.#held.delete(id);
    this.#total = subtract(this.#total, resources);
    invariant(fits(NO_RESOURCES, this.#total), "allocations went below zero");
  }
}

/** An execution in the queue. */
export interface Waiting {
  readonly id: string;
  readonly priority: number;
  /** Grows with arrival. */
  readonly row: number;
  readonly resources: Resources;
  /** How many that came later went ahead while this one stood first and did not fit. */
  readonly overtakenCount: number;
}

/** Executions that may go ahead of the first that does not fit. Beyond: room is kept free until it fits. */
export const OVERTAKES_MAX = 64;

/** Higher priority first, then first come, first served. */
export function compareWaiting(a: Waiting, b: Waiting): number {
  return b.priority - a.priority || a.row - b.row;
}

/** Who starts now, in order, and the first who has to wait. */
export interface Grants {
  readonly granted: readonly Waiting[];
  /** The first that did not fit, and how often it has been overtaken by now. */
  readonly blocked?: { readonly id: string; readonly overtakenCount: number };
}

/**
 * Who of the queue (sorted by `compareWaiting`) may start in the given room. Small ones overtake one that does not
 * fit, `OVERTAKES_MAX` times at most: so big ones do not starve.
 */
export function grant(queue: readonly Waiting[], room: Resources | undefined, countMax: number): Grants {
  const granted: Waiting[] = [];
  let blocked: { id: string; overtakenCount: number } | undefined;
  let left = room;
  for (const waiting of queue) {
    if (left === undefined || granted.length >= countMax) break;
    if (!fits(waiting.resources, left)) {
      blocked ??= { id: waiting.id, overtakenCount: waiting.overtakenCount };
      continue;
    }
    if (blocked !== undefined) {
      if (blocked.overtakenCount >= OVERTAKES_MAX) break;
      blocked.overtakenCount++;
    }
    granted.push(waiting);
    left = subtract(left, waiting.resources);
  }
  return blocked === undefined ? { granted } : { granted, blocked };
}
