/** What users do in one run: jobs of every kind, submissions again after a lost reply, stops. */
import { isEndless, isPerNode, type JobSpec, type JobType } from "../../shared/model/job.ts";
import type { JobId } from "../../shared/model/ids.ts";
import { AppError } from "../../shared/errors.ts";
import { HEALTH_DEFAULT } from "../../shared/model/policy.ts";
import { aSpec, aTask } from "../support/builders.ts";
import type { NamespaceChange } from "../../orchestrator/flow/namespaces.ts";
import type { Dice } from "./dice.ts";
import { Crash } from "./life.ts";
import type { SimHome } from "./sim_home.ts";
import type { Temper } from "./sim_engine.ts";
import type { Timeline } from "./timeline.ts";

const MIB = 2 ** 20;

/** One job as its user knows it. */
export interface Wish {
  readonly number: number;
  readonly spec: JobSpec;
  readonly temper: Temper;
  readonly token: string | undefined;
  /** Answered: must exist from now on. */
  jobId?: JobId;
  /** Unmoved simulated time of the acknowledgement, and of the first attempt. */
  askedAtMs?: number;
  ackedAtMs?: number;
  /** The refusal that the user was told instead. */
  refusal?: string;
  /** A stop was acknowledged. */
  isStopped: boolean;
}

/** What nobody names is a job of its own; those without an end get new versions more often. */
function nameFor(dice: Dice, type: JobType): string {
  return isEndless(type)
    ? dice.chance(0.6) ? `${type}-${dice.pick(["web", "relay"])}` : ""
    : dice.chance(0.15)
    ? dice.pick(["etl", "backup"])
    : "";
}

/** Beside `default`. */
export const NAMESPACES = ["a", "b"] as const;

/** How an operator sets a namespace up. */
export function drawNamespace(dice: Dice): NamespaceChange {
  return {
    weight: dice.pick([0.5, 1, 1, 3]),
    ...(dice.chance(0.5) && {
      quota: { cpuMillis: dice.whole(5, 40) * 100, ...(dice.chance(0.3) && { memoryBytes: 1024 * MIB }) },
    }),
    ...(dice.chance(0.2) && { maxima: { cpuMillis: dice.whole(5, 20) * 100 } }),
    jobsMax: dice.chance(0.15) ? dice.whole(1, 6) : undefined,
  };
}

/** A job of any kind. */
export function drawSpec(
  dice: Dice,
  { nodeCount, isLong }: { nodeCount: number; isLong: boolean },
): { spec: JobSpec; temper: Temper } {
  const isQuick = dice.chance(isLong ? 0.3 : 0.7);
  const temper: Temper = {
    runMs: isQuick ? [5, 5_000] : isLong ? [180_000, dice.pick([600_000, 2_400_000])] : [1_000, 400_000],
    exitCodes: dice.pick([[0], [0], [0, 0, 0, 1], [0, 3], [1]]),
    startFails: dice.chance(0.1) ? 0.3 : 0,
    traps: dice.chance(0.1) ? 0.3 : 0,
    hangs: dice.chance(0.1) ? 0.3 : 0,
    isStubborn: dice.chance(0.2),
    startMs: dice.pick([1, 50, 50, 5_000]),
    checksFail: dice.pick([0, 0, 0.1, 0.5]),
  };
  const isLarge = dice.chance(0.15);
  const inputs = dice.chance(0.3)
    ? [{
      source: {
        type: "inline",
        params: { TakesMs: dice.pick([5, 3_000]), FailRatio: dice.chance(0.2) ? 0.4 : 0 },
      },
      alias: "",
      target: "/in",
    }]
    : [];
  const type = dice.chance(0.2) ? dice.pick(["ops", "service", "daemon"] as const) : "batch";
  const spec = aSpec({
    type,
    namespace: dice.chance(0.4) ? dice.pick(NAMESPACES) : "default",
    name: nameFor(dice, type),
    update: {
      maxParallel: dice.pick([1, 1, 2, 5]),
      autoRollback: dice.chance(0.8),
      progressMs: dice.pick([20_000, 120_000, 600_000]),
    },
    priority: dice.pick([0, 0, 0, 10, 50]),
    count: isPerNode(type) ? 0 : dice.pick([0, 1, 1, 1, 2, 3, 4, 8]),
    constraints: dice.chance(0.15)
      ? [{ key: "number", operator: dice.pick(["=", "!="]), values: [String(dice.whole(0, nodeCount))] }]
      : [],
    spread: dice.chance(0.2) ? ["zone"] : [],
    retry: {
      attempts: dice.pick([0, 0, 1, 2]),
      lostAttempts: dice.pick([0, 2, 2, 5]),
      delayMs: dice.pick([undefined, 0, 50, 20_000]),
      node: dice.pick([undefined, "any", "other", "same"]),
      ...(dice.chance(0.1) && { on: dice.pick([[1], [3, "memory_exceeded"], ["program_failed"]]) }),
    },
    successExitCodes: dice.chance(0.3) ? dice.pick([[0], [0, 3]]) : undefined,
    stopGraceMs: dice.pick([100, 2_000, 10_000]),
    task: aTask({
      engine: { type: dice.chance(0.03) ? "docker" : "wasm", params: { Temper: temper } },
      publisher: dice.chance(0.8)
        ? {
          type: "local",
          params: { TakesMs: dice.pick([1, 1, 2_000]), FailRatio: dice.chance(0.1) ? 0.3 : 0 },
        }
        : undefined,
      inputs,
      resources: {
        cpuMillis: isLarge ? dice.whole(1_500, 4_500) : dice.whole(1, 10) * 100,
        memoryBytes: (isLarge ? dice.whole(1_024, 4_096) : dice.whole(16, 512)) * MIB,
        diskBytes: 0,
        gpuCount: 0,
      },
      timeouts: {
        executionMs: dice.chance(0.3) && !isEndless(type) ? dice.pick([500, 30_000, 300_000]) : 0,
        queueMs: dice.chance(0.2) ? dice.pick([5_000, 120_000]) : 0,
        totalMs: dice.chance(0.2) && !isEndless(type) ? dice.pick([20_000, 600_000]) : 0,
      },
    }),
    ...drawPolicies(dice, type),
  });
  return { spec, temper };
}

/** What its node does by itself. */
function drawPolicies(dice: Dice, type: JobSpec["type"]): Partial<JobSpec> {
  const checks = { intervalMs: dice.pick([1_000, 10_000]), retries: dice.pick([1, 3]) };
  return {
    ...(dice.chance(0.25) && {
      restart: {
        attempts: dice.pick([0, 1, 3]),
        intervalMs: isEndless(type) ? dice.pick([10_000, 600_000]) : 86_400_000,
        delayMs: dice.pick([0, 100, 5_000]),
        maxDelayMs: dice.pick([5_000, 60_000]),
        // Others would be tried for ever, and never end.
        mode: isEndless(type) ? dice.pick(["fail", "delay"] as const) : "fail",
      },
    }),
    ...(dice.chance(0.25) && { onAgentRestart: dice.pick(["restart", "fail"] as const) }),
    ...(dice.chance(isEndless(type) ? 0.5 : 0.05) && {
      health: { ...HEALTH_DEFAULT, ...checks, ...(dice.chance(0.8) && { exec: { command: ["true"] } }) },
    }),
  };
}

export interface UserOptions {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly home: SimHome;
  /** A job was acknowledged. */
  readonly onAck: (wish: Wish) => void;
  readonly onStop: (wish: Wish) => void;
}

/** How long a user waits for an answer. */
const ANSWER_MS = 5_000;

export class Users {
  readonly #options: UserOptions;
  readonly wishes: Wish[] = [];
  /** Replies are lost now and then while faults go on. */
  lostReplyRatio = 0;
  isPatient = false;

  constructor(options: UserOptions) {
    this.#options = options;
  }

  /** Nobody waits for an answer to a submission any more. */
  get isIdle(): boolean {
    return this.wishes.every((wish) => wish.jobId !== undefined || wish.refusal !== undefined);
  }

  submit(spec: JobSpec, temper: Temper, token: string | undefined): Wish {
    const wish: Wish = { number: this.wishes.length, spec, temper, token, isStopped: false };
    this.wishes.push(wish);
    this.#try(wish);
    return wish;
  }

  #try(wish: Wish): void {
    const { home, timeline, dice } = this.#options;
    wish.askedAtMs ??= timeline.nowMs;
    let isAnswered = false;
    const answer = (end: () => void) => {
      if (isAnswered || dice.chance(this.lostReplyRatio)) return;
      isAnswered = true;
      cancel();
      end();
    };
    const cancel = timeline.at(ANSWER_MS, () => {
      isAnswered = true;
      this.#again(wish);
    });
    const { desk } = home.program ?? {};
    if (desk === undefined) return;
    desk.submit({ spec: wish.spec, idempotencyToken: wish.token, contents: new Map() }).then(
      ({ jobId }) =>
        answer(() => {
          timeline.trace(`user: job ${wish.number} is ${jobId.slice(0, 10)}`);
          wish.jobId = jobId;
          wish.ackedAtMs = timeline.nowMs;
          this.#options.onAck(wish);
        }),
      (error) => {
        if (error instanceof Crash) return;
        answer(() => {
          const code = error instanceof AppError ? error.code : String(error);
          timeline.trace(`user: job ${wish.number} ${code}`);
          if (error instanceof AppError && error.kind.isRetryable) this.#again(wish);
          else wish.refusal = code;
        });
      },
    );
  }

  /** Without a token one never knows whether the first was taken: so nobody tries again. */
  #again(wish: Wish): void {
    if (wish.token === undefined) {
      wish.refusal = "unknown";
      return;
    }
    this.#options.timeline.at(this.#options.dice.whole(100, 20_000), () => this.#try(wish));
  }

  /** A second job of the wish, which its user finds in the list. */
  another(wish: Wish, jobId: JobId): Wish {
    const other = { ...wish, jobId, isStopped: false };
    this.wishes.push(other);
    return other;
  }

  /** Runs the job again, if it may. */
  rerun(wish: Wish): void {
    const { home, timeline } = this.#options;
    const { desk } = home.program ?? {};
    if (desk === undefined || wish.jobId === undefined) return;
    desk.rerun(wish.jobId, { reason: "A user wants it again" }).then(
      ({ version }) => timeline.trace(`user: job ${wish.number} again, as version ${version}`),
      (error) =>
        timeline.trace(`user: rerun of ${wish.number} ${error instanceof AppError ? error.code : error}`),
    );
  }

  /** Stops the job, as soon as the orchestrator answers. */
  stop(wish: Wish): void {
    const { home, timeline } = this.#options;
    const again = () => timeline.at(5_000, () => this.stop(wish));
    if (wish.jobId === undefined) return void (wish.refusal === undefined && again());
    const { desk } = home.program ?? {};
    if (desk === undefined) return void again();
    desk.stop(wish.jobId, { reason: "A user stopped the job" }).then(
      () => {
        timeline.trace(`user: job ${wish.number} stopped`);
        wish.isStopped = true;
        this.#options.onStop(wish);
      },
      (error) => {
        const isOver = error instanceof AppError && error.code === "conflict";
        timeline.trace(
          `user: stop of ${wish.number} ${error instanceof AppError ? error.code : "no answer"}`,
        );
        if (!isOver) again();
      },
    );
  }
}
