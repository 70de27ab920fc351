/** Composes a node of both roles in this process, joined by the embedded bus, and runs it until it is told to end. */
import { checkAgentStore, startAgent } from "../agent/main.ts";
import {
  checkAddress,
  checkOrchestratorStore,
  type RunningOrchestrator,
  startApi,
  startOrchestrator,
} from "../orchestrator/main.ts";
import { openEmbeddedBus } from "../shared/bus/embedded_bus.ts";
import { systemClock } from "../shared/clock.ts";
import { openDiskGuard } from "../shared/disk.ts";
import { EXIT } from "../shared/errors.ts";
import { type Log, openFileSink, openLog, stderrSink } from "../shared/log.ts";
import type { Resources } from "../shared/model/resources.ts";
import { shortId } from "../shared/model/ids.ts";
import { JOB_DEFAULTS } from "../shared/spec/parse_job.ts";
import { systemIds } from "../shared/random.ts";
import { VERSION } from "../shared/version.ts";
import { orchestratorPeer } from "../shared/wire/subjects.ts";
import type { ServeConfig } from "./config.ts";
import { openDataFolder } from "./data_folder.ts";

/** Bytes of one file of the node's own log, and how many older ones are kept. */
const LOG_BYTES = 16 * 1024 * 1024;
const LOGS_KEPT = 4;
/** How long the API waits for this machine to join; a full disk may keep it from joining. */
const JOIN_MS = 3_000;

/** Returns the exit code once the node has ended in order. */
export async function serve(config: ServeConfig): Promise<number> {
  const ended = Promise.withResolvers<"bug" | "SIGINT" | "SIGTERM">();
  // Before anything is started: a signal that comes early ends the node in order too.
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => ended.resolve(signal));
  }
  const node = await startNode(config, {
    onBug(error) {
      console.error("A bug in Skerry ends this process; its state is safe on disk.", error);
      ended.resolve("bug");
    },
  });
  console.log(
    `Skerry ${VERSION} listens on ${node.url} (node ${shortId(node.nodeId)}, data in ${config.dataDir})`,
  );
  const why = await ended.promise;
  if (why !== "bug") {
    node.log.info("Stopping: running work goes on and is found again at the next start", { signal: why });
  }
  await node.close();
  return why === "bug" ? EXIT.failed : EXIT.ok;
}

interface RunningNode {
  readonly nodeId: string;
  /** Where the API is: `http://127.0.0.1:1234`. */
  readonly url: string;
  readonly log: Log;
  /** Running tasks go on and are found again at the next start. */
  close(): Promise<void>;
}

/** Errors: `in_use` for the data folder or the port, `store` when the folder cannot be used. */
async function startNode(
  config: ServeConfig,
  options: { onBug: (error: unknown) => void },
): Promise<RunningNode> {
  await using started = new AsyncDisposableStack();
  const folder = openDataFolder(config.dataDir, systemIds);
  started.defer(() => folder.close());
  const sink = config.logFile === undefined
    ? stderrSink
    : started.use(openFileSink({ path: config.logFile, maxBytes: LOG_BYTES, keep: LOGS_KEPT }));
  checkAddress(config.listen);
  const folders = { orchestrator: `${config.dataDir}/orchestrator`, agent: `${config.dataDir}/agent` };
  checkOrchestratorStore(folders.orchestrator);
  checkAgentStore(folders.agent, folder.nodeId);
  const log = openLog({ level: config.logLevel, format: config.logFormat, sink, wallMs: () => Date.now() });

  const bus = openEmbeddedBus();
  started.defer(() => bus.close());
  const self = orchestratorPeer(folder.nodeId);
  const ports = { bus, clock: systemClock, ids: systemIds, log, onBug: options.onBug };
  const refuses = openDiskGuard({ folder: config.dataDir, uptimeMs: systemClock.uptimeMs });
  const orchestrator = startOrchestrator({
    ...ports,
    folder: folders.orchestrator,
    self,
    refuses,
    retention: config.retention,
    ...(config.preemptDifference !== undefined && { preemption: { difference: config.preemptDifference } }),
  });
  started.defer(() => orchestrator.close());
  const agent = await startAgent({
    ...ports,
    dataDir: folders.agent,
    nodeId: folder.nodeId,
    home: self,
    allowPaths: config.allowPaths,
    envAllowed: config.allowEnv,
    retention: config.leftRetention,
    stopGraceMsMax: config.stopGraceMsMax,
    ports: config.ports,
    ...(config.dockerSocket !== undefined &&
      { docker: { socketPath: config.dockerSocket, policy: config.docker } }),
    gpuDevices: config.gpuDevices,
    settings: {
      capacityRatio: config.capacityRatio,
      capacity: amounts(config),
      taskMax: amounts(config.taskMax),
      labels: { ...config.labels, ...(config.name !== undefined && { name: config.name }) },
    },
  });
  started.defer(() => agent.close());
  await joining(orchestrator, folder.nodeId);
  const api = startApi({
    desk: orchestrator.desk,
    nodeId: folder.nodeId,
    listen: config.listen,
    hostNames: config.hostNames,
    defaults: { ...JOB_DEFAULTS, resources: { ...JOB_DEFAULTS.resources, ...amounts(config.defaults) } },
    clock: systemClock,
    log,
    config: { ...config, settings: Object.fromEntries(config.settings.map(({ key, text }) => [key, text])) },
  });
  started.defer(() => api.close());
  const all = started.move();
  return { nodeId: folder.nodeId, url: api.url, log, close: () => all.disposeAsync() };
}

/** A job that came before this machine has joined would find no node, and fail. Gives up waiting after a while. */
async function joining({ desk }: RunningOrchestrator, nodeId: string): Promise<void> {
  const untilMs = systemClock.uptimeMs() + JOIN_MS;
  const isHere = () =>
    desk.queries.listNodes().some(({ facts, connection }) =>
      facts.id === nodeId && connection === "connected"
    );
  while (!isHere() && systemClock.uptimeMs() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The amounts that were set, in place of a share of the machine. */
function amounts(
  { cpuMillis, memoryBytes, diskBytes, gpuCount }: Partial<Resources>,
): Partial<Resources> {
  const set = Object.entries({ cpuMillis, memoryBytes, diskBytes, gpuCount }).filter(([, value]) =>
    value !== undefined
  );
  return Object.fromEntries(set);
}
