/** The agent's program over its ports, without timers of its own: `main.ts` and the simulator both build on it. */
import type { Bus } from "../../shared/bus/bus.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Database } from "../../shared/ledger/database.ts";
import { Damaged } from "../../shared/ledger/damaged.ts";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import { Lifetime } from "../../shared/ledger/lifetime.ts";
import { Outbox } from "../../shared/ledger/outbox.ts";
import { shareCommit } from "../../shared/ledger/share_commit.ts";
import { Sync } from "../../shared/ledger/sync.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Log } from "../../shared/log.ts";
import type { IdSource } from "../../shared/model/ids.ts";
import type { NodeFacts, NodeLoad } from "../../shared/model/node.ts";
import type { Resources } from "../../shared/model/resources.ts";
import type { Stage } from "../../shared/supervise.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import { agentPeer } from "../../shared/wire/subjects.ts";
import { type PortPolicy, Ports, PORTS_DEFAULT } from "../core/ports.ts";
import type { Engine } from "../engines/engine.ts";
import type { ContentStore, HttpGet, Machine, Workspace } from "../host/host.ts";
import type { Input } from "../inputs/input.ts";
import type { Publisher } from "../publishers/publisher.ts";
import { Journal } from "../store/journal.ts";
import { LeftBehind } from "../store/left.ts";
import { Again, mayRunAgain } from "./again.ts";
import { DiskWatch } from "./disk_watch.ts";
import { Executions } from "./executions.ts";
import { Join } from "./join.ts";
import { KeepLeft, type LeftRetention } from "./keep_left.ts";
import { Prune } from "./prune.ts";
import { Receive } from "./receive.ts";
import { Run } from "./run.ts";
import { Serve } from "./serve.ts";
import { Sweep } from "./sweep.ts";
import { TailLogs } from "./tail_logs.ts";
import { WatchHealth } from "./watch_health.ts";

/** Stages of the agent; each is nudged by name. */
export type StageName = "turn" | "join" | "sweep";

/** The ports and settings of an agent. */
export interface ComposeOptions {
  readonly database: Database;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  /** Whose orders are taken; the first is the hub. */
  readonly homes: readonly PeerId[];
  /** What the node is. A change is told with `setFacts`. */
  readonly facts: NodeFacts;
  /** What there is to allocate, also while an engine that gives part of it is away; that of the facts unless given. */
  readonly capacity?: Resources;
  readonly engines: readonly Engine[];
  readonly inputs: readonly Input[];
  readonly publishers: readonly Publisher[];
  readonly workspace: Workspace;
  readonly contents: ContentStore;
  readonly machine: Machine;
  readonly httpGet: HttpGet;
  /** Draws from [0, 1). */
  readonly random: () => number;
  /** No task gets longer than this between the signal to stop and the kill; `LIMITS.stopGraceMsMax` unless given. */
  readonly stopGraceMsMax?: number;
  /** Names and patterns of host variables that tasks may be given. */
  readonly envAllowed?: readonly string[];
  readonly hostEnv?: (name: string) => string | undefined;
  /** Which ports of the machine tasks may have; `PORTS_DEFAULT` unless given. */
  readonly ports?: PortPolicy;
  /** Free bytes below which new work is refused; `LIMITS.diskReserveBytes` unless given. */
  readonly diskReserveBytes?: number;
  /** How long what ended executions left is kept; as in `LIMITS` unless given. */
  readonly retention?: LeftRetention;
  /** A stage has work. */
  readonly nudge: (stage: StageName) => void;
}

/** An agent whose stages are ticked by somebody else. */
export interface AgentProgram {
  readonly peer: PeerId;
  readonly stages: readonly (Stage & { readonly name: StageName })[];
  readonly executions: Executions;
  /** Starts to listen; says hello when the link comes up. */
  open(): void;
  facts(): NodeFacts;
  setFacts(facts: NodeFacts): void;
  load(): NodeLoad;
  /** Running tasks go on, queued ones stay queued. Writes what is decided; the database stays open. */
  close(): void;
}

/** Builds the stages over the given ports. Nothing runs before a stage is ticked. */
export function composeAgent(options: ComposeOptions): AgentProgram {
  const { database, bus, clock, ids, log, nudge, workspace, machine } = options;
  let { facts } = options;
  const peer = agentPeer(facts.id);
  const homes = new Set(options.homes);
  const damaged = new Damaged((error, about) =>
    log.error("A stored record is damaged and set aside", { about, error })
  );
  const journal = new Journal(database, damaged);
  const lifetime = new Lifetime({ database, clock });
  const outbox = new Outbox({ database, clock, process: ids.uuid(), damaged });
  const deadlines = new Deadlines({ database, lifetime, clock, nudge: () => nudge("sweep") });
  const disk = new DiskWatch({
    machine,
    clock,
    reserveBytes: options.diskReserveBytes ?? LIMITS.diskReserveBytes,
  });
  const inputs = new Map(
    options.inputs.flatMap((input) => input.types.map((type) => [type, input] as const)),
  );
  const engines = new Map(options.engines.map((engine) => [engine.type, engine]));
  const publishers = new Map(options.publishers.map((publisher) => [publisher.type, publisher]));
  const keepsResultsHere = new Set(
    options.publishers.filter((it) => it.keepsResultsHere).map(({ type }) => type),
  );
  const closing = new AbortController();
  const nudgeTurn = () => nudge("turn");

  const send: Sync["send"] = (to, message) => sync.send(to, message);
  const executions = new Executions({
    ...{ database, journal, deadlines, clock, lifetime, keepsResultsHere, send },
    capacity: options.capacity ?? facts.capacity,
    ports: new Ports(options.ports ?? PORTS_DEFAULT, (at) => machine.isPortFree(at)),
    stopGraceMsMax: options.stopGraceMsMax ?? LIMITS.stopGraceMsMax,
    nudge: nudgeTurn,
  });
  const load = () => executions.load(disk.refuses()?.message);
  const receive: Receive = new Receive({
    ...{ executions, journal, engines, inputs, homes, load, send, lifetime, log },
    publishers: new Set(publishers.keys()),
    envAllowed: options.envAllowed ?? [],
    facts: () => facts,
    refuses: () => disk.refuses(),
    factsMessage: () => join.message(),
  });
  const sync: Sync = new Sync({
    ...{ self: peer, bus, database, outbox, clock, program: receive },
    nudge: nudgeTurn,
  });
  const nowMs = () => lifetime.nowMs();
  const health = new WatchHealth({
    ...{ executions, engines, clock, nowMs },
    httpGet: options.httpGet,
    push: (id, event) => run.push(id, event),
  });
  const run: Run = new Run({
    ...{ executions, inputs, publishers, workspace, clock, log, health, nowMs },
    again: new Again({ lifetime, outbox, workspace, random: options.random }),
    engines,
    nodeId: facts.id,
    hostEnv: options.hostEnv ?? (() => undefined),
    onDiskFull: () => disk.onDiskFull(),
    nudge: nudgeTurn,
  });
  const join: Join = new Join({
    ...{ database, journal, sync, clock, homes },
    facts: () => facts,
    nudge: () => nudge("join"),
  });
  const keepLeft = new KeepLeft({
    ...{ database, journal, workspace, disk, lifetime },
    left: new LeftBehind(database),
    retention: options.retention ?? { keptMs: LIMITS.executionKeptMs },
  });
  const prune = new Prune({
    ...{ database, executions, keepLeft, disk },
    contents: options.contents,
    engines: options.engines,
  });
  const sweep = new Sweep({
    ...{ database, journal, executions, deadlines, disk, log, clock, lifetime, keepLeft },
    contents: options.contents,
    push: (id, event) => run.push(id, event),
    onRefusalChanged: () => join.helloSoon(),
    nudge: () => nudge("sweep"),
  });
  const tail = new TailLogs({
    ...{ workspace, clock, signal: closing.signal },
    isLive: (id) => executions.find(id) !== undefined,
    mayRunAgain: (id) => {
      const live = executions.find(id);
      return live !== undefined && mayRunAgain(live.order);
    },
  });
  const serve = new Serve({
    ...{ self: peer, bus, database, journal, executions, workspace, tail, lifetime, prune },
  });

  const turn = async () => {
    await run.recover();
    const isMore = shareCommit(database, [() => sync.receive(), () => run.tick()]);
    return sync.transmit() || isMore;
  };
  const stages = [
    { name: "turn" as const, tick: turn },
    { name: "join" as const, tick: () => join.tick() },
    { name: "sweep" as const, tick: () => sweep.tick() },
  ];
  return {
    peer,
    stages,
    executions,
    open() {
      serve.open();
      sync.open([...homes]);
    },
    facts: () => facts,
    setFacts(changed) {
      facts = changed;
      nudge("join");
    },
    load,
    close() {
      closing.abort();
      serve.close();
      run.close();
      sync.close();
      join.close();
      sweep.close();
      deadlines.close();
      executions.flush();
      deadlines.checkpoint({ isForced: true });
    },
  };
}
