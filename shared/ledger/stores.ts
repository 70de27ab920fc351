/**
 * Which store each peer has, by a random id made with it: a peer that comes with another one has lost the one it had,
 * whatever the numbers of its messages look like.
 */
import type { PeerId } from "../wire/messages.ts";
import type { Database } from "./database.ts";

/** Stands for this side in the table. */
const SELF = "";

/** Ids of stores: this side's own, and those that peers told. */
export class Stores {
  readonly #database: Database;
  #own: string | undefined;

  /** `fresh` becomes the id of a store that has none, with whatever is written first. */
  constructor(database: Database, fresh: string) {
    this.#database = database;
    this.#own = this.known(SELF);
    if (this.#own !== undefined) return;
    database.beforeEachCommit(() => {
      if (this.#own !== undefined) return;
      this.remember(SELF, fresh);
      database.afterCommit(() => this.#own = fresh);
    });
  }

  /** Undefined as long as nothing was ever written: then nothing can be lost. */
  get own(): string | undefined {
    return this.#own;
  }

  known(peer: PeerId): string | undefined {
    const row = this.#database.get("SELECT id FROM stores WHERE peer = ?", peer);
    return row && String(row.id);
  }

  /** Inside the caller's transaction. */
  remember(peer: PeerId, id: string): void {
    this.#database.run(
      "INSERT INTO stores (peer, id) VALUES (?, ?) ON CONFLICT (peer) DO UPDATE SET id = excluded.id",
      peer,
      id,
    );
  }
}
