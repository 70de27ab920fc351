/** A binary heap of whole numbers, greatest score first; ties go to the smaller number. */
export class Heap {
  readonly #items: number[] = [];
  readonly #scores: Float64Array;

  /** Holds numbers below `size`. */
  constructor(size: number) {
    this.#scores = new Float64Array(size);
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): number | undefined {
    return this.#items[0];
  }

  scoreOf(item: number): number {
    return this.#scores[item]!;
  }

  push(item: number, score: number): void {
    this.#scores[item] = score;
    this.#items.push(item);
    this.#up(this.#items.length - 1);
  }

  pop(): number | undefined {
    const top = this.#items[0];
    const last = this.#items.pop();
    if (top === undefined || last === undefined || this.#items.length === 0) return top;
    this.#items[0] = last;
    this.#down(0);
    return top;
  }

  #isBefore(a: number, b: number): boolean {
    const difference = this.#scores[a]! - this.#scores[b]!;
    return difference > 0 || (difference === 0 && a < b);
  }

  #up(start: number): void {
    const items = this.#items;
    const item = items[start]!;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  #down(start: number): void {
    const items = this.#items;
    const item = items[start]!;
    let at = start;
    while (true) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.#isBefore(items[child + 1]!, items[child]!)) child++;
      if (!this.#isBefore(items[child]!, item)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = item;
  }
}
