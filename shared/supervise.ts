/**
 * Runs stages. A stage's tick does bounded work and answers whether more waits; a nudge after a commit wakes it.
 * Correctness never depends on the nudge: every stage also ticks once at start.
 */
import { setImmediate } from "node:timers";
import type { Log } from "./log.ts";
import { InvariantError } from "./invariant.ts";

/** One stage of a program. */
export interface Stage {
  readonly name: string;
  /** Does bounded work; true when more waits. */
  tick(): boolean | Promise<boolean>;
}

/** A running stage. */
export interface Supervised {
  /** Asks for a tick soon; cheap, and does nothing when one is asked for already. */
  nudge(): void;
  /** Lets the current tick end and starts no more. */
  close(): Promise<void>;
}

/** First pause after a failed tick, and the longest. */
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 10_000;

/** Runs one stage until it is closed. A bug ends the process; a failed operation is logged and tried again. */
export function supervise(stage: Stage, options: { log: Log; onBug: (error: unknown) => void }): Supervised {
  let isClosed = false;
  let isAsked = false;
  let pauseMs = PAUSE_MS;
  let running: Promise<void> = Promise.resolve();

  const run = async () => {
    isAsked = false;
    if (isClosed) return;
    try {
      const isMore = await stage.tick();
      pauseMs = PAUSE_MS;
      if (isMore) ask();
    } catch (error) {
      if (error instanceof InvariantError) return options.onBug(error);
      options.log.error(`Stage "${stage.name}" failed and is tried again`, { error, pauseMs });
      setTimeout(ask, pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    }
  };
  const ask = () => {
    if (isAsked || isClosed) return;
    isAsked = true;
    setImmediate(() => {
      running = running.then(run);
    });
  };
  ask();
  return {
    nudge: ask,
    async close() {
      isClosed = true;
      await running;
    },
  };
}
