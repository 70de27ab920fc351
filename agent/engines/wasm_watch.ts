/** What the two threads of a child share: which execution runs, and which of them says how it ended. */

/** An execution as the watching thread needs it. */
export interface WatchedExecution {
  readonly executionId: string;
  readonly folder: string;
  readonly memoryBytes: number;
}

const IDLE = 0;
const RUNNING = 1;
const SETTLED = 2;

const PHASE = 0;
const LENGTH = 1;
const HEADER_BYTES = 8;
/** Room for an execution's id and folder as JSON: paths are at most 4 KiB. */
const STATE_BYTES = 32 * 1024;

/** Shared memory with a phase and the execution's name. */
export class ChildState {
  readonly #header: Int32Array;
  readonly #text: Uint8Array;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(STATE_BYTES)) {
    this.#header = new Int32Array(buffer, 0, 2);
    this.#text = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** An execution begins. */
  enter(execution: WatchedExecution): void {
    const bytes = new TextEncoder().encode(JSON.stringify(execution));
    this.#text.set(bytes);
    Atomics.store(this.#header, LENGTH, bytes.length);
    Atomics.store(this.#header, PHASE, RUNNING);
  }

  /** True for the one thread that may say how the running execution ended. */
  settle(): boolean {
    return Atomics.compareExchange(this.#header, PHASE, RUNNING, SETTLED) === RUNNING;
  }

  /** The execution's end is recorded. */
  leave(): void {
    Atomics.store(this.#header, PHASE, IDLE);
  }

  /** The execution that runs now. */
  running(): WatchedExecution | undefined {
    if (Atomics.load(this.#header, PHASE) !== RUNNING) return undefined;
    const length = Atomics.load(this.#header, LENGTH);
    return JSON.parse(new TextDecoder().decode(this.#text.slice(0, length)));
  }
}
