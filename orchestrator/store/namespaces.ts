/** Rows of namespaces, and all of them in memory: every placement asks. Every write belongs to the caller's transaction. */
import { encodeBody, parseBody } from "../../shared/ledger/body.ts";
import type { Damaged } from "../../shared/ledger/damaged.ts";
import type { Database } from "../../shared/ledger/database.ts";
import { Namespace } from "../../shared/model/namespace.ts";

/** Table of this file, for the migrations. */
export const NAMESPACE_TABLES = `
CREATE TABLE namespaces (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_live ON jobs (namespace) WHERE phase IN ('pending', 'queued', 'running');
`;

/** Nobody has set it up. */
export const unbounded = (name: string): Namespace => ({
  ...{ name, weight: 1, defaults: {}, maxima: {}, quota: {}, createdAtMs: 0, modifiedAtMs: 0 },
});

/** Reads and writes namespaces. */
export class Namespaces {
  readonly #database: Database;
  readonly #damaged: Damaged;
  readonly #all = new Map<string, Namespace>();

  constructor(database: Database, damaged: Damaged) {
    this.#database = database;
    this.#damaged = damaged;
  }

  /** Reads them from their rows again. One that cannot be read has no bounds, and is told. */
  rebuild(): void {
    this.#all.clear();
    for (const { name, body } of this.#database.all("SELECT name, body FROM namespaces ORDER BY name")) {
      const namespace = this.#damaged.read(`namespace ${name}`, () => parseBody(Namespace, body));
      if (namespace !== undefined) this.#all.set(namespace.name, namespace);
    }
  }

  /** Undefined: nobody set it up. */
  find(name: string): Namespace | undefined {
    return this.#all.get(name);
  }

  weightOf(name: string): number {
    return this.#all.get(name)?.weight ?? 1;
  }

  /** Sorted by name. */
  all(): readonly Namespace[] {
    return [...this.#all.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  get count(): number {
    return this.#all.size;
  }

  put(namespace: Namespace): void {
    this.#database.run(
      "INSERT INTO namespaces (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
      namespace.name,
      encodeBody(namespace),
    );
    this.#all.set(namespace.name, namespace);
  }

  delete(name: string): void {
    this.#database.run("DELETE FROM namespaces WHERE name = ?", name);
    this.#all.delete(name);
  }

  /** Jobs of the namespace that have not ended. */
  liveJobCount(name: string): number {
    return Number(
      this.#database.get(
        `SELECT count(*) AS n FROM jobs INDEXED BY jobs_live
         WHERE namespace = ? AND phase IN ('pending', 'queued', 'running')`,
        name,
      )!.n,
    );
  }

  /** Of every namespace that has jobs that have not ended, how many. */
  liveJobCounts(): ReadonlyMap<string, number> {
    const rows = this.#database.all(
      `SELECT namespace, count(*) AS n FROM jobs INDEXED BY jobs_live
       WHERE phase IN ('pending', 'queued', 'running') GROUP BY namespace`,
    );
    return new Map(rows.map(({ namespace, n }) => [String(namespace), Number(n)]));
  }
}
