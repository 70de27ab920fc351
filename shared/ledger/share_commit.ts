/** Parts of a program's turn that commit together. */
import type { Database } from "./database.ts";

/**
 * Runs the parts in one group of transactions, so that what arrives together costs one commit however many parts it goes
 * through. A part that throws takes back its own transaction only; the first such error is thrown after the commit.
 * Answers whether a part has more to do.
 */
export function shareCommit(database: Database, parts: readonly (() => boolean | void)[]): boolean {
  const errors: unknown[] = [];
  let isMore = false;
  database.group(() => {
    for (const part of parts) {
      try {
        isMore = part() === true || isMore;
      } catch (error) {
        errors.push(error);
      }
    }
  });
  if (errors.length > 0) throw errors[0];
  return isMore;
}
