/** Bugs that a canary plants, by wrappers around the real parts: the checks must see each of them. */
export const BUGS = [
  /** A message's number is not remembered with its effect: doubled messages count twice. */
  "inbox_forgotten",
  /** A second result of a partition is accepted. */
  "result_accepted_twice",
  /** The home gives an allocation back twice. */
  "released_twice",
  /** A restarted home forgets the tokens of earlier submissions. */
  "token_forgotten",
  /** The engine starts an ended execution again. */
  "started_twice",
] as const;
export type Bug = typeof BUGS[number];
