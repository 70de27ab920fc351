/** Composes the orchestrator of a process: files, supervised stages, an orderly end. */
import type { Bus } from "../shared/bus/bus.ts";
import type { Clock } from "../shared/clock.ts";
import { AppError } from "../shared/errors.ts";
import { Database, type DatabaseOptions } from "../shared/ledger/database.ts";
import type { Log } from "../shared/log.ts";
import type { IdSource, NodeId } from "../shared/model/ids.ts";
import type { JobDefaults } from "../shared/spec/parse_job.ts";
import { supervise, type Supervised } from "../shared/supervise.ts";
import { BUILD_DATE, COMMIT, VERSION } from "../shared/version.ts";
import type { PeerId } from "../shared/wire/messages.ts";
import { composeOrchestrator } from "./flow/compose.ts";
import type { Retention } from "./flow/retain.ts";
import type { Desk } from "./flow/desk.ts";
import type { PreemptionPolicy } from "./flow/preempt.ts";
import { openContents } from "./store/contents.ts";
import { createApp } from "./http/app.ts";
import { formatConfig, type NodeConfig } from "./http/config.ts";
import { APPLICATION_ID, MIGRATIONS } from "./store/migrations.ts";

/** How an orchestrator is started. */
export interface OrchestratorOptions {
  /** Folder of its own; made when missing. */
  readonly folder: string;
  readonly self: PeerId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  /** Why no new work is taken at the moment, such as a full disk. */
  readonly refuses: () => AppError | undefined;
  /** Which ended jobs are kept; as in `LIMITS` unless given. */
  readonly retention?: Retention;
  /** Whether executions make way for those of higher priority; absent: never. */
  readonly preemption?: PreemptionPolicy;
  /** A bug was found: the process should end. */
  readonly onBug: (error: unknown) => void;
}

/** A started orchestrator. */
export interface RunningOrchestrator {
  readonly desk: Desk;
  close(): Promise<void>;
}

/** Tries the store, so that one that cannot be used is told before anything is written. Errors: those of the start. */
export function checkOrchestratorStore(folder: string): void {
  Database.check(storeIn(folder));
}

function storeIn(folder: string): DatabaseOptions {
  return { path: `${folder}/orchestrator.db`, migrations: MIGRATIONS, applicationId: APPLICATION_ID };
}

/** Opens the store, starts to listen and runs the stages. */
export function startOrchestrator(options: OrchestratorOptions): RunningOrchestrator {
  const { folder, self, bus, clock, ids, log, refuses, retention, preemption, onBug } = options;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o750 });
  const database = Database.open(storeIn(folder));
  const running = new Map<string, Supervised>();
  const program = composeOrchestrator({
    self,
    database,
    bus,
    clock,
    ids,
    refuses,
    retention,
    preemption,
    contents: openContents(`${folder}/contents`),
    onDamaged: (error, about) => log.error("A stored record is damaged and set aside", { about, error }),
    nudge: (stage) => running.get(stage)?.nudge(),
  });
  program.open();
  for (const stage of program.stages) running.set(stage.name, supervise(stage, { log, onBug }));
  return {
    desk: program.desk,
    async close() {
      for (const stage of running.values()) await stage.close();
      program.close();
      database.checkpoint();
      database.close();
    },
  };
}

/** Where the API listens. Port 0 is any free one. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How the API is served. */
export interface ApiOptions {
  readonly desk: Desk;
  readonly nodeId: NodeId;
  /** Port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Other names under which the server may be addressed. */
  readonly hostNames: readonly string[];
  /** What a job gets where it says nothing; Bacalhau's amounts unless given. */
  readonly defaults?: JobDefaults;
  /** What `agent config` shows. */
  readonly config: NodeConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** Requests that are under way get so long to end. */
const CLOSE_MS = 2_000;

/** Listens and answers. Errors: `in_use` when the port is taken, `io` when the address cannot be used. */
export function startApi(options: ApiOptions): { readonly url: string; close(): Promise<void> } {
  const { desk, nodeId, listen, hostNames, defaults, config, clock, log } = options;
  const os = Deno.build.os;
  const arch = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  const about = { nodeId, version: VERSION, commit: COMMIT, buildDate: BUILD_DATE, os, arch };
  const app = createApp({
    desk,
    about,
    config: () => formatConfig(config),
    clock,
    log,
    listenHost: listen.host,
    hostNames,
    ...(defaults !== undefined && { defaults }),
  });
  const closing = new AbortController();
  const server = listenOn(listen, { signal: closing.signal, answer: app.fetch });
  const { hostname, port } = server.addr as Deno.NetAddr;
  return {
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`,
    async close() {
      const late = setTimeout(() => closing.abort(), CLOSE_MS);
      await server.shutdown();
      clearTimeout(late);
    },
  };
}

/** Tries an address, so that a wrong one is told before anything runs. Errors: those of `startApi`. */
export function checkAddress({ host, port }: Address): void {
  try {
    Deno.listen({ hostname: host, port }).close();
  } catch (cause) {
    throw unusable({ host, port }, cause);
  }
}

function listenOn(
  { host, port }: Address,
  options: { signal: AbortSignal; answer: (request: Request) => Promise<Response> },
): Deno.HttpServer {
  try {
    return Deno.serve({ hostname: host, port, signal: options.signal, onListen() {} }, options.answer);
  } catch (cause) {
    throw unusable({ host, port }, cause);
  }
}

function unusable({ host, port }: Address, cause: unknown): AppError {
  const what = `Cannot listen on ${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (cause instanceof Deno.errors.AddrInUse) {
    return new AppError("in_use", `${what}: another program has this port`, {
      hint: "Stop that program, or choose another address with --listen HOST:PORT",
      cause,
    });
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return new AppError("io", `${what}: this user may not use the port`, {
      hint: "Choose a port from 1024 with --listen HOST:PORT",
      cause,
    });
  }
  const why = cause instanceof Deno.errors.AddrNotAvailable
    ? "this machine does not have the address"
    : cause instanceof Error
    ? cause.message.replace(/\s*\(os error \d+\).*/s, "")
    : String(cause);
  return new AppError("io", `${what}: ${why}`, {
    hint: "Name an address of this machine with --listen HOST:PORT",
    cause,
  });
}
