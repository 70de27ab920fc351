/** Tells the homes what this node is, when it changed, and that it lives. */
import type { Clock } from "../../shared/clock.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { Sync } from "../../shared/ledger/sync.ts";
import { LIMITS } from "../../shared/limits.ts";
import { NodeFacts } from "../../shared/model/node.ts";
import type { Stage } from "../../shared/supervise.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import type { Journal } from "../store/journal.ts";

/** Who is told what. */
export interface JoinOptions {
  readonly database: Database;
  readonly journal: Journal;
  readonly sync: Sync;
  readonly clock: Clock;
  readonly homes: ReadonlySet<PeerId>;
  readonly facts: () => NodeFacts;
  readonly nudge: () => void;
}

/** The stage `join`. */
export class Join implements Stage {
  readonly name = "join";
  readonly #options: JoinOptions;
  #told: string | undefined;
  #helloAtMs: number;
  #cancel: (() => void) | undefined;

  constructor(options: JoinOptions) {
    this.#options = options;
    this.#helloAtMs = options.clock.uptimeMs() + LIMITS.heartbeatMs;
    const told = options.journal.findMeta("told_facts", NodeFacts);
    this.#told = told && JSON.stringify(told);
  }

  /** The facts as a message: the newest replaces one that waits. */
  message(): Message {
    const facts = this.#options.facts();
    return { lane: "state", kind: "node", about: facts.id, body: facts };
  }

  tick(): boolean {
    this.#tellFacts();
    const { clock, sync } = this.#options;
    const now = clock.uptimeMs();
    if (now >= this.#helloAtMs) {
      this.#helloAtMs = now + LIMITS.heartbeatMs;
      sync.hello({ wantsAnswer: false });
    }
    this.#cancel ??= clock.after(Math.max(1, this.#helloAtMs - now), () => {
      this.#cancel = undefined;
      this.#options.nudge();
    });
    return false;
  }

  /** A sign of life before its time: the node's load changed in a way that homes should know at once. */
  helloSoon(): void {
    this.#helloAtMs = 0;
    this.#options.nudge();
  }

  #tellFacts(): void {
    const { database, journal, sync, homes } = this.#options;
    const facts = NodeFacts.parse(this.#options.facts());
    const text = JSON.stringify(facts);
    if (text === this.#told) return;
    database.transaction(() => {
      journal.putMeta("told_facts", facts);
      for (const home of homes) sync.send(home, this.message());
    });
    this.#told = text;
  }

  close(): void {
    this.#cancel?.();
  }
}
