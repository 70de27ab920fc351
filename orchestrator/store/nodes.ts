/** Rows of nodes. Every write belongs to the caller's transaction. */
import { encodeBody, parseBody } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { Node } from "../../shared/model/node.ts";

/** Reads and writes nodes. */
export class Nodes {
  readonly #database: Database;
  readonly #damaged: Damaged;
  /** Known by their ids only: they must say again what they are. */
  readonly unread = new Set<NodeId>();

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  put(node: Node): void {
    this.#database.run(
      "INSERT INTO nodes (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
      node.facts.id,
      encodeBody(node),
    );
  }

  /** Those that can be read, sorted by id. */
  all(): readonly Node[] {
    const nodes: Node[] = [];
    for (const { id, body } of this.#database.all("SELECT id, body FROM nodes ORDER BY id")) {
      const node = this.#damaged.read(`node ${id}`, () => parseBody(Node, body));
      if (node === undefined) this.unread.add(id as NodeId);
      else nodes.push(node);
    }
    return nodes;
  }
}
