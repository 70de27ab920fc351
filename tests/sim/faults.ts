/** What goes wrong in one run: which kinds at all, how often, and when. Everything is mended at the end. */
import type { Desk } from "../../orchestrator/flow/desk.ts";
import { AppError } from "../../shared/errors.ts";
import type { Dice } from "./dice.ts";
import { GOOD_LINK, type LinkFaults, type Network } from "./network.ts";
import type { SimHome } from "./sim_home.ts";
import type { SimNode } from "./sim_node.ts";
import type { Timeline } from "./timeline.ts";
import { drawNamespace, NAMESPACES, type Users } from "./workload.ts";

export interface FaultsOptions {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly home: SimHome;
  readonly nodes: readonly SimNode[];
  readonly users: Users;
  readonly dice: Dice;
  /** Cuts last long enough for nodes to be given up. */
  readonly isLong: boolean;
}

/** One kind of fault: `strike` makes it happen once. */
interface Fault {
  readonly name: string;
  /** Of how many runs it is a part. */
  readonly ratio: number;
  /** Mean time between two. */
  readonly everyMs: readonly [min: number, max: number];
  readonly strike: () => void;
}

const MINUTE_MS = 60_000;

export class Faults {
  readonly #options: FaultsOptions;
  #isOver = false;

  constructor(options: FaultsOptions) {
    this.#options = options;
  }

  /** Draws the kinds of this run, and lets them begin. */
  begin(): void {
    const { dice, network, nodes, users, isLong } = this.#options;
    for (const node of nodes) network.setFaults(node.id, this.#drawLink());
    users.lostReplyRatio = dice.pick([0, 0, 0.1, 0.4]);
    for (const fault of this.#kinds()) {
      if (dice.chance(fault.ratio)) this.#plan(fault, dice.spread(...fault.everyMs) * (isLong ? 4 : 1));
    }
  }

  #plan(fault: Fault, everyMs: number): void {
    const { timeline, dice } = this.#options;
    timeline.at(-Math.log(1 - dice.fraction()) * everyMs, () => {
      if (this.#isOver) return;
      fault.strike();
      this.#plan(fault, everyMs);
    });
  }

  #drawLink(): LinkFaults {
    const { dice } = this.#options;
    if (dice.chance(0.25)) return GOOD_LINK;
    return {
      lossRatio: dice.pick([0, 0.01, 0.1, 0.4]),
      doubleRatio: dice.pick([0, 0.1, 0.5]),
      delayMs: dice.pick([2, 50, 800]),
      lateMs: dice.pick([100, 5_000, 60_000]),
      lateRatio: dice.pick([0, 0.02, 0.2]),
    };
  }

  #kinds(): readonly Fault[] {
    const { dice, home, nodes, isLong } = this.#options;
    const node = () => dice.pick(nodes);
    return [
      {
        name: "cut",
        ratio: isLong ? 0.9 : 0.5,
        everyMs: isLong ? [MINUTE_MS / 2, 3 * MINUTE_MS] : [5_000, 10 * MINUTE_MS],
        strike: () => {
          for (const one of nodes) if (dice.chance(1 / nodes.length)) this.#cut(one);
        },
      },
      {
        name: "agent crash",
        ratio: 0.5,
        everyMs: [3_000, 5 * MINUTE_MS],
        strike: () => this.#crashAgent(node()),
      },
      { name: "home crash", ratio: 0.5, everyMs: [3_000, 5 * MINUTE_MS], strike: () => this.#crashHome() },
      {
        name: "crash at a commit",
        ratio: 0.4,
        everyMs: [1_000, 2 * MINUTE_MS],
        strike: () => {
          const machine = dice.chance(0.5) ? home : node();
          machine.disk.crashAt = dice.pick(["before_commit", "after_commit"]);
        },
      },
      { name: "wrong clock", ratio: 0.3, everyMs: [10_000, 5 * MINUTE_MS], strike: () => this.#jump() },
      {
        name: "full disk",
        ratio: 0.25,
        everyMs: [20_000, 5 * MINUTE_MS],
        strike: () => this.#fill(dice.chance(0.5) ? home : node(), "isFull"),
      },
      {
        name: "low disk",
        ratio: 0.3,
        everyMs: [5_000, 5 * MINUTE_MS],
        strike: () => this.#fill(dice.chance(0.2) ? home : node(), "isLow"),
      },
      {
        name: "wiped disk",
        ratio: 0.1,
        everyMs: [2 * MINUTE_MS, 20 * MINUTE_MS],
        strike: () => this.#wipe(node()),
      },
      {
        name: "gone",
        ratio: 0.1,
        everyMs: [2 * MINUTE_MS, 20 * MINUTE_MS],
        strike: () => this.#leave(node()),
      },
      {
        name: "drain",
        ratio: 0.35,
        everyMs: [10_000, 10 * MINUTE_MS],
        strike: () => this.#drain(node()),
      },
      {
        name: "another quota",
        ratio: 0.3,
        everyMs: [20_000, 10 * MINUTE_MS],
        strike: () => this.#setUp(dice.pick(NAMESPACES)),
      },
      {
        name: "crash at a start",
        ratio: 0.4,
        everyMs: [1_000, 2 * MINUTE_MS],
        strike: () => this.#crashAtStart(node()),
      },
    ];
  }

  /** By its operator, who may think better of it, or forget it. */
  #drain(node: SimNode): void {
    const { timeline, dice } = this.#options;
    const deadlineMs = dice.pick([0, undefined, dice.spread(100, 20 * MINUTE_MS)]);
    const kind = dice.chance(0.2) ? "cordon" : "drain";
    const forMs = dice.spread(1_000, 40 * MINUTE_MS);
    const isForgotten = dice.chance(0.3);
    this.#ask(
      `${node.id} ${kind} ${deadlineMs}`,
      (desk) => desk.drain(node.id, { kind, deadlineMs, reason: "upkeep" }),
    );
    if (!isForgotten) {
      timeline.at(forMs, () => this.#ask(`${node.id} takes work again`, (desk) => desk.endDrain(node.id)));
    }
  }

  #setUp(name: string): void {
    const change = drawNamespace(this.#options.dice);
    this.#ask(`namespace ${name} ${JSON.stringify(change)}`, (desk) => desk.setNamespace(name, change));
  }

  /** An operator's wish; nobody insists. */
  #ask(what: string, call: (desk: Desk) => Promise<unknown>): void {
    const { timeline, home } = this.#options;
    const desk = home.program?.desk;
    if (desk === undefined) return;
    call(desk).then(
      () => timeline.trace(`operator: ${what}`),
      (error) => timeline.trace(`operator: ${what}: ${error instanceof AppError ? error.code : "no answer"}`),
    );
  }

  #cut(node: SimNode): void {
    const { network, timeline, dice, isLong } = this.#options;
    const forMs = isLong ? dice.spread(8, 45) * MINUTE_MS : dice.spread(200, 10 * MINUTE_MS);
    const how = { isNoticed: dice.chance(0.5) };
    timeline.trace(`${node.id} is cut off for ${Math.round(forMs)} ms`);
    network.setUp(node.id, false, how);
    timeline.at(forMs, () => network.setUp(node.id, true, { isNoticed: how.isNoticed || dice.chance(0.5) }));
  }

  #crashAgent(node: SimNode): void {
    const { timeline, dice } = this.#options;
    node.crash({ isPowerOff: dice.chance(0.3) });
    timeline.at(dice.spread(10, 2 * MINUTE_MS), () => node.start());
  }

  /** Before the start is written down; its user may stop the job in the same moment. */
  #crashAtStart(node: SimNode): void {
    const { timeline, dice, users } = this.#options;
    node.onNextStart = ({ env }) => {
      const wish = users.wishes.find(({ jobId }) => jobId === env.SKERRY_JOB_ID);
      if (wish !== undefined && dice.chance(0.5)) timeline.at(dice.spread(1, 1_000), () => users.stop(wish));
      timeline.at(dice.fraction() * 20, () => {
        node.crash({ isPowerOff: dice.chance(0.3) });
        timeline.at(dice.spread(10, 1_000), () => node.start());
      });
    };
  }

  #crashHome(): void {
    const { timeline, dice, home } = this.#options;
    home.crash();
    timeline.at(dice.spread(10, MINUTE_MS), () => home.start());
  }

  #jump(): void {
    const { dice, home, nodes, timeline } = this.#options;
    const machine = dice.chance(0.3) ? home : dice.pick(nodes);
    machine.wallErrorMs = dice.pick([0, -1, 1]) * dice.spread(1_000, 400 * 24 * 60 * MINUTE_MS);
    timeline.trace(`a wall clock is wrong by ${Math.round(machine.wallErrorMs)} ms`);
  }

  #fill({ disk }: SimHome | SimNode, how: "isFull" | "isLow"): void {
    const { timeline, dice } = this.#options;
    if (disk[how]) return;
    timeline.trace(`a disk is ${how === "isFull" ? "full" : "low"}`);
    disk[how] = true;
    timeline.at(dice.spread(500, 2 * MINUTE_MS), () => {
      disk[how] = false;
    });
  }

  #wipe(node: SimNode): void {
    const { timeline, dice } = this.#options;
    if (node.isGone) return;
    node.wipe();
    timeline.at(dice.spread(100, MINUTE_MS), () => node.start());
  }

  /** At least one stays. */
  #leave(node: SimNode): void {
    const { nodes, timeline } = this.#options;
    if (node.isGone || nodes.filter(({ isGone }) => !isGone).length === 1) return;
    timeline.trace(`${node.id} leaves for ever`);
    node.crash({ isPowerOff: true });
    node.isGone = true;
  }

  /** Mends everything; who left stays away. */
  end(): void {
    const { home, nodes, network, users, timeline } = this.#options;
    this.#isOver = true;
    timeline.trace("faults end");
    users.lostReplyRatio = 0;
    for (const machine of [home, ...nodes]) {
      machine.disk.isFull = false;
      machine.disk.isLow = false;
      machine.disk.crashAt = undefined;
      machine.start();
    }
    for (const node of nodes) {
      node.onNextStart = undefined;
      network.setFaults(node.id, GOOD_LINK);
      network.setUp(node.id, true, { isNoticed: true });
    }
  }
}
