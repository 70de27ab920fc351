/** Rows of nodes. Every write belongs to the caller's transaction. */
import { encodeBody, parseBody } from "../../shared/ledger/body.ts";
import type { Database } from "../../shared/ledger/database.ts";
import { Node } from "../../shared/model/node.ts";

/** Reads and writes nodes. */
export class Nodes {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  put(node: Node): void {
    this.#database.run(
      "INSERT INTO nodes (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
      node.facts.id,
      encodeBody(node),
    );
  }

  all(): readonly Node[] {
    return this.#database.all("SELECT body FROM nodes ORDER BY id").map((row) => parseBody(Node, row.body));
  }
}
