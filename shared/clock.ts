/** Time as a port: the machine's, or the simulator's. */

/** Two clocks: one for people, one for durations. */
export interface Clock {
  /** Unix time in ms. For showing and stamping only: it may jump. */
  wallMs(): number;
  /** Ms since some fixed moment of this boot or process; never goes back. For durations and deadlines. */
  uptimeMs(): number;
  /** Calls once after `delayMs`; the answer cancels. */
  after(delayMs: number, call: () => void): () => void;
}

/** The machine's clock. Timers do not keep the process alive. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  uptimeMs: () => performance.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, delayMs);
    Deno.unrefTimer(timer as unknown as number);
    return () => clearTimeout(timer);
  },
};
