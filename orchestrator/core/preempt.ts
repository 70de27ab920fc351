/**
 * Which executions of lower priority make room for one of higher priority: pure planning, for one slot after the other. As
 * few as will do, of the lowest priority, the youngest first; what is on its way out already counts as room to come.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { add, fits, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";
import { type Need, rejection } from "./filters.ts";
import { heldForOthers, type NodeView, usedOn } from "./node.ts";
import type { Slot } from "./place.ts";

/** A live execution on a node. */
export interface Occupant {
  readonly id: ExecutionId;
  readonly priority: number;
  readonly resources: Resources;
  /** It holds room; otherwise it stands in the node's queue, or is on its way there. */
  readonly hasBegun: boolean;
  /** It was told to stop. */
  readonly isLeaving: boolean;
  /** It may be stopped and placed anew. */
  readonly isMovable: boolean;
  readonly createdAtMs: number;
}

/** What planning looks at. */
export interface PreemptInput {
  readonly need: Need;
  readonly priority: number;
  /** Only what is lower by at least so much makes way; ≥ 1. */
  readonly difference: number;
  /** Sorted by id. */
  readonly nodes: readonly NodeView[];
  readonly occupantsOf: (id: NodeId) => readonly Occupant[];
  /** Room that is being made for others that go first. */
  readonly reserved: ReadonlyMap<NodeId, Resources>;
}

/** Room for one slot. */
export interface RoomMade {
  readonly nodeId: NodeId;
  /** To be stopped; none where there is room to come anyway. */
  readonly victims: readonly Occupant[];
  /** It may go to the node's queue now; otherwise it waits until the victims, and those that leave already, have gone. */
  readonly isPlaceable: boolean;
  readonly leaving: readonly Occupant[];
}

/** A node while room is made on it. */
interface Ground {
  readonly id: NodeId;
  readonly view: NodeView;
  /** Those that may have to go: the lowest priority first, then the youngest. */
  candidates: readonly Occupant[];
  leaving: readonly Occupant[];
  /** What holds, or gets before this slot does, what the node has. */
  ahead: Resources;
  /** What counts against the node and its queue. */
  used: Resources;
  waitingCount: number;
  /** What it would give to the next slot, until somebody takes it; null: nothing. Undefined: nobody has asked yet. */
  offer: Offer | null | undefined;
}

interface Offer {
  readonly made: RoomMade;
  readonly cost: readonly number[];
}

/** Makes room slot by slot: each finds what those before it have left. */
export class RoomMaker {
  readonly #input: PreemptInput;
  readonly #grounds = new Map<NodeId, Ground>();

  constructor(input: PreemptInput) {
    this.#input = input;
    for (const view of input.nodes) {
      if (rejection(input.need, view) === undefined) {
        this.#grounds.set(view.node.facts.id, this.#groundOf(view));
      }
    }
  }

  #groundOf(view: NodeView): Ground {
    const { priority, difference, occupantsOf, reserved } = this.#input;
    const { id } = view.node.facts;
    const occupants = occupantsOf(id);
    const held = add(heldForOthers(view), reserved.get(id) ?? NO_RESOURCES);
    const first = occupants.filter((one) => !one.isLeaving && (one.hasBegun || one.priority >= priority));
    return {
      id,
      view,
      candidates: occupants.filter((one) =>
        one.isMovable && !one.isLeaving && one.priority <= priority - difference
      ).sort(compareVictims),
      leaving: occupants.filter(({ isLeaving }) => isLeaving),
      ahead: first.reduce((sum, { resources }) => add(sum, resources), held),
      used: usedOn(view, reserved.get(id)),
      waitingCount: view.waitingCount,
      offer: undefined,
    };
  }

  /** One was placed there without anybody's making way. */
  note(nodeId: NodeId): void {
    const ground = this.#grounds.get(nodeId);
    if (ground !== undefined) this.#take(ground);
  }

  /** The best node for the slot, which is then taken; undefined where nothing would help. `now`: only where it may go at once. */
  next(slot: Slot, { now }: { now: boolean }): RoomMade | undefined {
    let best: Offer | undefined;
    for (const ground of this.#grounds.values()) {
      if (slot.excluded.some(({ nodeId }) => nodeId === ground.id)) continue;
      const offer = ground.offer === undefined ? ground.offer = this.#offerOf(ground) : ground.offer;
      if (offer === null || (now && !offer.made.isPlaceable)) continue;
      if (best === undefined || isLess(offer.cost, best.cost)) best = offer;
    }
    if (best === undefined) return undefined;
    const { made } = best;
    const ground = this.#grounds.get(made.nodeId)!;
    for (const { resources, hasBegun } of made.victims) {
      if (hasBegun) ground.ahead = subtract(ground.ahead, resources);
    }
    ground.candidates = ground.candidates.filter((one) => !made.victims.includes(one));
    ground.leaving = [...ground.leaving, ...made.victims];
    this.#take(ground);
    return made;
  }

  #take(ground: Ground): void {
    const { resources } = this.#input.need;
    ground.ahead = add(ground.ahead, resources);
    ground.used = add(ground.used, resources);
    ground.waitingCount++;
    ground.offer = undefined;
  }

  #offerOf(ground: Ground): Offer | null {
    const made = this.#roomOn(ground);
    return made === undefined ? null : { made, cost: costOf(made) };
  }

  #roomOn(ground: Ground): RoomMade | undefined {
    const { need: { resources } } = this.#input;
    const { facts } = ground.view.node;
    const { id, ahead, used, leaving } = ground;
    const begun = ground.candidates.filter(({ hasBegun }) => hasBegun);
    const stops = fewest(begun, (freed) => fits(add(resources, ahead), add(facts.capacity, freed)));
    if (stops === undefined) return undefined;
    const all = add(facts.capacity, facts.queueCapacity);
    const waitingMax = Math.min(ground.view.waitingMax ?? Infinity, LIMITS.agentQueueMax);
    const isQueueable = (freed: Resources, leftCount: number) =>
      ground.waitingCount - leftCount < waitingMax && fits(add(resources, used), add(all, freed));
    const room = { nodeId: id, isPlaceable: false, leaving };
    if (isQueueable(NO_RESOURCES, 0)) return { ...room, victims: stops, isPlaceable: true };
    const [gone, goneCount] = [sumOf(leaving), leaving.filter(({ hasBegun }) => !hasBegun).length];
    // First what waits there makes way: that takes no time. With this one ahead in the queue nothing else begins.
    const waiting = ground.candidates.filter(({ hasBegun }) => !hasBegun);
    const evicted = fewest(waiting, (freed, count) => isQueueable(add(gone, freed), goneCount + count));
    if (evicted !== undefined) return { ...room, victims: evicted };
    const stopped = add(gone, sumOf(stops));
    const rest = fewest(waiting, (freed, count) => isQueueable(add(stopped, freed), goneCount + count));
    return rest && { ...room, victims: [...stops, ...rest] };
  }
}

const sumOf = (occupants: readonly Occupant[]): Resources =>
  occupants.reduce((sum, { resources }) => add(sum, resources), NO_RESOURCES);

/** The lowest priority first, then the youngest: least is lost. */
function compareVictims(a: Occupant, b: Occupant): number {
  return a.priority - b.priority || b.createdAtMs - a.createdAtMs || (a.id < b.id ? -1 : 1);
}

/** The first of the candidates that are enough together, without those that are not needed; undefined: not even all are. */
function fewest(
  candidates: readonly Occupant[],
  isEnough: (freed: Resources, count: number) => boolean,
): readonly Occupant[] | undefined {
  const some: Occupant[] = [];
  let freed = NO_RESOURCES;
  while (!isEnough(freed, some.length)) {
    const next = candidates[some.length];
    if (next === undefined) return undefined;
    some.push(next);
    freed = add(freed, next.resources);
  }
  // Those of the highest priority are spared first.
  let count = some.length;
  const spared = new Set<Occupant>();
  for (const one of [...some].reverse()) {
    const less = subtract(freed, one.resources);
    if (!isEnough(less, count - 1)) continue;
    spared.add(one);
    [freed, count] = [less, count - 1];
  }
  return some.filter((one) => !spared.has(one));
}

/** Less is better: nobody who works; else of low priority, few, and young. */
function costOf({ victims, isPlaceable }: RoomMade): readonly number[] {
  const begun = victims.filter(({ hasBegun }) => hasBegun);
  return [
    Math.max(-1, ...begun.map(({ priority }) => priority)),
    begun.length,
    isPlaceable ? 0 : 1,
    victims.length,
    -Math.min(Infinity, ...begun.map(({ createdAtMs }) => createdAtMs)),
  ];
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
