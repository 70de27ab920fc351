/** A simulated machine with an agent: disk, engine, and the agent's lives one after the other. */
import { type AgentProgram, composeAgent } from "../../agent/flow/compose.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "../../agent/store/migrations.ts";
import { silentLog } from "../../shared/log.ts";
import type { NodeFacts } from "../../shared/model/node.ts";
import { seededIds, seededRandom } from "../../shared/random.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import type { Bug } from "./bugs.ts";
import type { Checks } from "./checks.ts";
import type { Dice } from "./dice.ts";
import { Disk } from "./disk.ts";
import { Life } from "./life.ts";
import { HUB, type Network } from "./network.ts";
import { simContentStore, simInput, simMachine, simPublisher, simWorkspace } from "./ports.ts";
import { SimEngine } from "./sim_engine.ts";
import type { Timeline } from "./timeline.ts";

export interface SimNodeOptions {
  readonly facts: NodeFacts;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly dice: Dice;
  readonly checks: Checks;
  readonly bug: Bug | undefined;
}

export class SimNode {
  readonly #options: SimNodeOptions;
  readonly disk: Disk;
  readonly engine: SimEngine;
  wallErrorMs = 0;
  life: Life | undefined;
  program: AgentProgram | undefined;
  /** Called once, when the next task begins to run. */
  onNextStart: ((task: EngineTask) => void) | undefined;
  /** Left for ever. */
  isGone = false;
  wipeCount = 0;

  constructor(options: SimNodeOptions) {
    this.#options = options;
    const { facts, timeline, checks, bug } = options;
    this.disk = new Disk({
      name: facts.id,
      migrations: AGENT_MIGRATIONS,
      applicationId: AGENT_APPLICATION_ID,
    });
    this.engine = new SimEngine({
      timeline,
      name: facts.id,
      forgetsStarts: bug === "started_twice",
      watch: {
        onStartAsked: (id, run) => checks.onStartAsked(this, { id, run }),
        onRunning: (task) => {
          checks.onTaskRuns(this, task);
          this.onNextStart?.(task);
          this.onNextStart = undefined;
        },
        onEnded: () => {},
        onForgotten: (id, run) => checks.onStartForgotten(this, { id, run }),
      },
    });
  }

  get id(): string {
    return this.#options.facts.id;
  }

  get facts(): NodeFacts {
    return this.#options.facts;
  }

  start(): void {
    if (this.life !== undefined || this.isGone) return;
    const { facts, timeline, network, dice, checks } = this.#options;
    timeline.trace(`${this.id} starts`);
    const life = new Life({
      ...{ name: this.id, timeline, dice: dice.fork() },
      wallErrorMs: () => this.wallErrorMs,
      onBug: (error) => checks.fail("no bug shows itself", String(error)),
    });
    this.life = life;
    const database = this.disk.open(life, {
      onWrite: () => {},
      onCommit: () => checks.onAgentCommit(this),
      onCrash: () => this.crash({ isPowerOff: dice.chance(0.3) }),
    });
    const program = composeAgent({
      ...{ database, clock: life, facts },
      bus: network.join(life, this.id),
      ids: seededIds(dice.whole(0, 2 ** 31)),
      log: silentLog,
      random: seededRandom(dice.whole(0, 2 ** 31)),
      httpGet: () => Promise.reject(new Error("there is no network")),
      homes: [orchestratorPeer(HUB)],
      engines: [this.engine.port(life)],
      inputs: [simInput(life)],
      publishers: [simPublisher(life, dice.fork())],
      workspace: simWorkspace(life, this.disk),
      contents: simContentStore,
      machine: simMachine(this.disk, facts.capacity),
      nudge: (stage) => life.nudge(stage),
    });
    this.program = program;
    this.#close = () => database.close();
    program.open();
    life.run(program.stages);
  }

  #close: () => void = () => {};

  /** kill -9; with `isPowerOff` the tasks die too. */
  crash({ isPowerOff }: { isPowerOff: boolean }): void {
    const { timeline, network } = this.#options;
    if (isPowerOff) this.engine.powerOff();
    if (this.life === undefined) return;
    timeline.trace(`${this.id} ${isPowerOff ? "loses power" : "is killed"}`);
    this.life.end();
    network.leave(this.life);
    this.life = undefined;
    this.program = undefined;
    const close = this.#close;
    timeline.at(0, close);
  }

  /** Loses its disk, and with it its tasks; only while it is down. */
  wipe(): void {
    this.#options.timeline.trace(`${this.id} is wiped`);
    this.crash({ isPowerOff: true });
    this.engine.wipe();
    this.#options.network.dropInFlight(this.id);
    this.#options.timeline.at(0, () => this.disk.wipe());
    this.wipeCount++;
  }
}
