/** Makes room for what has a higher priority, where the home is told to: executions of lower priority are placed anew. */
import { isLive } from "../../shared/model/execution.ts";
import { shortId } from "../../shared/model/ids.ts";
import type { Job } from "../../shared/model/job.ts";
import { add, NO_RESOURCES } from "../../shared/model/resources.ts";
import { type Need, needOf } from "../core/filters.ts";
import type { Placement, PlaceResult, Slot } from "../core/place.ts";
import { type RoomMade, RoomMaker } from "../core/preempt.ts";
import { type Refusal, STARTS_BY_ITSELF } from "../core/refusal.ts";
import type { Claim } from "../store/claims.ts";
import type { Waiter } from "../store/fair_queue.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import type { Enact } from "./enact.ts";

/** When executions make way for others. */
export interface PreemptionPolicy {
  /** Only what is lower in priority by at least so much; ≥ 1. */
  readonly difference: number;
}

/** Slots for which nothing helped are not looked at again so soon. */
const PAUSE_MS = 1_000;
/** Slots that room is made for in one turn of a job. */
const SLOTS_MAX = 32;

/** What is asked. */
export interface PreemptAsk {
  readonly jobRow: JobRow;
  readonly waiter: Waiter;
  readonly slots: readonly Slot[];
  /** What placement found without it. */
  readonly found: PlaceResult;
  /** Claims that the job had. */
  readonly had: readonly Claim[];
}

/** What placement comes to with it. */
export interface Preempted extends PlaceResult {
  /** Look again then, whatever happens. */
  readonly againInMs?: number;
}

/** Everything here happens inside the caller's transaction. */
export class Preempt {
  readonly #store: Store;
  readonly #enact: Enact;
  readonly #policy: PreemptionPolicy;
  /** Uptime at which nothing helped a job. */
  readonly #tried = new Map<number, number>();

  constructor({ store, enact, policy }: { store: Store; enact: Enact; policy: PreemptionPolicy }) {
    this.#store = store;
    this.#enact = enact;
    this.#policy = policy;
  }

  /** Makes room for slots that found none, or would wait in a queue behind what runs. */
  makeRoom(ask: PreemptAsk): Preempted {
    const { found, slots, jobRow, waiter } = ask;
    const { projection } = this.#store;
    const isLate = ({ explanation }: Placement) => explanation.scores.room_now === 0;
    const unplaced = found.refusal?.isLasting === false ? slots.slice(found.placements.length) : [];
    const isAtOnce = unplaced.length === 0 && !found.placements.some(isLate);
    const most = waiter.priority - this.#policy.difference;
    if (isAtOnce || !projection.occupants.hasAtMost(most)) return found;
    const triedMs = this.#store.clock.uptimeMs() - (this.#tried.get(jobRow.row) ?? -Infinity);
    if (triedMs < PAUSE_MS) {
      return { ...found, ...(unplaced.length > 0 && { againInMs: PAUSE_MS - triedMs }) };
    }
    return this.#plan(ask, { unplaced, isLate });
  }

  #plan(
    { jobRow, waiter, found, had }: PreemptAsk,
    { unplaced, isLate }: { unplaced: readonly Slot[]; isLate: (placement: Placement) => boolean },
  ): Preempted {
    const { projection, claims } = this.#store;
    const need = needOf(jobRow.job.spec, jobRow.job.image);
    const kept = had.filter(({ victims }) => victims.some((id) => this.#isThere(id))).slice(
      0,
      unplaced.length,
    );
    const reserved = new Map(claims.reservedFor(waiter));
    for (const { nodeId, resources } of kept) {
      reserved.set(nodeId, add(reserved.get(nodeId) ?? NO_RESOURCES, resources));
    }
    const maker = new RoomMaker({
      ...{ need, priority: waiter.priority, difference: this.#policy.difference, reserved },
      nodes: projection.nodes,
      occupantsOf: (id) => projection.occupants.on(id),
    });
    for (const placement of found.placements) if (!isLate(placement)) maker.note(placement.nodeId);
    let left = SLOTS_MAX;
    const placements = found.placements.map((placement) => {
      const made = isLate(placement) && left-- > 0 ? maker.next(placement.slot, { now: true }) : undefined;
      if (made === undefined) {
        if (isLate(placement)) maker.note(placement.nodeId);
        return placement;
      }
      this.#stop(jobRow.job, made);
      return this.#placed(placement.slot, made);
    });
    const waits: Claim[] = [...kept];
    for (const slot of unplaced.slice(kept.length, kept.length + Math.max(0, left))) {
      const made = maker.next(slot, { now: false });
      if (made === undefined) break;
      this.#stop(jobRow.job, made);
      if (made.isPlaceable) placements.push(this.#placed(slot, made));
      else waits.push(claimOf(need, made));
    }
    this.#note(
      jobRow.row,
      unplaced.length > 0 && waits.length === 0 && placements.length === found.placements.length,
    );
    claims.put(waiter, waits);
    const missing = unplaced.length - (placements.length - found.placements.length);
    if (missing === 0) return { placements };
    return { placements, refusal: waits.length > 0 ? makesRoom(waits) : found.refusal! };
  }

  #note(jobRow: number, isInVain: boolean): void {
    if (isInVain) this.#tried.set(jobRow, this.#store.clock.uptimeMs());
    else this.#tried.delete(jobRow);
    if (this.#tried.size > TRIED_MAX) this.#tried.clear();
  }

  #isThere(id: string): boolean {
    const { damaged, executions } = this.#store;
    const found = damaged.read(`execution ${id}`, () => executions.find(id));
    return found !== undefined && isLive(found.execution.phase);
  }

  #placed(slot: Slot, { nodeId, victims }: RoomMade): Placement {
    const nodesKnown = this.#store.projection.nodes.length;
    const scores = { made_room: victims.length };
    return { slot, nodeId, explanation: { nodesKnown, nodesFit: 1, rejectedBy: {}, scores } };
  }

  #stop({ id, spec }: Job, { victims }: RoomMade): void {
    const { executions, jobs, damaged } = this.#store;
    const name = spec.name === id ? shortId(id) : `"${spec.name}"`;
    const message =
      `Execution stop requested because job ${name} of priority ${spec.priority} needs its room`;
    for (const victim of victims) {
      const found = damaged.read(`execution ${victim.id}`, () => executions.find(victim.id));
      if (found === undefined) continue;
      const jobRow = damaged.read(`job in row ${found.jobRow}`, () => jobs.get(found.jobRow));
      if (jobRow !== undefined) this.#enact.stop(jobRow, victim.id, message, "preemption");
    }
  }
}

/** Jobs that are remembered to have been tried in vain. Beyond: all are tried again. */
const TRIED_MAX = 10_000;

const claimOf = ({ resources }: Need, { nodeId, victims, leaving }: RoomMade): Claim => ({
  nodeId,
  resources,
  victims: [...victims, ...leaving].map(({ id }) => id),
});

function makesRoom(claims: readonly Claim[]): Refusal {
  const count = claims.reduce((sum, { victims }) => sum + victims.length, 0);
  const nodes = [...new Set(claims.map(({ nodeId }) => shortId(nodeId)))];
  const [executions, make] = count === 1 ? ["execution", "makes"] : ["executions", "make"];
  return {
    isLasting: false,
    message: `${count} ${executions} of lower priority ${make} room on ${nodes.slice(0, 3).join(", ")}`,
    hint: `${STARTS_BY_ITSELF} they have ended`,
  };
}
