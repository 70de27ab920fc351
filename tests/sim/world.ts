/** One run: a world drawn from a seed, faults and work for a while, then peace until everything has come to rest. */
import type { NodeId } from "../../shared/model/ids.ts";
import { isEndless } from "../../shared/model/job.ts";
import { someFacts } from "../support/builders.ts";
import type { Bug } from "./bugs.ts";
import { Checks, type Violation } from "./checks.ts";
import { Dice } from "./dice.ts";
import { checkDrains, checkPlans, checkRest, unrest, type World } from "./final_checks.ts";
import { Faults } from "./faults.ts";
import { Network } from "./network.ts";
import { SimHome } from "./sim_home.ts";
import { SimNode } from "./sim_node.ts";
import { Timeline } from "./timeline.ts";
import { drawNamespace, drawSpec, NAMESPACES, Users, type Wish } from "./workload.ts";

export interface RunOptions {
  readonly seed: number;
  readonly bug?: Bug;
  /** Called with every line of the trace. */
  readonly onLine?: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly hash: string;
  readonly simulatedMs: number;
  readonly jobCount: number;
  readonly startCount: number;
  readonly preemptedCount: number;
  readonly violation?: Violation;
  readonly tail: readonly string[];
}

const MINUTE_MS = 60_000;
const MIB = 2 ** 20;
/** After the faults everything must be at rest within this time; where tasks take half an hour, within the longer. */
const REST_MS = 90 * MINUTE_MS;
const LONG_REST_MS = 24 * 60 * MINUTE_MS;
/** Events of one run. Beyond: something goes round in circles. */
const EVENTS_MAX = 400_000;

/** Runs one seed to its end or to its first violation. */
export async function runSeed({ seed, bug, onLine }: RunOptions): Promise<RunReport> {
  const timeline = new Timeline(onLine);
  const dice = new Dice(seed);
  const nodes: SimNode[] = [];
  const checks = new Checks({ timeline, nodes: () => nodes });
  const network = new Network({ timeline, dice: dice.fork() });
  const difference = dice.pick([undefined, undefined, 1, 10, 40] as const);
  const home = new SimHome({
    ...{ timeline, network, checks, dice: dice.fork(), bug },
    ...(difference !== undefined && { preemption: { difference } }),
  });
  checks.preemptDifference = difference;
  const nodeCount = dice.whole(1, 4);
  for (let number = 0; number < nodeCount; number++) {
    nodes.push(
      new SimNode({ timeline, network, checks, dice: dice.fork(), bug, facts: drawFacts(dice, number) }),
    );
  }
  const users = new Users({
    timeline,
    dice: dice.fork(),
    home,
    onAck: (wish) => checks.onAck(wish),
    onStop: () => {},
  });
  const world: World = { home, nodes, wishes: users.wishes, checks, nowMs: () => timeline.nowMs };
  try {
    // Long enough that nodes are given up and come back.
    const isLong = dice.chance(0.4);
    const faultsMs = (isLong ? dice.spread(20, 60) : dice.spread(0.5, 15)) * MINUTE_MS;
    // Who makes way for others must be in their way.
    const isCrowded = difference !== undefined && dice.chance(0.7);
    const faults = new Faults({ timeline, network, home, nodes, users, dice: dice.fork(), isLong });
    planWork({ timeline, users, dice: dice.fork(), nodeCount, isLong, isCrowded, durationMs: faultsMs });
    home.start();
    if (dice.chance(0.5)) {
      for (const name of NAMESPACES) {
        const change = drawNamespace(dice);
        timeline.trace(`operator: namespace ${name} ${JSON.stringify(change)}`);
        home.program!.desk.setNamespace(name, change).catch(() => {});
      }
    }
    for (const node of nodes) timeline.at(dice.whole(0, 2_000), () => node.start());
    faults.begin();
    let budget = EVENTS_MAX;
    const go = async (untilMs: number) => {
      while (checks.violation === undefined && budget-- > 0 && await timeline.step(untilMs));
      if (budget <= 0) checks.fail("a run ends", "too many events: something goes round in circles");
    };
    await go(faultsMs);
    faults.end();
    timeline.at(30_000, () => {
      checkPlans(world);
      stopHanging(world, users);
    });
    const untilMs = faultsMs + (isLong ? LONG_REST_MS : REST_MS);
    for (let atMs = faultsMs; checks.violation === undefined && atMs < untilMs; atMs += 5_000) {
      await go(atMs);
      checkDrains(world);
      if (users.isIdle && atMs > faultsMs + MINUTE_MS && unrest(world) === undefined) break;
    }
    if (checks.violation === undefined) {
      const why = unrest(world);
      if (why !== undefined) checks.fail("everything comes to rest in bounded time", why);
      else checkRest(world);
    }
  } finally {
    home.crash();
    for (const node of nodes) node.crash({ isPowerOff: false });
    await timeline.step(timeline.nowMs);
    home.disk.close();
    for (const node of nodes) node.disk.close();
  }
  return {
    seed,
    hash: timeline.hash,
    simulatedMs: timeline.nowMs,
    jobCount: users.wishes.length,
    startCount: checks.startCount,
    preemptedCount: checks.preemptedCount,
    violation: checks.violation,
    tail: timeline.tail,
  };
}

function drawFacts(dice: Dice, number: number) {
  const cores = dice.pick([1, 2, 4]);
  const queueRatio = dice.pick([0, 0.5, 2]);
  const capacity = {
    cpuMillis: cores * 1000,
    memoryBytes: cores * 1024 * MIB,
    diskBytes: 10_000 * MIB,
    gpuCount: 0,
  };
  return someFacts({
    id: `n-${number}` as NodeId,
    labels: { number: String(number), zone: dice.pick(["a", "b"]) },
    capacity,
    queueCapacity: {
      cpuMillis: capacity.cpuMillis * queueRatio,
      memoryBytes: capacity.memoryBytes * queueRatio,
      diskBytes: capacity.diskBytes * queueRatio,
      gpuCount: 0,
    },
  });
}

function planWork(
  { timeline, users, dice, nodeCount, isLong, isCrowded, durationMs }: {
    timeline: Timeline;
    users: Users;
    dice: Dice;
    nodeCount: number;
    isLong: boolean;
    isCrowded: boolean;
    durationMs: number;
  },
): void {
  const jobCount = Math.round(dice.spread(2, 14)) * (isCrowded ? 3 : 1);
  for (let number = 0; number < jobCount; number++) {
    const { spec, temper } = drawSpec(dice, { nodeCount, isLong });
    const token = dice.chance(0.85) ? `token-${number}` : undefined;
    const atMs = dice.chance(isLong ? 0.7 : 0.3)
      ? dice.whole(0, isLong ? 60_000 : 3_000)
      : dice.fraction() * durationMs;
    const stopMs = dice.chance(0.2) ? dice.spread(1, 120_000) : undefined;
    const rerunMs = dice.chance(0.15) ? dice.fraction() * (durationMs - atMs) : undefined;
    timeline.at(atMs, () => {
      const wish = users.submit({ ...spec, labels: { wish: String(number) } }, temper, token);
      if (stopMs !== undefined) timeline.at(stopMs, () => users.stop(wish));
      if (rerunMs !== undefined) timeline.at(rerunMs, () => users.rerun(wish));
    });
  }
}

/** What would never end is stopped by its user, who by now has found it in the list. */
function stopHanging({ home }: World, users: Users): void {
  const jobs = home.program?.store.jobs.scan({ after: 0, isReversed: false, limit: 1_000, isLive: true }) ??
    [];
  const goesOn = ({ temper, spec }: Wish) =>
    isEndless(spec.type) || (temper.hangs > 0 && spec.task.timeouts.executionMs === 0);
  for (const { job } of jobs) {
    const wish = users.wishes.find(({ spec }) => spec.labels.wish === job.spec.labels.wish)!;
    wish.jobId ??= job.id;
    if (!goesOn(wish)) continue;
    // A submission whose answer was lost may have become another job before.
    if (wish.jobId === job.id) users.stop(wish);
    else users.stop(users.another(wish, job.id));
  }
  // Those that nobody has answered yet.
  for (const wish of users.wishes) if (goesOn(wish) && wish.jobId === undefined) users.stop(wish);
}
