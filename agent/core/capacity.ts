/** Who gets the node's resources: accounting that never goes below zero, and the order in which room is granted. */
import { invariant } from "../../shared/invariant.ts";
import {
  add,
  DIMENSIONS,
  dominantShare,
  fits,
  NO_RESOURCES,
  type Resources,
  subtract,
} from "../../shared/model/resources.ts";

/** What executions hold. Holding twice and releasing twice change nothing. */
export class Allocations {
  readonly capacity: Resources;
  readonly #countMax: number;
  readonly #held = new Map<string, { readonly resources: Resources; readonly owner: string }>();
  readonly #byOwner = new Map<string, Resources>();
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
  hold(id: string, resources: Resources, owner = ""): void {
    if (this.#held.has(id)) return;
    this.#held.set(id, { resources, owner });
    this.#byOwner.set(owner, add(this.heldBy(owner), resources));
    this.#total = add(this.#total, resources);
  }

  /** What executions of one owner hold together. */
  heldBy(owner: string): Resources {
    return this.#byOwner.get(owner) ?? NO_RESOURCES;
  }

  release(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    const { resources, owner } = held;
    this.#held.delete(id);
    const left = subtract(this.heldBy(owner), resources);
    if (DIMENSIONS.every((dimension) => left[dimension] === 0)) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, left);
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
  /** Its namespace, and how many times as much that gets as one of weight 1. */
  readonly owner: string;
  readonly weight: number;
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

/** What owners hold, where they take turns. */
export interface Shares {
  readonly heldBy: (owner: string) => Resources;
  readonly capacity: Resources;
}

/**
 * Who of the queue (sorted by `compareWaiting`) may start in the given room. Within one priority owners take turns: next is
 * the one that holds the smallest share of the node by its weight. Small ones overtake one that does not fit,
 * `OVERTAKES_MAX` times at most: so big ones do not starve.
 */
export function grant(
  queue: readonly Waiting[],
  { room, countMax, shares }: { room: Resources | undefined; countMax: number; shares?: Shares },
): Grants {
  const granted: Waiting[] = [];
  let blocked: { id: string; overtakenCount: number } | undefined;
  let left = room;
  const turns = takeTurns(queue, shares);
  for (let next = turns.next(false); !next.done;) {
    if (left === undefined || granted.length >= countMax) break;
    const waiting = next.value;
    const isGranted = fits(waiting.resources, left);
    if (!isGranted) blocked ??= { id: waiting.id, overtakenCount: waiting.overtakenCount };
    else {
      if (blocked !== undefined) {
        if (blocked.overtakenCount >= OVERTAKES_MAX) break;
        blocked.overtakenCount++;
      }
      granted.push(waiting);
      left = subtract(left, waiting.resources);
    }
    next = turns.next(isGranted);
  }
  return blocked === undefined ? { granted } : { granted, blocked };
}

/** The queue in the order in which they have their turn; told of each whether it was granted. */
function* takeTurns(
  queue: readonly Waiting[],
  shares: Shares | undefined,
): Generator<Waiting, void, boolean> {
  const added = new Map<string, Resources>();
  const note = ({ owner, resources }: Waiting, isGranted: boolean) => {
    if (isGranted) added.set(owner, add(added.get(owner) ?? NO_RESOURCES, resources));
  };
  for (let from = 0; from < queue.length;) {
    const { priority, owner } = queue[from]!;
    let until = from;
    let isOneOwner = true;
    while (until < queue.length && queue[until]!.priority === priority) {
      if (queue[until]!.owner !== owner) isOneOwner = false;
      until++;
    }
    const equals = queue.slice(from, until);
    from = until;
    if (isOneOwner || shares === undefined) {
      for (const waiting of equals) note(waiting, yield waiting);
      continue;
    }
    const lines = [...Map.groupBy(equals, (waiting) => waiting.owner).values()].map((line) => ({
      line,
      at: 0,
    }));
    for (let count = 0; count < equals.length; count++) {
      const shareOf = ({ line }: (typeof lines)[number]) => {
        const { owner, weight } = line[0]!;
        const held = add(shares.heldBy(owner), added.get(owner) ?? NO_RESOURCES);
        return dominantShare(held, shares.capacity) / weight;
      };
      const waits = lines.filter(({ line, at }) => at < line.length);
      const best = waits.map((one) => ({ one, share: shareOf(one) })).sort((a, b) =>
        a.share - b.share || a.one.line[a.one.at]!.row - b.one.line[b.one.at]!.row
      )[0]!.one;
      const waiting = best.line[best.at++]!;
      note(waiting, yield waiting);
    }
  }
}
