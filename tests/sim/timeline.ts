/** Simulated time: one queue of events, worked on one after the other, and the trace of what happened. */
import { crc32 } from "node:zlib";

interface Event {
  readonly atMs: number;
  readonly seq: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Lines of the trace that are kept for a failure's report. */
const TAIL_LINES = 60;

/** The order of everything in one run. Ties go by the order of asking. */
export class Timeline {
  #nowMs = 0;
  #seq = 0;
  readonly #heap: Event[] = [];
  #hash = 0;
  #tail: string[] = [];
  #lineCount = 0;
  /** Called with every line: to print them. */
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(onLine?: (line: string) => void) {
    this.#onLine = onLine;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that were worked on so far count as lines of the trace. */
  get lineCount(): number {
    return this.#lineCount;
  }

  /** What happened, as one number: the same for the same seed. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  get tail(): readonly string[] {
    return this.#tail.slice(-TAIL_LINES);
  }

  /** Calls after `delayMs`; the answer cancels. */
  at(delayMs: number, run: () => void): () => void {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), seq: this.#seq++, run, isCancelled: false };
    this.#push(event);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Works on the next event, all promises that follow from it included. False when there is none before `untilMs`. */
  async step(untilMs: number): Promise<boolean> {
    const next = this.#heap[0];
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#pop();
    if (next.isCancelled) return true;
    this.#nowMs = next.atMs;
    next.run();
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  /** Adds a line to the trace. */
  trace(line: string): void {
    const whole = `${this.#nowMs.toFixed(1)} ${line}`;
    this.#hash = crc32(whole, this.#hash);
    this.#lineCount++;
    if (!line.includes(" hello ")) this.#tail.push(whole);
    if (this.#tail.length > 4 * TAIL_LINES) this.#tail = this.#tail.slice(-TAIL_LINES);
    this.#onLine?.(whole);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.seq < b.seq);
