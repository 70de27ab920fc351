/** The simulated machine of the orchestrator. */
import { type ComposedOrchestrator, composeOrchestrator } from "../../orchestrator/flow/compose.ts";
import { APPLICATION_ID, MIGRATIONS } from "../../orchestrator/store/migrations.ts";
import type { PreemptionPolicy } from "../../orchestrator/flow/preempt.ts";
import { AppError } from "../../shared/errors.ts";
import { isLive } from "../../shared/model/execution.ts";
import { seededIds } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import type { Bug } from "./bugs.ts";
import type { Checks } from "./checks.ts";
import type { Dice } from "./dice.ts";
import { Disk } from "./disk.ts";
import { Life } from "./life.ts";
import { HUB, type Network } from "./network.ts";
import { simContents } from "./ports.ts";
import type { Timeline } from "./timeline.ts";

export interface SimHomeOptions {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly dice: Dice;
  readonly checks: Checks;
  readonly bug: Bug | undefined;
  readonly preemption?: PreemptionPolicy;
}

export class SimHome {
  readonly #options: SimHomeOptions;
  readonly disk = new Disk({ name: HUB, migrations: MIGRATIONS, applicationId: APPLICATION_ID });
  readonly #contents = new Map<string, Uint8Array>();
  wallErrorMs = 0;
  life: Life | undefined;
  program: ComposedOrchestrator | undefined;
  #close: () => void = () => {};

  constructor(options: SimHomeOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.life !== undefined) return;
    const { timeline, network, dice, checks, bug, preemption } = this.#options;
    timeline.trace(`${HUB} starts`);
    const life = new Life({
      ...{ name: HUB, timeline, dice: dice.fork() },
      wallErrorMs: () => this.wallErrorMs,
      onBug: (error) => checks.fail("no bug shows itself", String(error)),
    });
    this.life = life;
    let appliedCount = 0;
    const database = this.disk.open(life, {
      // Now and then what was applied is not remembered: when it comes again, it counts again.
      swallows: bug === "inbox_forgotten"
        ? (sql) => sql.startsWith("INSERT INTO inbox") && ++appliedCount % 5 === 0
        : undefined,
      onWrite: (sql, values, rowId) => checks.onHomeWrite(sql, values, rowId),
      onCommit: () => checks.onHomeCommit(),
      onCrash: () => this.crash(),
    });
    this.#close = () => database.close();
    const program = composeOrchestrator({
      self: orchestratorPeer(HUB),
      bus: network.join(life, HUB),
      clock: life,
      database,
      ids: seededIds(dice.whole(0, 2 ** 31)),
      contents: simContents(life, this.#contents),
      refuses: () =>
        this.disk.isFull || this.disk.isLow
          ? new AppError("disk_full", "Cannot take the job: the disk is full")
          : undefined,
      nudge: (stage) => life.nudge(stage),
      ...(preemption && { preemption }),
    });
    this.program = program;
    if (bug !== undefined) plant(bug, program);
    checks.onHomeStart(program);
    program.open();
    life.run(program.stages);
  }

  crash(): void {
    if (this.life === undefined) return;
    const { timeline, network } = this.#options;
    timeline.trace(`${HUB} is killed`);
    this.life.end();
    network.leave(this.life);
    this.life = undefined;
    this.program = undefined;
    const close = this.#close;
    timeline.at(0, close);
  }
}

function plant(bug: Bug, { store }: ComposedOrchestrator): void {
  if (bug === "result_accepted_twice") store.executions.isTaken = () => false;
  if (bug === "token_forgotten") {
    store.jobs.findSubmission = () => undefined;
    store.jobs.insertSubmission = () => {};
  }
  if (bug === "released_twice") {
    const { projection } = store;
    const follow = projection.follow.bind(projection);
    projection.follow = (before, after) => {
      follow(before, after);
      if (before !== undefined && isLive(before.phase) && !isLive(after.phase)) follow(before, after);
    };
  }
}
