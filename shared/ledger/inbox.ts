/** The highest message applied from each peer and lane: remembered in the transaction that applies it. */
import type { Lane, Mark, PeerId } from "../wire/messages.ts";
import type { Database } from "./database.ts";

/** Nothing applied yet. */
export const NOTHING_APPLIED: Mark = { epoch: 0, seq: 0, hash: "" };

/** How far each peer has been applied. */
export class Inbox {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  applied(peer: PeerId, lane: Lane): Mark {
    const row = this.#database.get(
      "SELECT epoch, seq, hash FROM inbox WHERE peer = ? AND lane = ?",
      peer,
      lane,
    );
    if (row === undefined) return NOTHING_APPLIED;
    return { epoch: Number(row.epoch), seq: Number(row.seq), hash: String(row.hash) };
  }

  /** As if nothing had been applied. */
  forget(peer: PeerId, lane: Lane): void {
    this.#database.run("DELETE FROM inbox WHERE peer = ? AND lane = ?", peer, lane);
  }

  /** Inside the transaction that applies. */
  advance(peer: PeerId, lane: Lane, mark: Mark): void {
    this.#database.run(
      `INSERT INTO inbox (peer, lane, epoch, seq, hash) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (peer, lane) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash`,
      peer,
      lane,
      mark.epoch,
      mark.seq,
      mark.hash,
    );
  }
}
