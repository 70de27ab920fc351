/** A whole node behind its HTTP API: the real orchestrator and agent, and an engine whose tasks do what a test says. */
import type { Engine, EngineExit, EngineTask } from "../../agent/engines/engine.ts";
import { LogWriter } from "../../agent/engines/log_files.ts";
import { startAgent } from "../../agent/main.ts";
import { createApp } from "../../orchestrator/http/app.ts";
import { startOrchestrator } from "../../orchestrator/main.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { type Log, silentLog } from "../../shared/log.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { systemIds } from "../../shared/random.ts";
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
    { log: LogWriter; exit: Promise<EngineExit>; end: (exit: EngineExit) => void }
  >();

  probe() {
    return Promise.resolve({ isAvailable: true as const, version: "scripted" });
  }

  start(task: EngineTask): Promise<void> {
    if (this.#held.has(task.executionId)) return Promise.resolve();
    const log = new LogWriter(task.folder, { limitBytes: 1024 * 1024 });
    const { promise, resolve } = Promise.withResolvers<EngineExit>();
    const end = (exit: EngineExit) => {
      log.close({ isDurable: false });
      if (exit.kind === "exited") Deno.writeTextFileSync(`${task.folder}/exitCode`, String(exit.exitCode));
      resolve(exit);
    };
    this.#held.set(task.executionId, { log, exit: promise, end });
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
    ? await startAgent({
      ...ports,
      dataDir: `${folder}/agent`,
      nodeId: NODE_ID,
      home: self,
      engines: [engine],
      settings: { capacity: { cpuMillis: 4000, memoryBytes: 8e9 }, labels: { zone: "a" } },
    })
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
