/** Choices drawn from a seed. */
import { seededRandom } from "../../shared/random.ts";

/** One source of chance. */
export class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    for (let warm = 0; warm < 3; warm++) this.#random();
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#random();
  }

  chance(ratio: number): boolean {
    return this.#random() < ratio;
  }

  /** A whole number, both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.#random() * (max - min + 1));
  }

  /** Small values as often as large ones. `min` > 0. */
  spread(min: number, max: number): number {
    return min * (max / min) ** this.#random();
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)]!;
  }

  /** Another source, so that more draws here do not change what is drawn there. */
  fork(): Dice {
    return new Dice(Math.floor(this.#random() * 2 ** 32));
  }
}

/** A seed out of a text. */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
