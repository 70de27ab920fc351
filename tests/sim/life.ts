/** One life of a program: from its start to its crash. Everything that it was given falls silent at the end. */
import type { Clock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { InvariantError } from "../../shared/invariant.ts";
import type { Stage } from "../../shared/supervise.ts";
import type { Dice } from "./dice.ts";
import type { Timeline } from "./timeline.ts";

/** Thrown where a program is killed. */
export class Crash extends Error {
  override name = "Crash";
}

/** Unix time at which simulations begin. */
const EPOCH_MS = 1_700_000_000_000;

export interface LifeOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly dice: Dice;
  /** How wrong the machine's wall clock is. */
  readonly wallErrorMs: () => number;
  /** A bug was found. */
  readonly onBug: (error: unknown) => void;
}

/** A clock, and the stages that run by it. */
export class Life implements Clock {
  readonly #options: LifeOptions;
  readonly #bornAtMs: number;
  readonly #stages = new Map<string, { stage: Stage; isAsked: boolean; isBusy: boolean; pauseMs: number }>();
  #isOver = false;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#bornAtMs = options.timeline.nowMs;
  }

  get name(): string {
    return this.#options.name;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  wallMs(): number {
    return EPOCH_MS + this.#options.timeline.nowMs + this.#options.wallErrorMs();
  }

  uptimeMs(): number {
    return this.#options.timeline.nowMs - this.#bornAtMs;
  }

  after(delayMs: number, call: () => void): () => void {
    return this.#options.timeline.at(delayMs, () => this.do(call));
  }

  /** Calls unless this life is over; an error is a bug. */
  do(call: () => void): void {
    if (this.#isOver) return;
    try {
      call();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Runs the stages: each once now, and whenever it is nudged. */
  run(stages: readonly Stage[]): void {
    for (const stage of stages) {
      this.#stages.set(stage.name, { stage, isAsked: false, isBusy: false, pauseMs: 100 });
      this.nudge(stage.name);
    }
  }

  nudge(name: string): void {
    const entry = this.#stages.get(name);
    if (entry === undefined || entry.isAsked || this.#isOver) return;
    entry.isAsked = true;
    if (!entry.isBusy) this.#options.timeline.at(this.#jitterMs(), () => this.#tick(name));
  }

  /** Mostly at once; now and then the machine has better things to do. */
  #jitterMs(): number {
    const { dice } = this.#options;
    return dice.chance(0.02) ? dice.whole(1, 200) : dice.fraction();
  }

  async #tick(name: string): Promise<void> {
    const entry = this.#stages.get(name)!;
    if (this.#isOver) return;
    entry.isAsked = false;
    entry.isBusy = true;
    let delayMs: number | undefined;
    try {
      if (await entry.stage.tick()) delayMs = this.#jitterMs();
      entry.pauseMs = 100;
    } catch (error) {
      if (!(error instanceof AppError)) return this.#failed(error);
      this.#options.timeline.trace(`${this.name} ${name} failed: ${error.code}`);
      delayMs = entry.pauseMs;
      entry.pauseMs = Math.min(entry.pauseMs * 2, 10_000);
    }
    entry.isBusy = false;
    if (this.#isOver) return;
    if (entry.isAsked) {
      delayMs = delayMs === undefined ? this.#jitterMs() : Math.max(delayMs, this.#jitterMs());
    }
    if (delayMs === undefined) return;
    entry.isAsked = true;
    this.#options.timeline.at(delayMs, () => this.#tick(name));
  }

  #failed(error: unknown): void {
    if (this.#isOver || error instanceof Crash) return;
    const kind = error instanceof InvariantError ? "invariant" : "unexpected error";
    this.#options.onBug(
      new Error(`${kind} in ${this.name}: ${error instanceof Error ? error.stack : error}`),
    );
  }

  end(): void {
    this.#isOver = true;
  }
}

/** A promise that a dead program waits for. */
export const never = <Result>(): Promise<Result> => new Promise(() => {});
