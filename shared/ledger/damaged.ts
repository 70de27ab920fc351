/** Stored records that cannot be read: each costs itself and nothing else, and is told once. */
import type { AppError } from "../errors.ts";
import { DamagedError } from "./body.ts";
import type { SqlRow } from "./database.ts";

/** Tells of a damaged record: which, and what is wrong with it. */
export type TellDamaged = (error: AppError, about: string) => void;

/** A page of rows of which some may be damaged. */
export interface PageOptions<Item> {
  readonly limit: number;
  /** The rows after the given one, at most so many. */
  readonly next: (after: SqlRow | undefined, limit: number) => readonly SqlRow[];
  readonly read: (row: SqlRow) => Item;
  readonly about: (row: SqlRow) => string;
}

/** Told at most. Where more is damaged, more lines of a log help nobody. */
const TOLD_MAX = 1_000;

/** Sets damaged records aside. */
export class Damaged {
  readonly #tell: TellDamaged;
  readonly #told = new Set<string>();

  constructor(tell: TellDamaged = () => {}) {
    this.#tell = tell;
  }

  /** Whoever meets a damaged record goes on without it. Throws the error again when it is of another kind. */
  setAside(error: unknown, about: string): void {
    if (!(error instanceof DamagedError)) throw error;
    if (this.#told.has(about) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(about);
    this.#tell(error, about);
  }

  /** What `read` answers; undefined when what it reads is damaged. */
  read<Value>(about: string, read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      this.setAside(error, about);
      return undefined;
    }
  }

  /** Reads past damaged rows: fewer items than `limit` mean that there are no more rows. */
  page<Item>({ limit, next, read, about }: PageOptions<Item>): Item[] {
    const items: Item[] = [];
    let last: SqlRow | undefined;
    for (;;) {
      const wanted = limit - items.length;
      const rows = next(last, wanted);
      for (const row of rows) {
        const item = this.read(about(row), () => read(row));
        if (item !== undefined) items.push(item);
      }
      if (rows.length < wanted || items.length === limit) return items;
      last = rows.at(-1);
    }
  }
}
