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

/** Resolves after `delayMs`, or at once when aborted. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}
