/** A whole node behind its HTTP API: the real orchestrator and agent, and an engine whose tasks do what a test says. */
import type { Engine, EngineExit, EngineTask } from "../../agent/engines/engine.ts";
import { LogWriter } from "../../agent/engines/log_files.ts";
import { composeAgent } from "../../agent/flow/compose.ts";
import { Contents } from "../../agent/flow/contents.ts";
import { ContentFolder } from "../../agent/host/content_store.ts";
import { nodeFacts } from "../../agent/host/facts.ts";
import { Folders } from "../../agent/host/folders.ts";
import { openMachine } from "../../agent/host/machine.ts";
import { readOutputPage } from "../../agent/host/output.ts";
import { inlineInput } from "../../agent/inputs/inline.ts";
import { localPublisher } from "../../agent/publishers/local.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "../../agent/store/migrations.ts";
import { createApp } from "../../orchestrator/http/app.ts";
import { startOrchestrator } from "../../orchestrator/main.ts";
import type { Bus } from "../../shared/bus/bus.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { type Log, silentLog } from "../../shared/log.ts";
import type { IdSource, NodeId } from "../../shared/model/ids.ts";
import { systemIds } from "../../shared/random.ts";
import { supervise, type Supervised } from "../../shared/supervise.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import { orchestratorPeer } from "../../shared/wire/subjects.ts";

const NODE_ID = "n-00000000-0000-4000-a000-000000000001" as NodeId;

/**
 * Its tasks print `hello`, warn on stderr and write `a.txt` into each result folder. By their first parameter they
 * then end (`exit 3` with that code), fail (`trap`), or run until they are told (`hold`).
 */
export class ScriptedEngine implements Engine {
  readonly type = "wasm";
  readonly #held = new Map<
    string,
    { run: number; log: LogWriter; exit: Promise<EngineExit>; end: (exit: EngineExit) => void }
  >();

  probe() {
    return Promise.resolve({ isAvailable: true as const, version: "scripted" });
  }

  start(task: EngineTask): Promise<void> {
    if ((this.#held.get(task.executionId)?.run ?? -1) >= task.run) return Promise.resolve();
    const limits = { limitBytes: 1024 * 1024 };
    const log = task.run > 0 ? LogWriter.append(task.folder, limits) : new LogWriter(task.folder, limits);
    const { promise, resolve } = Promise.withResolvers<EngineExit>();
    let hasEnded = false;
    const end = (exit: EngineExit) => {
      if (hasEnded) return;
      hasEnded = true;
      log.close({ isDurable: false });
      if (exit.kind === "exited") Deno.writeTextFileSync(`${task.folder}/exitCode`, String(exit.exitCode));
      resolve(exit);
    };
    this.#held.set(task.executionId, { run: task.run, log, exit: promise, end });
    this.print(task.executionId, "stdout", `hello ${task.env.BACALHAU_PARTITION_INDEX}\n`);
    this.print(task.executionId, "stderr", "careful\n");
    for (const { hostPath } of task.results) Deno.writeTextFileSync(`${hostPath}/a.txt`, "result\n");
    const [what = "exit", code = "0"] = (task.params.Parameters as string[] | undefined) ?? [];
    if (what === "exit") end({ kind: "exited", exitCode: Number(code) });
    if (what === "trap") {
      end({ kind: "failed", code: "module_trapped", message: "unreachable", hint: "Look there" });
    }
    return Promise.resolve();
  }

  print(executionId: string, stream: "stdout" | "stderr", text: string): void {
    this.#held.get(executionId)!.log.write(stream, new TextEncoder().encode(text));
  }

  /** Ends every task that still runs. */
  endAll(exitCode = 0): void {
    for (const { end } of this.#held.values()) end({ kind: "exited", exitCode });
  }

  get running(): readonly string[] {
    return [...this.#held.keys()];
  }

  wait(executionId: string): Promise<EngineExit> {
    return this.#held.get(executionId)?.exit ??
      Promise.resolve({ kind: "failed", code: "interrupted", message: "gone" });
  }

  stop(executionId: string): Promise<void> {
    this.#held.get(executionId)?.end({ kind: "stopped" });
    return Promise.resolve();
  }

  list() {
    return Promise.resolve([]);
  }

  forget(executionId: string): void {
    this.#held.delete(executionId);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly json: any;
}

/** A node to ask. */
export interface HttpNode extends AsyncDisposable {
  readonly url: string;
  readonly engine: ScriptedEngine;
  /** Errors that were logged. */
  readonly errors: readonly string[];
  /** `path` below `/api/v1` unless it begins with `http`; objects as bodies become JSON. */
  ask(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
}

/** Starts a node on a free port of the loopback interface; without an agent when `hasAgent` is false. */
export async function startHttpNode({ hasAgent = true } = {}): Promise<HttpNode> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-http-" });
  const errors: string[] = [];
  const log: Log = {
    ...silentLog,
    error: (message, fields) => void errors.push(`${message} ${fields?.error ?? ""}`),
  };
  const bus = openEmbeddedBus();
  const self = orchestratorPeer(NODE_ID);
  const onBug = (error: unknown) => void errors.push(`bug: ${error}`);
  const ports = { bus, clock: systemClock, ids: systemIds, log, onBug };
  const orchestrator = startOrchestrator({
    ...ports,
    folder: `${folder}/hub`,
    self,
    refuses: () => undefined,
  });
  const engine = new ScriptedEngine();
  const agent = hasAgent
    ? startScriptedAgent(`${folder}/agent`, { ...ports, home: self, engine })
    : undefined;
  const app = createApp({
    ...{ desk: orchestrator.desk, clock: systemClock, log, listenHost: "127.0.0.1" },
    about: {
      nodeId: NODE_ID,
      version: "0.0.0",
      commit: "c0ffee",
      buildDate: "2025-01-01T00:00:00Z",
      os: "linux",
      arch: "amd64",
    },
    config: () => ({ api: { listen: "127.0.0.1", token: "hush" } }),
  });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
  const url = `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}`;
  return {
    url,
    engine,
    errors,
    ask: (method, path, options) =>
      ask(path.startsWith("http") ? path : `${url}/api/v1${path}`, { method, ...options }),
    async [Symbol.asyncDispose]() {
      engine.endAll();
      await server.shutdown();
      await agent?.close();
      await orchestrator.close();
      await bus.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

interface AgentPorts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  readonly onBug: (error: unknown) => void;
  readonly home: PeerId;
  readonly engine: Engine;
}

/** The agent as its `main.ts` composes it, but for the engine. */
function startScriptedAgent(dataDir: string, { engine, home, onBug, ...ports }: AgentPorts) {
  Deno.mkdirSync(dataDir, { recursive: true });
  const machine = openMachine(dataDir);
  const database = Database.open({
    path: `${dataDir}/agent.db`,
    migrations: AGENT_MIGRATIONS,
    applicationId: AGENT_APPLICATION_ID,
  });
  const store = new ContentFolder(`${dataDir}/contents`, ports.clock);
  const contents = new Contents({ bus: ports.bus, store, clock: ports.clock });
  const running = new Map<string, Supervised>();
  const settings = { capacity: { cpuMillis: 4000, memoryBytes: 8e9 }, labels: { zone: "a" } };
  const program = composeAgent({
    ...ports,
    database,
    machine,
    workspace: new Folders(`${dataDir}/executions`, { readOutput: readOutputPage }),
    inputs: [inlineInput({ contents, store })],
    publishers: [localPublisher],
    engines: [engine],
    contents: store,
    homes: [home],
    facts: nodeFacts(NODE_ID, machine, settings, {
      engines: ["wasm"],
      inputs: ["inline"],
      publishers: ["local"],
      absent: {},
    }),
    hostEnv: () => undefined,
    random: Math.random,
    httpGet: () => Promise.reject(new Error("there is no network")),
    nudge: (stage) => running.get(stage)?.nudge(),
  });
  program.open();
  for (const stage of program.stages) running.set(stage.name, supervise(stage, { log: ports.log, onBug }));
  return {
    async close() {
      await Promise.all([...running.values()].map((stage) => stage.close()));
      program.close();
      database.close();
    },
  };
}

async function ask(
  url: string,
  { method, body, headers = {} }: { method: string; body?: unknown; headers?: Record<string, string> },
): Promise<Answer> {
  const isText = typeof body === "string" || body === undefined;
  const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(url, {
    method,
    headers: { ...type, ...headers },
    redirect: "manual",
    ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") ?? false;
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

/** A job for the scripted engine. `parameters` say what its tasks do. */
export function scriptedJob(
  parameters: readonly string[] = [],
  change: object = {},
): Record<string, unknown> {
  return {
    Tasks: [{
      Name: "main",
      Engine: { Type: "wasm", Params: { EntryModule: "/main.wasm", Parameters: parameters } },
      InputSources: [{
        Source: { Type: "inline", Params: { URL: "data:;base64,AGFzbQ==" } },
        Target: "/main.wasm",
      }],
      ResultPaths: [{ Name: "out", Path: "/out" }],
    }],
    ...change,
  };
}
