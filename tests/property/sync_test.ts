/** Whatever the bus does and whoever is killed: every message takes effect once and in order. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Database } from "../../shared/ledger/database.ts";
import { LEDGER_TABLES } from "../../shared/ledger/ledger.ts";
import { type Message, Outbox } from "../../shared/ledger/outbox.ts";
import { Sync } from "../../shared/ledger/sync.ts";
import { AppError } from "../../shared/errors.ts";
import type { Lane } from "../../shared/wire/messages.ts";
import { Dice } from "../sim/dice.ts";
import { type CommitCrash, Disk } from "../sim/disk.ts";
import { Life } from "../sim/life.ts";
import { GOOD_LINK, type LinkFaults, Network } from "../sim/network.ts";
import { Timeline } from "../sim/timeline.ts";

const APPLIED =
  "CREATE TABLE applied (row INTEGER PRIMARY KEY, lane TEXT, kind TEXT, about TEXT, body TEXT) STRICT;";

interface Applied {
  readonly lane: string;
  readonly kind: string;
  readonly about: string;
  readonly body: string;
}

/** One program that sends numbered words and writes down what it is told. */
class End {
  readonly disk: Disk;
  readonly #world: { timeline: Timeline; network: Network; dice: Dice };
  readonly #self: string;
  readonly #other: string;
  #life: Life | undefined;
  #database: Database | undefined;
  #sync: Sync | undefined;
  #count = 0;
  #restarts = 0;
  /** What was committed to be told, in order. */
  readonly sent: Applied[] = [];
  onBug: unknown;

  constructor(world: { timeline: Timeline; network: Network; dice: Dice }, self: string, other: string) {
    this.#world = world;
    this.#self = self;
    this.#other = other;
    this.disk = new Disk({ name: "end", migrations: [LEDGER_TABLES + APPLIED], applicationId: 7 });
  }

  start(): void {
    if (this.#life !== undefined) return;
    const { timeline, network, dice } = this.#world;
    const site = this.#self.split("/")[0]!;
    const life = this.#life = new Life({
      ...{ name: this.#self, timeline, dice: dice.fork() },
      wallErrorMs: () => 0,
      onBug: (error) => this.onBug ??= error,
    });
    const database = this.#database = this.disk.open(life, {
      onWrite: () => {},
      onCommit: () => {},
      onCrash: () => this.kill(),
    });
    const sync = this.#sync = new Sync({
      ...{ self: this.#self, database, clock: life },
      bus: network.join(life, site),
      outbox: new Outbox({ database, clock: life, process: `${this.#self}${this.#restarts++}` }),
      program: {
        apply: (_from, lane, { kind, about, body }) =>
          void database.run(
            "INSERT INTO applied (lane, kind, about, body) VALUES (?, ?, ?, ?)",
            ...[lane, kind, about, String(body)],
          ),
        snapshot: () => [],
        accepts: () => true,
      },
      nudge: () => life.nudge("sync"),
    });
    sync.open([this.#other]);
    life.run([{ name: "sync", tick: () => sync.tick() }]);
    const beat = () => {
      sync.hello({ wantsAnswer: false });
      life.after(10_000, beat);
    };
    life.after(10_000, beat);
  }

  kill(): void {
    const [life, database] = [this.#life, this.#database];
    if (life === undefined) return;
    life.end();
    this.#world.network.leave(life);
    this.#life = this.#sync = undefined;
    this.#world.timeline.at(0, () => database?.close());
  }

  send(lane: Lane, kind: string, about: string): void {
    const [sync, database] = [this.#sync, this.#database];
    if (sync === undefined || database === undefined) return;
    const message: Message = { lane, kind, about, body: String(this.#count++) };
    const before = this.#stored();
    try {
      database.transaction(() => sync.send(this.#other, message));
    } catch (error) {
      if (error instanceof AppError || this.#life === undefined) {
        return void this.#noteWhatStayed(message, before);
      }
      throw error;
    }
    this.#note(message);
  }

  #stored(): number {
    return Number(this.disk.committed.get("SELECT coalesce(sum(seq), 0) AS n FROM lanes")!.n);
  }

  /** A crash may come just behind the commit. */
  #noteWhatStayed(message: Message, before: number): void {
    if (this.#stored() > before) this.#note(message);
  }

  #note({ lane, kind, about, body }: Message): void {
    this.sent.push({ lane, kind, about, body: String(body) });
  }

  applied(): readonly Applied[] {
    return this.disk.committed.all("SELECT lane, kind, about, body FROM applied ORDER BY row")
      .map((row) => ({ ...row }) as unknown as Applied);
  }

  waiting(): number {
    return Number(this.disk.committed.get("SELECT count(*) AS n FROM outbox")!.n);
  }
}

type Step =
  | {
    readonly do: "send";
    readonly who: 0 | 1;
    readonly lane: Lane;
    readonly kind: string;
    readonly about: string;
  }
  | { readonly do: "kill"; readonly who: 0 | 1; readonly forMs: number }
  | { readonly do: "crash"; readonly who: 0 | 1; readonly at: CommitCrash; readonly forMs: number }
  | { readonly do: "cut"; readonly forMs: number; readonly isNoticed: boolean }
  | { readonly do: "full"; readonly who: 0 | 1; readonly forMs: number };

const who = fc.constantFrom(0 as const, 1 as const);
const forMs = fc.integer({ min: 1, max: 90_000 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      who,
      lane: fc.constantFrom("state" as const, "history" as const),
      kind: fc.constantFrom("order", "report"),
      about: fc.constantFrom("x", "y"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), who, forMs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      who,
      at: fc.constantFrom("before_commit" as const, "after_commit" as const),
      forMs,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cut" as const), forMs, isNoticed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("full" as const), who, forMs }) },
);
const steps = fc.array(fc.record({ afterMs: fc.constantFrom(0, 1, 30, 3_000, 20_000), step }), {
  maxLength: 60,
});
const faults: fc.Arbitrary<LinkFaults> = fc.record({
  lossRatio: fc.constantFrom(0, 0.1, 0.5),
  doubleRatio: fc.constantFrom(0, 0.3, 0.7),
  delayMs: fc.constantFrom(2, 500),
  lateMs: fc.constantFrom(2_000, 60_000),
  lateRatio: fc.constantFrom(0, 0.2),
});

async function live(
  seed: number,
  link: LinkFaults,
  plan: readonly { afterMs: number; step: Step }[],
): Promise<readonly [End, End]> {
  const timeline = new Timeline();
  const dice = new Dice(seed);
  const network = new Network({ timeline, dice: dice.fork() });
  const world = { timeline, network, dice };
  const ends = [
    new End(world, "hub/orchestrator", "n-1/agent"),
    new End(world, "n-1/agent", "hub/orchestrator"),
  ] as const;
  network.setFaults("n-1", link);
  for (const end of ends) end.start();
  let atMs = 10;
  for (const { afterMs, step } of plan) {
    atMs += afterMs;
    timeline.at(atMs, () => act(step, { ends, timeline, network }));
  }
  while (await timeline.step(atMs + 100));
  network.setFaults("n-1", GOOD_LINK);
  network.setUp("n-1", true, { isNoticed: true });
  for (const { disk } of ends) {
    disk.isFull = false;
    disk.crashAt = undefined;
  }
  for (const end of ends) end.start();
  while (await timeline.step(atMs + 400_000));
  for (const end of ends) end.kill();
  while (await timeline.step(atMs + 400_001));
  return ends;
}

function act(
  step: Step,
  { ends, timeline, network }: { ends: readonly [End, End]; timeline: Timeline; network: Network },
): void {
  switch (step.do) {
    case "send":
      return ends[step.who].send(step.lane, step.kind, step.about);
    case "kill":
      ends[step.who].kill();
      return void timeline.at(step.forMs, () => ends[step.who].start());
    case "crash":
      ends[step.who].disk.crashAt = step.at;
      return void timeline.at(step.forMs, () => ends[step.who].start());
    case "cut":
      network.setUp("n-1", false, step);
      return void timeline.at(step.forMs, () => network.setUp("n-1", true, step));
    case "full":
      ends[step.who].disk.isFull = true;
      return void timeline.at(step.forMs, () => ends[step.who].disk.isFull = false);
  }
}

/** Reports of the state lane replace one another while they wait: of each run of them, the last must arrive. */
function check(from: End, to: End): void {
  const told = to.applied();
  const only = (list: readonly Applied[], lane: string, kind: string) =>
    list.filter((it) => it.lane === lane && it.kind === kind).map(({ body }) => body);
  for (const kind of ["order", "report"]) {
    assert.deepEqual(only(told, "history", kind), only(from.sent, "history", kind));
  }
  assert.deepEqual(only(told, "state", "order"), only(from.sent, "state", "order"));
  for (const about of ["x", "y"]) {
    const about1 = (list: readonly Applied[]) =>
      only(list.filter((it) => it.about === about), "state", "report");
    const [sent, arrived] = [about1(from.sent), about1(told)];
    assert.equal(arrived.at(-1), sent.at(-1));
    assert.deepEqual(arrived, [...new Set(arrived)].sort((a, b) => Number(a) - Number(b)));
  }
  assert.equal(from.waiting(), 0);
  assert.equal(from.onBug, undefined);
}

Deno.test("whatever the bus loses and whoever is killed, messages take effect once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), faults, steps, async (seed, link, plan) => {
      const ends = await live(seed, link, plan);
      try {
        check(ends[0], ends[1]);
        check(ends[1], ends[0]);
      } finally {
        for (const { disk } of ends) disk.close();
      }
    }),
    { numRuns: 300 },
  );
});
