/** Answers for output: what there is from a cursor on, or a wait for more. */
import { type Clock, pause } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { LogAnswer } from "../../shared/wire/messages.ts";
import type { Workspace } from "../host/host.ts";

/** Where output is, and how long to wait for it. */
export interface TailOptions {
  readonly workspace: Workspace;
  readonly clock: Clock;
  /** Whether the execution may still print. */
  readonly isLive: (id: ExecutionId) => boolean;
  /** Whether what it prints may go on after the end of a run. */
  readonly mayRunAgain: (id: ExecutionId) => boolean;
  readonly signal: AbortSignal;
}

/** While somebody waits, files are looked at this often: more rarely the longer nothing comes. */
const LOOK_MS = 25;
const LOOK_MAX_MS = 200;

/** Reads output for those who follow it. */
export class TailLogs {
  readonly #options: TailOptions;
  #waitingCount = 0;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** Errors: `bad_request` for a cursor that is none. */
  async read(id: ExecutionId, cursor: string, waitMs: number): Promise<LogAnswer> {
    const { clock } = this.#options;
    const untilMs = clock.uptimeMs() + (this.#waitingCount < LIMITS.logWaitersMax ? waitMs : 0);
    this.#waitingCount++;
    try {
      for (let lookMs = LOOK_MS;; lookMs = Math.min(lookMs * 2, LOOK_MAX_MS)) {
        const answer = await this.#look(id, cursor);
        const leftMs = untilMs - clock.uptimeMs();
        if (answer.pieces.length > 0 || answer.isComplete || leftMs <= 0) return answer;
        if (this.#options.signal.aborted) return answer;
        await pause(clock, Math.min(lookMs, leftMs), this.#options.signal);
      }
    } finally {
      this.#waitingCount--;
    }
  }

  async #look(id: ExecutionId, cursor: string): Promise<LogAnswer> {
    // Asked before reading: what ends while it is read is read once more.
    const isLive = this.#options.isLive(id);
    const mayGoOn = this.#options.mayRunAgain(id);
    const { pieces, cursor: next, isComplete } = await this.#options.workspace.readOutput(id, cursor);
    // One that never started, or whose engine died, has no mark of an end.
    const isOver = !mayGoOn && (isComplete || (!isLive && pieces.length === 0));
    return { pieces: [...pieces], cursor: next, isComplete: isOver };
  }
}
