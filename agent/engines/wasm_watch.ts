/** What the two threads of a child share: which execution runs, and which of them says how it ended. */

/** An execution as the watching thread needs it. */
export interface WatchedExecution {
  readonly executionId: string;
  readonly run: number;
  readonly folder: string;
}

const IDLE = 0;

/** Index of the run: 0 when idle, a number that grows with each run, negative once its end is being recorded. */
const RUN = 0;
/** Length of the text. */
const LENGTH = 1;
/** Where the memory limit lies, in bytes from the beginning; then the text. */
const LIMIT_AT = 8;
const TEXT_AT = 16;
/** Room for an execution's id and folder as JSON: paths are at most 4 KiB. */
const STATE_BYTES = 32 * 1024;

/**
 * Shared memory with the number of the run, its memory limit and its execution. Only the thread that runs modules begins
 * and ends runs. What the other one reads belongs to a run only if the run is still the same afterwards; `settle` makes
 * sure of it, and after it nothing changes any more.
 */
export class ChildState {
  readonly #header: Int32Array;
  readonly #limit: Float64Array;
  readonly #text: Uint8Array;
  #runs = 0;

  constructor(readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(STATE_BYTES)) {
    this.#header = new Int32Array(buffer, 0, 2);
    this.#limit = new Float64Array(buffer, LIMIT_AT, 1);
    this.#text = new Uint8Array(buffer, TEXT_AT);
  }

  /** A task begins; returns the number of what runs. */
  enter(execution: WatchedExecution, memoryBytes: number): number {
    const { executionId, run, folder } = execution;
    const bytes = new TextEncoder().encode(JSON.stringify({ executionId, run, folder }));
    this.#text.set(bytes);
    this.#limit[0] = memoryBytes;
    Atomics.store(this.#header, LENGTH, bytes.length);
    this.#runs = (this.#runs % 0x7fff_fffe) + 1;
    Atomics.store(this.#header, RUN, this.#runs);
    return this.#runs;
  }

  /** True for the one thread that may say how that run ended. */
  settle(run: number): boolean {
    return Atomics.compareExchange(this.#header, RUN, run, -run) === run;
  }

  /** The run's end is recorded. */
  leave(): void {
    Atomics.store(this.#header, RUN, IDLE);
  }

  /** The run that is on, with its memory limit. */
  current(): { run: number; memoryBytes: number } | undefined {
    const run = Atomics.load(this.#header, RUN);
    const memoryBytes = this.#limit[0]!;
    return run > IDLE && Atomics.load(this.#header, RUN) === run ? { run, memoryBytes } : undefined;
  }

  /** The execution of the run that the caller has settled. */
  settled(): WatchedExecution {
    const length = Atomics.load(this.#header, LENGTH);
    return JSON.parse(new TextDecoder().decode(this.#text.slice(0, length)));
  }
}
