/**
 * Sync: moves outbox entries to peers and applies theirs, over any bus. At-least-once delivery, exactly-once effect:
 * an entry is applied and its number remembered in one transaction, and only then acknowledged.
 *
 * One `Sync` serves one program (an agent or an orchestrator) and all its peers.
 */
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { NodeLoad } from "../model/node.ts";
import {
  type Ack,
  type Batch,
  type Entry,
  type Hello,
  type Lane,
  LANES,
  type Mark,
  type PeerId,
  SyncMessage,
} from "../wire/messages.ts";
import { decodeMessage, encodeMessage } from "../wire/envelope.ts";
import { syncSubject } from "../wire/subjects.ts";
import type { Database } from "./database.ts";
import { Inbox, NOTHING_APPLIED } from "./inbox.ts";
import type { Message, Outbox } from "./outbox.ts";
import { Standings } from "./standing.ts";
import { Stores } from "./stores.ts";

/** What the program does with what arrives. `apply` and `snapshot` run inside sync's transaction. */
export interface SyncProgram {
  /** Applies one entry. Total: an entry that means nothing (any more) changes nothing. */
  apply(from: PeerId, lane: Lane, entry: Entry): void;
  /** Everything that the peer must know of this side's state, to be numbered anew. */
  snapshot(peer: PeerId): readonly Message[];
  /** The peer knows less than it had acknowledged or told: called before the `snapshot` that it gets. */
  onLostStore?(peer: PeerId): void;
  /** A sign of life, after its marks were dealt with. */
  onHello?(from: PeerId, hello: Hello): void;
  /** What to say of this node's load with each hello. */
  load?(): NodeLoad | undefined;
  /** The transaction failed after `apply` had run: forget what was changed in memory. */
  onFailed?(): void;
  /** Whether to talk to a peer that says hello first. */
  accepts(peer: PeerId): boolean;
}

/** What sync works with. */
export interface SyncOptions {
  readonly self: PeerId;
  readonly bus: Bus;
  readonly database: Database;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly program: SyncProgram;
  /** Asks for another `tick` soon. */
  readonly nudge: () => void;
}

/** Ms without progress after which unacknowledged entries are sent again. Doubles up to the maximum. */
const RESEND_MS = 2_000;
const RESEND_MAX_MS = 60_000;
/** Acknowledged entries are deleted with the next commit, or alone after this long. */
const FORGET_MS = 250;

/** How far one lane to one peer has been sent. In memory only: after a restart, hello tells. */
interface Sending {
  /** Undefined until a hello has told where the peer stands. */
  sent?: number;
  sentHash?: string;
  isDirty: boolean;
  inFlightBytes: number;
  progressAtMs: number;
  resendMs: number;
  /** Acknowledged, not yet deleted. */
  acked?: Mark;
}

interface Peer {
  readonly id: PeerId;
  readonly lanes: Record<Lane, Sending>;
  isConnected: boolean;
}

/** Greetings first, then events, then states; the order within each stays. */
function turn(message: SyncMessage): number {
  if (message.type === "batch") return message.lane === "history" ? 1 : 2;
  return 0;
}

/** Moves messages between this program and its peers. */
export class Sync {
  readonly #options: SyncOptions;
  readonly #inbox: Inbox;
  readonly #stores: Stores;
  readonly #standings: Standings;
  readonly #peers = new Map<PeerId, Peer>();
  #received: SyncMessage[] = [];
  readonly #undo: (() => void)[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { database, outbox, clock } = options;
    this.#inbox = new Inbox(database);
    this.#stores = new Stores(database, outbox.process);
    this.#standings = new Standings({ outbox, inbox: this.#inbox, stores: this.#stores, clock });
    database.beforeEachCommit(() => this.#forgetAcknowledged());
  }

  /** Starts to listen, and says hello to the given peers whenever the link comes up. */
  open(peers: readonly PeerId[]): void {
    const { bus, self } = this.#options;
    this.#undo.push(bus.subscribe(syncSubject(self), (bytes) => this.#receive(bytes)));
    for (const peer of peers) this.#peer(peer);
    this.#undo.push(bus.onLink((isUp) => {
      for (const peer of this.#peers.values()) {
        peer.isConnected = false;
        for (const lane of LANES) peer.lanes[lane].sent = undefined;
        if (isUp) this.#sayHello(peer.id, { wantsAnswer: true });
      }
    }));
  }

  close(): void {
    for (const undo of this.#undo) undo();
    this.#undo.length = 0;
    this.#cancelTimer?.();
  }

  /** The sign of life: to every peer, or to those given. */
  hello(options: { wantsAnswer: boolean }): void {
    for (const peer of this.#peers.values()) {
      this.#sayHello(peer.id, { wantsAnswer: options.wantsAnswer || !peer.isConnected });
    }
  }

  /** Asks the peer to tell its state anew: what it had told was lost. Inside the caller's transaction. */
  askAnew(peer: PeerId): void {
    this.#inbox.forget(peer, "state");
    this.#options.database.afterCommit(() => this.#sayHello(peer, { wantsAnswer: true }));
  }

  /** Puts a message into the outbox; inside the caller's transaction. It leaves after the commit. */
  send(peer: PeerId, message: Message): void {
    const { outbox, database } = this.#options;
    outbox.put(peer, message);
    database.afterCommit(() => {
      this.#peer(peer).lanes[message.lane].isDirty = true;
      this.#options.nudge();
    });
  }

  /** Both halves, for a program that has nothing else to commit. */
  tick(): boolean {
    this.receive();
    return this.transmit();
  }

  /** Applies what arrived, in one transaction; what it answers leaves after the commit. */
  receive(): void {
    if (this.#received.length > 0) this.#apply();
  }

  /** Sends what waits and is committed. Bounded; answers whether more waits. */
  transmit(): boolean {
    let isMore = this.#received.length > 0;
    for (const peer of this.#peers.values()) {
      for (const lane of LANES) isMore = this.#sendSome(peer, lane) || isMore;
    }
    return isMore;
  }

  #receive(bytes: Uint8Array): void {
    let message: SyncMessage;
    try {
      message = decodeMessage(SyncMessage, bytes);
    } catch (error) {
      if (error instanceof AppError) return; // not a message of ours: whoever sent it hears nothing
      throw error;
    }
    if (message.to !== this.#options.self) return;
    if (!this.#peers.has(message.from) && !this.#options.program.accepts(message.from)) return;
    this.#received.push(message);
    this.#options.nudge();
  }

  #apply(): void {
    const { database, program } = this.#options;
    const messages = this.#received;
    this.#received = [];
    const replies: (() => void)[] = [];
    const acks = messages.filter((message) => message.type === "ack");
    // Events before the state that they led to: histories then read in the order in which things happened.
    const others = messages.filter((message) => message.type !== "ack").sort((a, b) => turn(a) - turn(b));
    for (const ack of acks) this.#onAck(ack);
    if (others.length === 0) return;
    const work = () => {
      for (const message of others) {
        if (message.type === "batch") this.#onBatch(message, replies);
        else this.#onHello(message, replies);
      }
      for (const reply of replies) database.afterCommit(reply);
    };
    // Nothing of it was applied, so nothing is acknowledged: the peer sends it again.
    const onFailed = () => {
      program.onFailed?.();
      for (const { from } of others) this.#forgetStanding(from);
    };
    try {
      database.transaction(work, { onFailed });
    } catch (error) {
      if (!(error instanceof AppError) || !error.kind.isRetryable) throw error;
    }
  }

  #onBatch(batch: Batch, replies: (() => void)[]): void {
    const { program } = this.#options;
    const applied = this.#inbox.applied(batch.from, batch.lane);
    const isNewEpoch = batch.last.epoch > applied.epoch && batch.prev.seq === 0;
    const at = isNewEpoch ? { epoch: batch.last.epoch, seq: 0, hash: batch.prev.hash } : applied;
    const continues = batch.last.epoch === at.epoch && batch.prev.seq <= at.seq &&
      (batch.prev.seq !== at.seq || batch.prev.hash === at.hash);
    if (!continues) {
      // A gap, or another history than the one applied: say where this side stands, the sender decides.
      replies.push(() => this.#sayHello(batch.from, { wantsAnswer: false }));
      return;
    }
    if (batch.last.seq > at.seq) {
      for (const entry of batch.entries) {
        if (entry.seq > at.seq) program.apply(batch.from, batch.lane, entry);
      }
      this.#inbox.advance(batch.from, batch.lane, batch.last);
    }
    replies.push(() => this.#sendAck(batch.from, batch.lane));
  }

  #sendAck(to: PeerId, lane: Lane): void {
    const ack: Ack = {
      type: "ack",
      from: this.#options.self,
      to,
      lane,
      applied: this.#inbox.applied(to, lane),
    };
    this.#publish(to, ack);
  }

  #onAck(ack: Ack): void {
    const peer = this.#peer(ack.from);
    const sending = peer.lanes[ack.lane];
    const state = this.#options.outbox.findLane(ack.from, ack.lane);
    if (state === undefined || ack.applied.epoch !== state.epoch || sending.sent === undefined) return;
    if (ack.applied.seq <= (sending.acked?.seq ?? state.acked.seq)) return;
    if (ack.applied.seq > state.last.seq) return;
    // Of another history that happens to have such a number: the next hello tells.
    if (this.#options.outbox.hashAt(ack.from, ack.lane, ack.applied.seq) !== ack.applied.hash) return;
    this.#progress(sending);
    sending.acked = ack.applied;
    if (ack.applied.seq >= sending.sent) sending.inFlightBytes = 0;
    sending.isDirty = true;
    this.#later(FORGET_MS);
  }

  /** What was learned in a transaction that failed is asked again with the next sign of life. */
  #forgetStanding(from: PeerId): void {
    const peer = this.#peer(from);
    peer.isConnected = false;
    for (const lane of LANES) peer.lanes[lane].sent = undefined;
  }

  /** The peer says where it stands; where that does not fit what was sent, the lane starts anew with a snapshot. */
  #onHello(hello: Hello, replies: (() => void)[]): void {
    const { program } = this.#options;
    const peer = this.#peer(hello.from);
    const { lanes, hasLostStore, hasNewStore } = this.#standings.judge(hello);
    if (hasLostStore) program.onLostStore?.(hello.from);
    for (const lane of LANES) {
      if (hasNewStore) this.#inbox.forget(hello.from, lane);
      if (lanes[lane] === "ask") continue;
      if (lanes[lane] === "restart") this.#restartLane(hello.from, lane, hello.applied[lane].epoch);
      this.#goOn(peer, lane, lanes[lane] === "go_on" ? hello.applied[lane] : NOTHING_APPLIED);
    }
    const isDoubtful = LANES.some((lane) => lanes[lane] === "ask");
    if (isDoubtful) replies.push(() => this.#ask(hello.from));
    else peer.isConnected = true;
    program.onHello?.(hello.from, hello);
    if (hello.wantsAnswer) {
      replies.push(() => this.#sayHello(hello.from, { wantsAnswer: false, answers: hello.question }));
    }
  }

  /** Sends on from what the peer has applied. */
  #goOn(peer: Peer, lane: Lane, applied: Mark): void {
    const { outbox } = this.#options;
    const state = outbox.lane(peer.id, lane);
    if (applied.epoch === state.epoch && applied.seq > state.acked.seq) {
      outbox.acknowledge(peer.id, lane, applied);
    }
    const { acked } = outbox.lane(peer.id, lane);
    const sending = peer.lanes[lane];
    sending.sent = acked.seq;
    sending.sentHash = acked.hash;
    sending.acked = undefined;
    sending.inFlightBytes = 0;
    sending.isDirty = true;
    this.#progress(sending);
  }

  /** Asks where the peer stands now; what is still on its way from before is no answer. */
  #ask(peer: PeerId): void {
    const question = this.#standings.ask(peer);
    if (question !== undefined) this.#sayHello(peer, { wantsAnswer: true, question });
  }

  #restartLane(peer: PeerId, lane: Lane, above: number): void {
    const { outbox, program } = this.#options;
    outbox.restart(peer, lane, { above, keeps: lane === "history" });
    if (lane !== "state") return;
    for (const message of program.snapshot(peer)) outbox.put(peer, message);
  }

  #sendSome(peer: Peer, lane: Lane): boolean {
    const sending = peer.lanes[lane];
    if (!sending.isDirty || sending.sent === undefined) return false;
    if (sending.inFlightBytes >= LIMITS.windowBytes) return false;
    const { outbox, self } = this.#options;
    const { entries, bytes, last, isDamaged } = outbox.read(peer.id, lane, {
      after: sending.sent,
      entriesMax: LIMITS.batchEntries,
      bytesMax: LIMITS.batchBytes,
    });
    if (last === undefined) {
      sending.isDirty = false;
      return false;
    }
    // A lost event is missing in a history; a lost state is told anew, with all the others.
    if (isDamaged && lane === "state") return this.#tellAnew(peer);
    const { epoch } = outbox.lane(peer.id, lane);
    const prev = { epoch, seq: sending.sent, hash: sending.sentHash ?? "" };
    this.#publish(peer.id, {
      type: "batch",
      from: self,
      to: peer.id,
      lane,
      prev,
      last: { epoch, ...last },
      entries,
    });
    if (sending.inFlightBytes === 0) this.#progress(sending);
    sending.sent = last.seq;
    sending.sentHash = last.hash;
    sending.inFlightBytes += Math.max(bytes, 1);
    this.#later(sending.resendMs);
    return true;
  }

  #tellAnew(peer: Peer): boolean {
    this.#options.database.transaction(() => {
      this.#restartLane(peer.id, "state", 0);
      this.#goOn(peer, "state", NOTHING_APPLIED);
    });
    return true;
  }

  /** What is on disk as acknowledged goes with whatever commits next. */
  #forgetAcknowledged(): void {
    for (const peer of this.#peers.values()) {
      for (const lane of LANES) {
        const sending = peer.lanes[lane];
        const { acked } = sending;
        if (acked === undefined) continue;
        this.#options.outbox.acknowledge(peer.id, lane, acked);
        this.#options.database.afterCommit(() => {
          if (sending.acked === acked) sending.acked = undefined;
        });
      }
    }
  }

  #progress(sending: Sending): void {
    sending.progressAtMs = this.#options.clock.uptimeMs();
    sending.resendMs = RESEND_MS;
  }

  /** Wakes up to delete what was acknowledged and to send again what was not. */
  #later(delayMs: number): void {
    if (this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#onTimer();
    });
  }

  #onTimer(): void {
    const { database, clock, nudge } = this.#options;
    const lanes = [...this.#peers.values()].flatMap((peer) =>
      LANES.map((lane) => ({ peer, sending: peer.lanes[lane] }))
    );
    if (lanes.some(({ sending }) => sending.acked !== undefined)) {
      try {
        database.transaction(() => {});
      } catch (error) {
        if (!(error instanceof AppError) || !error.kind.isRetryable) throw error; // a full disk: next time
        this.#later(RESEND_MS);
      }
    }
    const silent = new Set<PeerId>();
    for (const { peer, sending } of lanes) {
      if (sending.inFlightBytes === 0) continue;
      if (clock.uptimeMs() - sending.progressAtMs < sending.resendMs) {
        this.#later(sending.resendMs);
        continue;
      }
      sending.resendMs = Math.min(sending.resendMs * 2, RESEND_MAX_MS);
      sending.progressAtMs = clock.uptimeMs();
      silent.add(peer.id);
      this.#later(sending.resendMs);
    }
    // The answer says where the peer stands; sending goes on from there.
    for (const peer of silent) this.#sayHello(peer, { wantsAnswer: true });
    nudge();
  }

  #sayHello(
    to: PeerId,
    { wantsAnswer, question, answers }: { wantsAnswer: boolean; question?: string; answers?: string },
  ): void {
    const { self, outbox, program } = this.#options;
    const mark = (of: (lane: Lane) => Mark) => ({ state: of("state"), history: of("history") });
    this.#publish(to, {
      type: "hello",
      from: self,
      to,
      applied: mark((lane) => this.#inbox.applied(to, lane)),
      store: this.#stores.own,
      own: mark((lane) => outbox.findLane(to, lane)?.last ?? { epoch: 1, seq: 0, hash: "" }),
      wantsAnswer,
      question,
      answers,
      load: program.load?.(),
    });
  }

  #publish(to: PeerId, message: SyncMessage): void {
    this.#options.bus.publish(syncSubject(to), encodeMessage(message));
  }

  #peer(id: PeerId): Peer {
    let peer = this.#peers.get(id);
    if (peer === undefined) {
      const fresh = (): Sending => ({
        isDirty: true,
        inFlightBytes: 0,
        progressAtMs: 0,
        resendMs: RESEND_MS,
      });
      peer = { id, lanes: { state: fresh(), history: fresh() }, isConnected: false };
      this.#peers.set(id, peer);
    }
    return peer;
  }
}
