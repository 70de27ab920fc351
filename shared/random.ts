/** Random ids as a port: the machine's, or drawn from a seed. */
import type { IdSource } from "./model/ids.ts";

/** Version 4 UUIDs from the machine's random numbers. */
export const systemIds: IdSource = { uuid: () => crypto.randomUUID() };

/** A small seeded generator (mulberry32): fractions in [0, 1). For simulation and tests, never for secrets. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Version 4 UUIDs from a seed. */
export function seededIds(seed: number): IdSource {
  const random = seededRandom(seed);
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
  return { uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}` };
}
