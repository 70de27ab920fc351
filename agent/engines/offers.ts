/**
 * What the engines of this node offer. One that has answered before, and does not at the moment, is offered as it was then: its
 * daemon is being restarted, or comes up after the agent when the machine starts. What needs it waits.
 */
import { z } from "zod";
import { type Clock, pause } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { Gpu } from "../../shared/model/gpu.ts";
import type { Engine, EngineProbe } from "./engine.ts";

/** How often engines are asked. */
const ASK_MS = 15_000;
/** One that is away is asked more often for a while: then it is most likely on its way. */
const ASK_AWAY_MS = 500;
const AWAY_SOON_MS = 120_000;

/** An engine's last good answer. */
const Answer = z.object({
  isAvailable: z.literal(true),
  version: z.string(),
  platforms: z.array(z.string()).optional(),
  networks: z.array(z.string()).optional(),
  absentNetworks: z.record(z.string(), z.string()).optional(),
  gpus: z.array(Gpu).optional(),
  absentGpus: z.string().optional(),
});
/** The last good answers, by engine. */
export const Answers = z.record(z.string(), Answer);
export type Answers = Readonly<z.infer<typeof Answers>>;

/** What they offer, taken together. */
export interface Offers {
  readonly usable: readonly string[];
  /** Devices that tasks can be given, and why those that are there cannot be. */
  readonly gpus: readonly Gpu[];
  readonly absentGpus?: string;
  readonly platforms: readonly string[];
  /** Of containers, where there are any. */
  readonly networks?: readonly string[];
  /** `network NAME` → why it cannot be had. */
  readonly absentNetworks: Readonly<Record<string, string>>;
  /** Engines that cannot be used, also those of `usable` that do not answer at the moment. */
  readonly absent: readonly {
    readonly type: string;
    readonly reason: string;
    readonly hint: string;
    readonly isNotSetUp: boolean;
  }[];
}

/** Asks engines whether they can be used. */
export class OfferedEngines {
  readonly #engines: readonly Engine[];
  readonly #clock: Clock;
  readonly #remember: (answers: Answers) => void;
  readonly #closing = new AbortController();
  #answers: Answers;
  #remembered: string;
  #last: Offers | undefined;

  /** `answers`: what `remember` was given last. */
  constructor(
    engines: readonly Engine[],
    options: { answers: Answers; remember: (answers: Answers) => void; clock: Clock },
  ) {
    this.#engines = engines;
    this.#answers = options.answers;
    this.#remembered = JSON.stringify(options.answers);
    this.#remember = options.remember;
    this.#clock = options.clock;
  }

  /** Asks again and again until it is closed, and tells what has changed since the last answer. */
  async watch(onChanged: (offers: Offers) => void): Promise<void> {
    const { signal } = this.#closing;
    const now = () => this.#clock.uptimeMs();
    let soonUntilMs = now() + AWAY_SOON_MS;
    while (!signal.aborted) {
      const isAway = this.#last?.absent.some(({ isNotSetUp }) => !isNotSetUp) ?? true;
      await pause(this.#clock, isAway && now() < soonUntilMs ? ASK_AWAY_MS : ASK_MS, signal);
      const before = JSON.stringify(this.#last);
      const offers = await this.ask();
      if (signal.aborted || JSON.stringify(offers) === before) continue;
      soonUntilMs = now() + AWAY_SOON_MS;
      onChanged(offers);
    }
  }

  /** Nothing is told or remembered any more. */
  close(): void {
    this.#closing.abort();
  }

  /** Which can be used now, and why the others cannot. */
  async ask(): Promise<Offers> {
    const answers = await Promise.all(
      this.#engines.map(async (engine) => ({ type: engine.type, answer: await engine.probe() })),
    );
    this.#keep(answers);
    const offered = answers.flatMap(({ type, answer }) => {
      if (answer.isAvailable) return [{ type, ...answer }];
      const before = answer.isAway ? this.#answers[type] : undefined;
      return before === undefined ? [] : [{ type, ...before }];
    });
    const { networks, absentNetworks = {} } = offered.find((one) => one.networks !== undefined) ?? {};
    return this.#last = {
      networks,
      absentNetworks: Object.fromEntries(
        Object.entries(absentNetworks).map(([name, why]) => [`network ${name}`, why]),
      ),
      usable: offered.map(({ type }) => type),
      gpus: offered.flatMap(({ gpus = [] }) => gpus),
      absentGpus: offered.find(({ absentGpus }) => absentGpus !== undefined)?.absentGpus,
      platforms: offered.flatMap(({ platforms = [] }) => platforms),
      absent: answers.flatMap(({ type, answer }) => {
        if (answer.isAvailable) return [];
        const { reason, hint, isNotSetUp = false } = answer;
        return [{ type, reason, hint, isNotSetUp: isNotSetUp && this.#answers[type] === undefined }];
      }),
    };
  }

  /** One that answers that it is of no use is not offered again before it answers otherwise. */
  #keep(answers: readonly { type: string; answer: EngineProbe }[]): void {
    const known: Record<string, Answers[string]> = { ...this.#answers };
    for (const { type, answer } of answers) {
      if (answer.isAvailable) known[type] = Answer.parse(answer);
      else if (!answer.isAway) delete known[type];
    }
    this.#answers = known;
    const text = JSON.stringify(known);
    if (this.#closing.signal.aborted || text === this.#remembered) return;
    try {
      this.#remember(known);
      this.#remembered = text;
    } catch (error) {
      // The next answer is an occasion to try again.
      if (!(error instanceof AppError) || error.code !== "disk_full") throw error;
    }
  }
}
