/**
 * Numbered messages for one peer and lane, on disk until the peer has acknowledged having applied them. Each number
 * has a chained hash, so that wiped, restored and cloned disks are seen.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Entry, Lane, Mark, PeerId } from "../wire/messages.ts";
import type { Database, SqlRow } from "./database.ts";
import { decodeBody, encodeBody } from "./body.ts";
import { Damaged } from "./damaged.ts";

/** The chain's value before the first entry of an epoch. */
const CHAIN_START = "";

/** What a program wants told. */
export interface Message {
  readonly lane: Lane;
  readonly kind: string;
  /** What it is about. On the state lane a newer message of the same kind about the same replaces an unapplied older one. */
  readonly about: string;
  readonly body: unknown;
}

/** One lane as stored. */
export interface LaneState {
  readonly epoch: number;
  readonly last: Mark;
  readonly acked: Mark;
}

/** The outbox of one program. All writes belong to the caller's transaction. */
export class Outbox {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #damaged: Damaged;
  /** By peer and lane: the number of the newest report about each thing that waits, the oldest first. */
  readonly #newest = new Map<string, Map<string, number>>();
  /** Ages are counted by uptime within one process, and by wall time across processes. */
  readonly process: string;

  constructor(options: { database: Database; clock: Clock; process: string; damaged?: Damaged }) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#damaged = options.damaged ?? new Damaged();
    this.process = options.process;
  }

  /** Numbers and keeps one message. */
  put(peer: PeerId, message: Message): void {
    const { lane, kind, about } = message;
    const state = this.lane(peer, lane);
    const seq = state.last.seq + 1;
    const body = encodeBody(message.body);
    const hash = chain(state.last.hash, body);
    if (isReplaceable(message)) this.#replaceOlder(peer, { ...message, seq });
    this.#database.run(
      "INSERT INTO outbox (peer, lane, seq, kind, about, hash, body, at_ms, uptime_ms, process) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      peer,
      lane,
      seq,
      kind,
      about,
      hash,
      body,
      Math.round(this.#clock.wallMs()),
      this.#clock.uptimeMs(),
      this.process,
    );
    this.#database.run(
      "UPDATE lanes SET seq = ?, hash = ? WHERE peer = ? AND lane = ?",
      seq,
      hash,
      peer,
      lane,
    );
  }

  /**
   * Only reports are coalesced: each holds the whole observed state. Orders are kept, each is its own wish. After a
   * transaction that failed the memory may be wrong: then one that could be replaced arrives as well, and changes nothing.
   */
  #replaceOlder(peer: PeerId, { lane, kind, about, seq }: Message & { seq: number }): void {
    const newest = this.#newestOf(peer, lane);
    const older = newest.get(`${kind} ${about}`);
    if (older !== undefined) {
      this.#database.run(
        "UPDATE outbox SET body = NULL WHERE peer = ? AND lane = ? AND seq = ? AND kind = ? AND about = ?",
        peer,
        lane,
        older,
        kind,
        about,
      );
    }
    newest.delete(`${kind} ${about}`);
    newest.set(`${kind} ${about}`, seq);
  }

  #newestOf(peer: PeerId, lane: Lane): Map<string, number> {
    let newest = this.#newest.get(`${peer} ${lane}`);
    if (newest === undefined) {
      const rows = this.#database.all(
        "SELECT seq, kind, about FROM outbox WHERE peer = ? AND lane = ? AND kind IN ('report', 'node') AND body IS NOT NULL ORDER BY seq",
        peer,
        lane,
      );
      newest = new Map(rows.map(({ seq, kind, about }) => [`${kind} ${about}`, Number(seq)]));
      this.#newest.set(`${peer} ${lane}`, newest);
    }
    return newest;
  }

  /** The lane's marks; made at first use. */
  lane(peer: PeerId, lane: Lane): LaneState {
    const row = this.#database.get("SELECT * FROM lanes WHERE peer = ? AND lane = ?", peer, lane);
    if (row !== undefined) return toLane(row);
    this.#database.run(
      "INSERT INTO lanes (peer, lane, epoch, seq, hash, acked_seq, acked_hash) VALUES (?, ?, 1, 0, ?, 0, ?)",
      peer,
      lane,
      CHAIN_START,
      CHAIN_START,
    );
    return this.lane(peer, lane);
  }

  /** The lane's marks without making it. */
  findLane(peer: PeerId, lane: Lane): LaneState | undefined {
    const row = this.#database.get("SELECT * FROM lanes WHERE peer = ? AND lane = ?", peer, lane);
    return row === undefined ? undefined : toLane(row);
  }

  /**
   * Entries after `seq`, oldest first, and the mark that they reach; replaced ones and those that cannot be read only
   * move the mark. `isDamaged`: one of them could not.
   */
  read(peer: PeerId, lane: Lane, options: { after: number; entriesMax: number; bytesMax: number }) {
    const rows = this.#database.all(
      "SELECT * FROM outbox WHERE peer = ? AND lane = ? AND seq > ? ORDER BY seq LIMIT ?",
      peer,
      lane,
      options.after,
      options.entriesMax,
    );
    const entries: Entry[] = [];
    let bytes = 0;
    let isDamaged = false;
    let last: { seq: number; hash: string } | undefined;
    for (const row of rows) {
      const size = typeof row.body === "string" ? row.body.length : 0;
      if (last !== undefined && bytes + size > options.bytesMax) break;
      last = { seq: Number(row.seq), hash: String(row.hash) };
      bytes += size;
      if (row.body === null) continue;
      const entry = this.#damaged.read(`message ${lane} ${row.seq} for ${peer}`, () => this.#toEntry(row));
      if (entry === undefined) isDamaged = true;
      else entries.push(entry);
    }
    return { entries, bytes, last, isDamaged };
  }

  #toEntry(row: SqlRow): Entry {
    return {
      seq: Number(row.seq),
      kind: String(row.kind),
      about: String(row.about),
      ageMs: Math.round(this.#ageMs(row)),
      body: decodeBody(row.body),
    };
  }

  #ageMs(row: SqlRow): number {
    return row.process === this.process
      ? this.#clock.uptimeMs() - Number(row.uptime_ms)
      : Math.max(0, this.#clock.wallMs() - Number(row.at_ms));
  }

  /** The chain's value at `seq`, when this side still knows it. */
  hashAt(peer: PeerId, lane: Lane, seq: number): string | undefined {
    const state = this.lane(peer, lane);
    if (seq === 0) return CHAIN_START;
    if (seq === state.acked.seq) return state.acked.hash;
    const row = this.#database.get(
      "SELECT hash FROM outbox WHERE peer = ? AND lane = ? AND seq = ?",
      peer,
      lane,
      seq,
    );
    return row === undefined ? undefined : String(row.hash);
  }

  /** The peer has applied everything up to the mark: forget it. */
  acknowledge(peer: PeerId, lane: Lane, applied: Mark): void {
    const newest = this.#newest.get(`${peer} ${lane}`);
    for (const [about, seq] of newest ?? []) {
      if (seq > applied.seq) break;
      newest!.delete(about);
    }
    this.#database.run(
      "DELETE FROM outbox WHERE peer = ? AND lane = ? AND seq <= ?",
      peer,
      lane,
      applied.seq,
    );
    this.#database.run(
      "UPDATE lanes SET acked_seq = ?, acked_hash = ? WHERE peer = ? AND lane = ?",
      applied.seq,
      applied.hash,
      peer,
      lane,
    );
  }

  /** Starts the lane anew above every epoch that either side knows. `keeps`: unapplied messages are numbered again. */
  restart(peer: PeerId, lane: Lane, options: { above: number; keeps: boolean }): void {
    const state = this.lane(peer, lane);
    const kept = options.keeps
      ? this.#database.all(
        "SELECT seq, kind, about, body FROM outbox WHERE peer = ? AND lane = ? AND body IS NOT NULL ORDER BY seq",
        peer,
        lane,
      )
      : [];
    this.#newest.delete(`${peer} ${lane}`);
    this.#database.run("DELETE FROM outbox WHERE peer = ? AND lane = ?", peer, lane);
    this.#database.run(
      "UPDATE lanes SET epoch = ?, seq = 0, hash = ?, acked_seq = 0, acked_hash = ? WHERE peer = ? AND lane = ?",
      Math.max(state.epoch, options.above) + 1,
      CHAIN_START,
      CHAIN_START,
      peer,
      lane,
    );
    for (const { seq, kind, about, body } of kept) {
      this.#damaged.read(`message ${lane} ${seq} for ${peer}`, () => {
        this.put(peer, { lane, kind: String(kind), about: String(about), body: decodeBody(body) });
      });
    }
  }

  /** How long ago the oldest message of the lane that the peer has not acknowledged was written; undefined: none waits. */
  oldestAgeMs(peer: PeerId, lane: Lane): number | undefined {
    const row = this.#database.get(
      "SELECT at_ms, uptime_ms, process FROM outbox WHERE peer = ? AND lane = ? ORDER BY seq LIMIT 1",
      peer,
      lane,
    );
    return row && this.#ageMs(row);
  }

  /** How many messages wait for the peer. */
  depth(peer: PeerId): number {
    return Number(this.#database.get("SELECT count(*) AS n FROM outbox WHERE peer = ?", peer)?.n ?? 0);
  }
}

const isReplaceable = ({ lane, kind }: Message): boolean =>
  lane === "state" && (kind === "report" || kind === "node");

function toLane(row: SqlRow): LaneState {
  const epoch = Number(row.epoch);
  return {
    epoch,
    last: { epoch, seq: Number(row.seq), hash: String(row.hash) },
    acked: { epoch, seq: Number(row.acked_seq), hash: String(row.acked_hash) },
  };
}

function chain(previous: string, body: string): string {
  return createHash("sha256").update(previous).update(body).digest("base64url").slice(0, 16);
}
