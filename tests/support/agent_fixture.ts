/** An agent over simulated ports: engine, folders, machine. With a home that is a bare sync peer. */
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import type { Clock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { LEDGER_TABLES } from "../../shared/ledger/ledger.ts";
import { Outbox } from "../../shared/ledger/outbox.ts";
import { Sync } from "../../shared/ledger/sync.ts";
import { type Log, silentLog } from "../../shared/log.ts";
import type { ExecutionId, IdSource, JobId, NodeId } from "../../shared/model/ids.ts";
import type { NodeFacts } from "../../shared/model/node.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import { NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import { systemIds } from "../../shared/random.ts";
import type { Task } from "../../shared/model/job.ts";
import { Order, type RunOrder } from "../../shared/model/order.ts";
import { Report } from "../../shared/model/report.ts";
import type { ExecutionHappened, Hello, PeerId } from "../../shared/wire/messages.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";
import type {
  Engine,
  EngineExit,
  EngineHeld,
  EngineRun,
  EngineTask,
  ExecResult,
  StartOptions,
} from "../../agent/engines/engine.ts";
import { type AgentProgram, composeAgent } from "../../agent/flow/compose.ts";
import type { LeftRetention } from "../../agent/flow/keep_left.ts";
import type { ContentStore, Machine, Workspace } from "../../agent/host/host.ts";
import type { Input } from "../../agent/inputs/input.ts";
import { localPublisher } from "../../agent/publishers/local.ts";
import type { Publisher } from "../../agent/publishers/publisher.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "../../agent/store/migrations.ts";

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  /** How wrong the wall clock is. */
  wallErrorMs = 0;
  #nowMs = 1_000;
  #timers: { atMs: number; call: () => void }[] = [];

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs + this.wallErrorMs;
  }

  uptimeMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((it) => it !== timer);
    };
  }

  /** Calls what falls due on the way. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((it) => it !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.call();
    }
    this.#nowMs = untilMs;
  }
}

/** An engine whose tasks end when the test says so, or by themselves. It survives restarts of the agent. */
export class SimulatedEngine implements Engine {
  readonly type = "wasm";
  readonly started: EngineTask[] = [];
  readonly stopped: string[] = [];
  readonly forgotten: string[] = [];
  /** Tasks that run or have ended, by execution. */
  readonly held = new Map<
    string,
    { run: number; exit?: EngineExit; waiters: ((exit: EngineExit) => void)[] }
  >();
  /** What commands in tasks answer. */
  exec = (): Promise<ExecResult> => Promise.resolve({ exitCode: 0, output: "" });
  /** What a task does: an exit ends it at once, undefined lets it run. */
  behave: (task: EngineTask) => EngineExit | undefined = () => undefined;
  startError: unknown;
  /** What it finds under the name of every task's image. */
  image: ImageFound | undefined;
  /** Stops are asked for and never happen. */
  isDeaf = false;

  probe() {
    return Promise.resolve({ isAvailable: true as const, version: "simulated" });
  }

  start(task: EngineTask, options: StartOptions = {}): Promise<void> {
    if (this.image !== undefined) options.onImage?.(this.image);
    if (this.startError !== undefined) return Promise.reject(this.startError);
    const before = this.held.get(task.executionId);
    if (before !== undefined && before.run >= task.run) return Promise.resolve();
    if (before !== undefined && before.exit === undefined) {
      return Promise.reject(new Error(`run ${before.run} has not ended`));
    }
    this.started.push(task);
    const exit = this.behave(task);
    this.held.set(task.executionId, { run: task.run, exit, waiters: [] });
    return Promise.resolve();
  }

  wait(executionId: string, signal?: AbortSignal): Promise<EngineExit> {
    const held = this.held.get(executionId);
    if (held === undefined) {
      return Promise.resolve({ kind: "failed", code: "interrupted", message: "It is gone" });
    }
    if (held.exit !== undefined) return Promise.resolve(held.exit);
    return new Promise((resolve, reject) => {
      held.waiters.push(resolve);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** Ends a running task. */
  end(executionId: string, exit: EngineExit = { kind: "exited", exitCode: 0 }): void {
    const held = this.held.get(executionId);
    if (held === undefined || held.exit !== undefined) return;
    held.exit = exit;
    for (const waiter of held.waiters) waiter(exit);
  }

  stop(executionId: string, _options: { graceMs: number }): Promise<void> {
    this.stopped.push(executionId);
    if (this.isDeaf) return new Promise(() => {});
    this.end(executionId, { kind: "stopped" });
    return Promise.resolve();
  }

  list(runs: ReadonlyMap<string, EngineRun>): Promise<readonly EngineHeld[]> {
    return Promise.resolve(
      [...runs].flatMap(([executionId, { run }]) => {
        const held = this.held.get(executionId);
        if (held?.run !== run) return [];
        return [{ executionId, isRunning: held.exit === undefined, ...(held.exit && { exit: held.exit }) }];
      }),
    );
  }

  forget(executionId: string): void {
    this.forgotten.push(executionId);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Folders without a disk. */
export function simulatedWorkspace(): Workspace & {
  readonly removed: string[];
  readonly cleared: string[];
  sizeBytes: number;
} {
  const removed: string[] = [];
  const cleared: string[] = [];
  return {
    removed,
    /** What every execution leaves. */
    sizeBytes: 1000,
    sizeOf() {
      return Promise.resolve(this.sizeBytes);
    },
    cleared,
    create: (id, names) => ({
      path: `/x/${id}`,
      resultPaths: names.map((name) => `/x/${id}/${name}`),
    }),
    pathOf: (id) => `/x/${id}`,
    remove(id) {
      removed.push(id);
      return Promise.resolve();
    },
    clearResults(id) {
      cleared.push(id);
      return Promise.resolve();
    },
    outputBytes: () => ({ stdout: 7, stderr: 0 }),
    readPreview: (id, exitCode, from) => ({
      stdout: `out of ${id}${from === undefined ? "" : ` from ${from.stdout}`}`,
      stdoutIsTruncated: false,
      stderr: "",
      stderrIsTruncated: false,
      exitCode,
    }),
    readOutput: (_id, cursor) => Promise.resolve({ pieces: [], cursor, isComplete: false }),
    listResults: () => Promise.resolve([{ path: "stdout", kind: "file" as const, sizeBytes: 3 }]),
    readResult: (_id, { offset }) =>
      Promise.resolve({ bytes: new TextEncoder().encode("out").subarray(offset), sizeBytes: 3 }),
  };
}

export const noContents: ContentStore = {
  find: () => undefined,
  partialBytes: () => 0,
  append() {},
  finish: () => "",
  put: () => ({ digest: "", path: "" }),
  tree: () => "",
  sweep: () => ({ count: 0, bytes: 0 }),
  held: () => ({ count: 0, bytes: 0 }),
};

export function simulatedMachine(): Machine & {
  freeBytes: number;
  reserve: string[];
  takenPorts: Set<number>;
} {
  return {
    os: "linux",
    arch: "amd64",
    hostname: "here",
    total: { cpuMillis: 4000, memoryBytes: 4e9, diskBytes: 1e12, gpuCount: 0 },
    freeBytes: 1e12,
    reserve: [],
    takenPorts: new Set(),
    isPortFree({ port }) {
      return !this.takenPorts.has(port);
    },
    diskFreeBytes() {
      return this.freeBytes;
    },
    releaseReserve() {
      this.reserve.push("released");
    },
    keepReserve() {
      this.reserve.push("kept");
    },
  };
}

export function someFacts(overrides: Partial<NodeFacts> = {}): NodeFacts {
  const capacity: Resources = { cpuMillis: 4000, memoryBytes: 4e9, diskBytes: 1e12, gpuCount: 0 };
  return {
    id: "n-1" as NodeId,
    labels: {},
    engines: ["wasm"],
    inputs: ["inline", "local"],
    publishers: ["local"],
    capacity,
    queueCapacity: { cpuMillis: 4e6, memoryBytes: 4e12, diskBytes: 1e15, gpuCount: 0 },
    version: "0",
    os: "linux",
    arch: "amd64",
    absent: {},
    ...overrides,
  };
}

/** A small task; give only what the test is about. */
export function aTask(overrides: Partial<Task> = {}): Task {
  return {
    name: "main",
    engine: { type: "wasm", params: {} },
    publisher: { type: "local", params: {} },
    env: {},
    meta: {},
    inputs: [],
    resultPaths: [],
    resources: { ...NO_RESOURCES, cpuMillis: 1000 },
    network: { type: "none", domains: [] },
    timeouts: { executionMs: 0, queueMs: 0, totalMs: 0 },
    ...overrides,
  };
}

export function anOrder(id: string, overrides: Partial<RunOrder> = {}): RunOrder {
  return {
    desired: "run",
    executionId: id as ExecutionId,
    jobId: "j-1" as JobId,
    jobVersion: 1,
    jobType: "batch",
    namespace: "default",
    evaluationId: "v" as RunOrder["evaluationId"],
    partition: 0,
    partitionCount: 1,
    priority: 0,
    task: aTask(),
    stopGraceMs: 10_000,
    ...overrides,
  };
}

/** A home that only sends orders and remembers reports. */
export class SimulatedHome {
  readonly peer: PeerId = orchestratorPeer("n-hub");
  readonly reports: Report[] = [];
  readonly happened: ExecutionHappened[] = [];
  readonly facts: NodeFacts[] = [];
  readonly hellos: Hello[] = [];
  readonly sync: Sync;
  readonly #database: Database;
  readonly #agent: PeerId;

  constructor(options: { bus: Bus; clock: Clock; ids: IdSource; agent: PeerId; nudge?: () => void }) {
    const { bus, clock, ids, agent } = options;
    this.#agent = agent;
    this.#database = Database.open({ path: ":memory:", migrations: [LEDGER_TABLES], applicationId: 1 });
    this.sync = new Sync({
      self: this.peer,
      bus,
      database: this.#database,
      outbox: new Outbox({ database: this.#database, clock, process: ids.uuid() }),
      clock,
      nudge: options.nudge ?? (() => {}),
      program: {
        accepts: () => true,
        snapshot: () => [],
        onHello: (_from, hello) => void this.hellos.push(hello),
        apply: (_from, _lane, { kind, body }) => {
          if (kind === "report") this.reports.push(Report.parse(body));
          else if (kind === "node") this.facts.push(body as NodeFacts);
          else this.happened.push(body as ExecutionHappened);
        },
      },
    });
  }

  open(): void {
    this.sync.open([this.#agent]);
  }

  order(...orders: readonly Order[]): void {
    this.#database.transaction(() => {
      for (const order of orders) {
        const body = Order.parse(order);
        this.sync.send(this.#agent, { lane: "state", kind: "order", about: order.executionId, body });
      }
    });
  }

  census(...executionIds: readonly string[]): void {
    this.#database.transaction(() =>
      this.sync.send(this.#agent, { lane: "state", kind: "census", about: "", body: { executionIds } })
    );
  }

  /** The newest report of an execution. */
  phaseOf(id: string): Report["phase"] | undefined {
    return this.reports.findLast(({ executionId }) => executionId === id)?.phase;
  }

  reportOf(id: string): Report | undefined {
    return this.reports.findLast(({ executionId }) => executionId === id);
  }

  close(): void {
    this.sync.close();
    this.#database.close();
  }
}

export interface AgentFixture {
  readonly clock: ManualClock;
  readonly program: AgentProgram;
  readonly engine: SimulatedEngine;
  readonly home: SimulatedHome;
  readonly database: Database;
  readonly bus: Bus;
  readonly workspace: ReturnType<typeof simulatedWorkspace>;
  readonly machine: ReturnType<typeof simulatedMachine>;
  /** Lets time pass, and settles. */
  pass(ms: number): Promise<void>;
  /** Ticks everything until nothing has changed for a few turns. */
  settle(): Promise<void>;
  /** Closes the agent, and starts one again on the same journal. `isKilled`: without an orderly end. */
  restart(options?: { isKilled?: boolean; facts?: Partial<NodeFacts> }): Promise<void>;
  close(): Promise<void>;
}

export interface FixtureOptions {
  readonly path?: string;
  readonly facts?: Partial<NodeFacts>;
  readonly inputs?: readonly Input[];
  readonly publishers?: readonly Publisher[];
  readonly retention?: LeftRetention;
  /** Silent unless given. */
  readonly log?: Log;
}

/** An agent and a home on an embedded bus, ticked by hand. */
export async function anAgent(options: FixtureOptions = {}): Promise<AgentFixture> {
  const clock = new ManualClock();
  const bus = openEmbeddedBus();
  const engine = new SimulatedEngine();
  const workspace = simulatedWorkspace();
  const machine = simulatedMachine();
  const open = () =>
    Database.open({
      path: options.path ?? ":memory:",
      migrations: AGENT_MIGRATIONS,
      applicationId: AGENT_APPLICATION_ID,
    });
  const home = new SimulatedHome({ bus, clock, ids: systemIds, agent: "n-1/agent" });
  const compose = (database: Database, facts: Partial<NodeFacts> | undefined) =>
    composeAgent({
      ...{ database, bus, clock, ids: systemIds, log: options.log ?? silentLog, workspace, machine },
      homes: [home.peer],
      facts: someFacts(facts),
      engines: [engine],
      // The longest pauses.
      random: () => 0,
      httpGet: () => Promise.reject(new Error("there is no network")),
      inputs: options.inputs ?? [],
      publishers: options.publishers ?? [localPublisher],
      contents: noContents,
      retention: options.retention,
      nudge: () => {},
    });
  let database = open();
  let program = compose(database, options.facts);
  home.open();
  program.open();
  const fixture = {
    clock,
    engine,
    home,
    bus,
    workspace,
    machine,
    get database() {
      return database;
    },
    get program() {
      return program;
    },
    async pass(ms: number) {
      await fixture.settle();
      // What waits to be written together is written first, as it would be while time goes by.
      for (const step of [Math.min(ms, 20), Math.max(0, ms - 20)]) {
        clock.pass(step);
        await fixture.settle();
      }
    },
    async settle() {
      for (let turn = 0; turn < 12; turn++) {
        for (const stage of program.stages) while (await stage.tick());
        while (home.sync.tick());
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    },
    async restart(
      { isKilled = false, facts = options.facts }: { isKilled?: boolean; facts?: Partial<NodeFacts> } = {},
    ) {
      if (isKilled) {
        // What was decided and not written is lost, as by kill -9: nothing of it can be written any more.
        database.transaction = () => undefined as never;
      }
      program.close();
      database.close();
      database = open();
      program = compose(database, facts);
      program.open();
      await fixture.settle();
    },
    async close() {
      program.close();
      home.close();
      database.close();
      await bus.close();
    },
  };
  await fixture.settle();
  return fixture;
}
