/** The agent: runs what homes order. Composed here, and here only; nothing happens at import. */
import type { Bus } from "../shared/bus/bus.ts";
import type { Clock } from "../shared/clock.ts";
import { AppError } from "../shared/errors.ts";
import { Database, type DatabaseOptions } from "../shared/ledger/database.ts";
import type { Log } from "../shared/log.ts";
import type { Gpu } from "../shared/model/gpu.ts";
import { type IdSource, newNodeId, NodeId } from "../shared/model/ids.ts";
import type { NodeFacts, NodeLoad } from "../shared/model/node.ts";
import { supervise, type Supervised } from "../shared/supervise.ts";
import type { PeerId } from "../shared/wire/messages.ts";
import type { PortPolicy } from "./core/ports.ts";
import { openDockerEngine } from "./engines/docker_engine.ts";
import type { DockerPolicy } from "./engines/docker_policy.ts";
import type { Engine } from "./engines/engine.ts";
import { Answers, OfferedEngines, type Offers } from "./engines/offers.ts";
import { openWasmEngine } from "./engines/wasm_engine.ts";
import { wasmChildCommand } from "./engines/wasm_protocol.ts";
import { composeAgent, type StageName } from "./flow/compose.ts";
import { Contents } from "./flow/contents.ts";
import type { LeftRetention } from "./flow/keep_left.ts";
import { ContentFolder } from "./host/content_store.ts";
import { findGpus, type GpusFound, NO_GPUS } from "./host/gpus.ts";
import { nodeFacts, type NodeSettings } from "./host/facts.ts";
import { Folders } from "./host/folders.ts";
import { httpGet } from "./host/http_get.ts";
import { openMachine } from "./host/machine.ts";
import { readOutputPage } from "./host/output.ts";
import type { AllowPath } from "./inputs/allow_list.ts";
import { inlineInput } from "./inputs/inline.ts";
import { localInput } from "./inputs/local.ts";
import { localPublisher } from "./publishers/local.ts";
import { Journal } from "./store/journal.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "./store/migrations.ts";

/** What an agent is made of. */
export interface AgentOptions {
  /** The agent's own folder: made when it is not there. */
  readonly dataDir: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  /** The node's id, when its process knows it; made once and kept in the store otherwise. */
  readonly nodeId?: NodeId;
  /** The orchestrator whose orders are taken. */
  readonly home: PeerId;
  /** All that this build has, unless given. */
  readonly engines?: readonly Engine[];
  /** The Docker Engine that runs containers; without it none are run. */
  readonly docker?: { readonly socketPath: string; readonly policy: DockerPolicy };
  readonly settings?: NodeSettings;
  /** Which GPUs tasks may have, by index or UUID, with `!` before those that they may not; all unless given. */
  readonly gpuDevices?: readonly string[];
  /** Local paths that tasks may see. */
  readonly allowPaths?: readonly AllowPath[];
  /** Names and patterns of host variables that tasks may be given. */
  readonly envAllowed?: readonly string[];
  /** Which ports of the machine tasks may have. */
  readonly ports?: PortPolicy;
  /** Free bytes below which new work is refused. */
  readonly diskReserveBytes?: number;
  /** How long what ended executions left is kept; as in `LIMITS` unless given. */
  readonly retention?: LeftRetention;
  /** No task gets longer than this between the signal to stop and the kill. */
  readonly stopGraceMsMax?: number;
  /** A bug was found: the process should end. */
  readonly onBug: (error: unknown) => void;
}

/** A running agent. */
export interface Agent {
  readonly nodeId: NodeId;
  readonly peer: PeerId;
  facts(): NodeFacts;
  load(): NodeLoad;
  /** An orderly end: running tasks go on and are found again at the next start, queued ones stay queued. */
  close(): Promise<void>;
}

/** Errors: `in_use` when another process has the data folder, `store` when it cannot be used. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { dataDir, bus, clock, ids, log } = options;
  Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const machine = openMachine(dataDir);
  const database = Database.open(storeIn(dataDir));
  try {
    const nodeId = ownNodeId(database, { wanted: options.nodeId, ids });
    const workspace = new Folders(`${dataDir}/executions`, { readOutput: readOutputPage });
    const store = new ContentFolder(`${dataDir}/contents`, clock);
    const contents = new Contents({ bus, store, clock });
    const inputs = [inlineInput({ contents, store }), localInput({ allowPaths: options.allowPaths ?? [] })];
    const publishers = [localPublisher];
    const found = options.docker === undefined
      ? NO_GPUS
      : await findGpus({ devices: options.gpuDevices ?? [] });
    tellGpus(found, log);
    const engines = options.engines ??
      await openEngines(options.docker, {
        ...{ nodeId, log, gpus: found.gpus },
        pullsPath: `${dataDir}/pulled_images.json`,
      });
    const journal = new Journal(database);
    const offers = new OfferedEngines(engines, {
      clock,
      answers: journal.findMeta("engines", Answers) ?? {},
      remember: (answers) => database.transaction(() => journal.putMeta("engines", answers)),
    });
    const offered = await offers.ask();
    for (const { type, reason, hint, isNotSetUp } of offered.absent) {
      log[isNotSetUp ? "debug" : "warn"](`The engine "${type}" is not available: ${reason}`, { hint });
    }
    for (const [name, reason] of Object.entries(offered.absentNetworks)) {
      log.info(`Containers cannot have the ${name} here: ${reason}`);
    }
    if (offered.absentGpus !== undefined) {
      log.warn(`This node does not offer its GPUs: ${offered.absentGpus}`);
    }
    machine.keepReserve();
    const factsOf = (
      { usable, platforms, networks, absent, absentNetworks, gpus, absentGpus = found.reason }: Offers,
    ) =>
      nodeFacts(nodeId, machine, options.settings ?? {}, {
        engines: usable,
        ...(platforms.length > 0 && { platforms }),
        inputs: inputs.flatMap(({ types }) => types),
        publishers: publishers.map(({ type }) => type),
        networks,
        gpus,
        absent: {
          ...Object.fromEntries(absent.map(({ type, reason }) => [type, reason])),
          ...absentNetworks,
          ...(absentGpus !== undefined && { GPU: absentGpus }),
        },
      });
    const factsNow = factsOf(offered);

    const running = new Map<StageName, Supervised>();
    const program = composeAgent({
      ...{ database, bus, clock, ids, log, inputs, publishers, workspace, machine, httpGet },
      random: Math.random,
      stopGraceMsMax: options.stopGraceMsMax,
      homes: [options.home],
      facts: factsNow,
      capacity: {
        ...factsNow.capacity,
        gpuCount: Math.min(found.gpus.length, options.settings?.capacity?.gpuCount ?? Infinity),
      },
      engines,
      contents: store,
      envAllowed: options.envAllowed,
      hostEnv: (name) => Deno.env.get(name),
      ports: options.ports,
      diskReserveBytes: options.diskReserveBytes,
      retention: options.retention,
      nudge: (stage) => running.get(stage)?.nudge(),
    });
    program.open();
    for (const stage of program.stages) {
      running.set(stage.name, supervise(stage, { log, onBug: options.onBug }));
    }
    // Engines come and go: a daemon that is started after the agent, or upgraded, is offered once it answers.
    const onOffers = (now: Offers) => {
      const away = now.absent.map(({ type, reason }) => `${type}: ${reason}`).join(", ");
      const engines = now.usable.join(", ");
      log.info("The engines that this node offers have changed", { engines, ...(away && { away }) });
      program.setFacts(factsOf(now));
    };
    const watching = supervise(
      { name: "offers", tick: async () => (await offers.watch(onOffers), false) },
      { log, onBug: options.onBug },
    );
    return {
      nodeId,
      peer: program.peer,
      facts: program.facts,
      load: program.load,
      async close() {
        offers.close();
        // An engine that takes its time to answer is not waited for: what it says is not written down any more.
        watching.close();
        await Promise.all([...running.values()].map((stage) => stage.close()));
        program.close();
        await Promise.all(engines.map((engine) => engine.close()));
        database.checkpoint();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Tries the store, so that one that cannot be used is told before anything is written. Errors: those of the start. */
export function checkAgentStore(dataDir: string, nodeId: NodeId): void {
  Database.check(storeIn(dataDir), (database) => findNodeId(database, nodeId));
}

function storeIn(dataDir: string): DatabaseOptions {
  return {
    path: `${dataDir}/agent.db`,
    migrations: AGENT_MIGRATIONS,
    applicationId: AGENT_APPLICATION_ID,
  };
}

/** The journal belongs to one node for ever: its peers know its numbers. */
function ownNodeId(
  database: Database,
  { wanted, ids }: { wanted: NodeId | undefined; ids: IdSource },
): NodeId {
  const known = findNodeId(database, wanted);
  if (known !== undefined) return known;
  const fresh = wanted ?? newNodeId(ids);
  database.transaction(() => new Journal(database).putMeta("node_id", fresh));
  return fresh;
}

/** Errors: `store` when it is not the wanted one. */
function findNodeId(database: Database, wanted: NodeId | undefined): NodeId | undefined {
  const known = new Journal(database).findMeta("node_id", NodeId);
  if (known !== undefined && known !== (wanted ?? known)) {
    throw new AppError(
      "store",
      `Cannot use the agent's data: it must be of node "${wanted}", it is of "${known}"`,
      {
        hint: "The data folder was put together from two nodes: name another one with --data-dir",
      },
    );
  }
  return known;
}

/** All that this build has. */
async function openEngines(
  docker: AgentOptions["docker"],
  own: { nodeId: NodeId; log: Log; gpus: readonly Gpu[]; pullsPath: string },
): Promise<readonly Engine[]> {
  const wasm = await openWasmEngine({ command: wasmChildCommand() });
  return docker === undefined ? [wasm] : [wasm, openDockerEngine({ ...docker, ...own })];
}

function tellGpus({ gpus, reason, unknown }: GpusFound, log: Log): void {
  if (reason !== undefined) log.warn(`This node's GPUs cannot be used: ${reason}`);
  if (unknown.length > 0) {
    log.warn(`There are no such GPUs here: ${unknown.join(", ")}`, {
      hint: "See nvidia-smi -L, and gpu_devices",
    });
  }
  if (gpus.length > 0) {
    log.info("Found GPUs", { gpus: gpus.map(({ index, name }) => `${index}: ${name}`).join(", ") });
  }
}
