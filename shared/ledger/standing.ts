/**
 * What a hello says of a peer: whether its marks fit what was sent to it, whether it has lost its store, and what must be
 * asked before either is believed, because messages are late, doubled and overtaken.
 */
import type { Clock } from "../clock.ts";
import { type Hello, type Lane, LANES, type Mark, type PeerId } from "../wire/messages.ts";
import { type Inbox, NOTHING_APPLIED } from "./inbox.ts";
import type { Outbox } from "./outbox.ts";
import type { Stores } from "./stores.ts";

/**
 * What a peer's mark means to a lane. `fits`: go on from there. `foreign`: it is of another history than this one.
 * `behind`: less than it has acknowledged: a message that was overtaken, or a peer that lost its store.
 */
type Standing = "fits" | "foreign" | "behind";

/**
 * What to do with a lane. `go_on`: from the mark in the hello. `overtaken`: the hello was; go on from what was
 * acknowledged since. `restart`: with a new epoch and a snapshot. `ask`: nothing before the peer has answered.
 */
export type Verdict = "go_on" | "overtaken" | "restart" | "ask";

/** What a hello means. */
export interface Judgement {
  readonly lanes: Readonly<Record<Lane, Verdict>>;
  readonly hasLostStore: boolean;
  /** It has another store than before: what was applied of the former's messages says nothing of this one's. */
  readonly hasNewStore: boolean;
}

/** What was known when a peer was asked where it stands: an answer below that tells of a lost store. */
interface Question {
  readonly id: string;
  readonly atMs: number;
  readonly acked: Readonly<Record<Lane, Mark>>;
  /** How much of its own lanes had been applied here. */
  readonly told: Readonly<Record<Lane, Mark>>;
}

/** Time that an answer may take: the same is not asked again before. Late and doubled hellos must not breed questions. */
const ANSWER_MS = 2_000;

/** Judges hellos, and knows what was asked. */
export class Standings {
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #stores: Stores;
  readonly #clock: Clock;
  readonly #questions = new Map<PeerId, Question>();
  #questionCount = 0;

  constructor(options: { outbox: Outbox; inbox: Inbox; stores: Stores; clock: Clock }) {
    this.#outbox = options.outbox;
    this.#inbox = options.inbox;
    this.#stores = options.stores;
    this.#clock = options.clock;
  }

  /** Inside the caller's transaction. */
  judge(hello: Hello): Judgement {
    const question = this.#questions.get(hello.from);
    const answered = question !== undefined && hello.answers === question.id ? question : undefined;
    const known = this.#stores.known(hello.from);
    const isOtherStore = known !== undefined && hello.store !== undefined && hello.store !== known;
    const hasNewStore = isOtherStore && answered !== undefined;
    const hasLostStore = hasNewStore ||
      (answered !== undefined && LANES.some((lane) => isLess(hello, lane, answered)));
    const verdict = (lane: Lane): Verdict => {
      const standing = isOtherStore ? "behind" : this.#standing(hello, lane);
      if (standing === "fits") return "go_on";
      if (standing === "foreign" || hasLostStore) return "restart";
      return answered === undefined ? "ask" : "overtaken";
    };
    const lanes = { state: verdict("state"), history: verdict("history") };
    if (hello.store !== undefined && (known === undefined || hasNewStore)) {
      this.#stores.remember(hello.from, hello.store);
    }
    return { lanes, hasLostStore, hasNewStore };
  }

  #standing({ from, applied: marks, own: owns }: Hello, lane: Lane): Standing {
    const state = this.#outbox.lane(from, lane);
    const applied = marks[lane];
    // It knows less of its own lane than it has sent: it has lost what it was told as well.
    if (isBelow(owns[lane], this.#inbox.applied(from, lane))) return "behind";
    if (applied.epoch > state.epoch) return "foreign";
    if (applied.epoch < state.epoch) return state.acked.seq === 0 ? "fits" : "behind";
    if (applied.seq < state.acked.seq) return "behind";
    if (applied.seq > state.last.seq) return "foreign";
    return this.#outbox.hashAt(from, lane, applied.seq) === applied.hash ? "fits" : "foreign";
  }

  /** A new question to the peer, to be repeated in its answer; undefined when one was asked a moment ago. */
  ask(peer: PeerId): string | undefined {
    const atMs = this.#clock.uptimeMs();
    const last = this.#questions.get(peer);
    if (last !== undefined && atMs - last.atMs < ANSWER_MS) return undefined;
    const marks = (of: (lane: Lane) => Mark) => ({ state: of("state"), history: of("history") });
    const id = `${this.#outbox.process}/${++this.#questionCount}`;
    this.#questions.set(peer, {
      ...{ id, atMs },
      acked: marks((lane) => this.#outbox.findLane(peer, lane)?.acked ?? NOTHING_APPLIED),
      told: marks((lane) => this.#inbox.applied(peer, lane)),
    });
    return id;
  }
}

/** Whether the answer is below what had been acknowledged, or told, when it was asked for. */
function isLess({ applied, own }: Hello, lane: Lane, { acked, told }: Question): boolean {
  return isBelow(own[lane], told[lane]) || (acked[lane].seq > 0 && isBelow(applied[lane], acked[lane]));
}

/** Whether `mark` comes before `other`. */
const isBelow = (mark: Mark, other: Mark): boolean =>
  mark.epoch < other.epoch || (mark.epoch === other.epoch && mark.seq < other.seq);
