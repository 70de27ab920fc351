/** The runnable part of a job spec. */
import type { z } from "zod";
import { canonicalAddress } from "../addresses.ts";
import { LIMITS } from "../limits.ts";
import { type InputSource, PUBLISHES_NOTHING, type Task, type Typed } from "../model/job.ts";
import type { PortWish } from "../model/port.ts";
import type { Contents } from "./content.ts";
import { DockerParams } from "./docker_schema.ts";
import { readFields } from "./fields.ts";
import {
  checkEnv,
  checkInputs,
  checkKeys,
  checkModules,
  checkNetwork,
  checkPorts,
  checkResultPaths,
  checkTimeouts,
  type PlacedInput,
} from "./job_rules.ts";
import {
  InputSource as WrittenInputSource,
  LocalParams,
  Port as WrittenPort,
  WasmParams,
  type WrittenInput,
  type WrittenTask,
} from "./job_schema.ts";
import { warningOfType } from "./adapters.ts";
import type { JobDefaults } from "./parse_job.ts";
import type { Path, Problems } from "./problems.ts";
import { cleanPath } from "./texts.ts";

/** What reading one task needs to know and fills in. */
export interface TaskReading {
  readonly problems: Problems;
  readonly contents: Contents;
  readonly defaults: JobDefaults;
  readonly warnings: string[];
}

/** Less than this does nobody any good; without a unit an amount is in bytes. */
const SMALL_BYTES = 64 * 1024;

const PATH: Path = ["Tasks", 0];
const ENGINE_PATH: Path = [...PATH, "Engine", "Params"];

/** Types whose names are compared in any casing, and stored in this one. */
const TYPES = new Map(
  ["wasm", "docker", "noop", "local", "inline", "urlDownload", "s3", "s3managed", "s3PreSigned", "ipfs"]
    .map((type) => [type.toLowerCase(), type]),
);
TYPES.set("localdirectory", "local");

const typeName = (written: string) => TYPES.get(written.trim().toLowerCase()) ?? written.trim();

/** The task with defaults filled in; what is wrong is added to the problems. */
export function parseTask(written: WrittenTask, reading: TaskReading): Task {
  const { problems, defaults } = reading;
  const inputs: PlacedInput[] = (written.InputSources ?? []).map((input, at) => {
    const path = [...PATH, "InputSources", at];
    return { input: parseInput(input, { path, reading }), path };
  });
  const { engine, env } = parseEngine(written, inputs, reading);
  const publisher = parsePublisher(written, defaults);
  const task: Task = {
    name: written.Name?.trim() || "main",
    engine,
    ...(publisher && { publisher }),
    env: { ...env, ...written.Env },
    meta: { ...written.Meta },
    inputs: inputs.map(({ input }) => input),
    resultPaths: (written.ResultPaths ?? []).map(({ Name, Path }, at) => {
      if (!Path.trim().startsWith("/")) {
        problems.add([...PATH, "ResultPaths", at, "Path"], "must be an absolute path", Path);
      }
      return { name: Name.trim(), path: cleanPath(Path) };
    }),
    resources: {
      cpuMillis: written.Resources?.CPU || defaults.resources.cpuMillis,
      memoryBytes: written.Resources?.Memory || defaults.resources.memoryBytes,
      diskBytes: written.Resources?.Disk || defaults.resources.diskBytes,
      gpuCount: written.Resources?.GPU || defaults.resources.gpuCount,
    },
    network: {
      type: written.Network?.Type ?? "default",
      domains: (written.Network?.Domains ?? []).map((domain) => domain.trim().toLowerCase()),
      ...(written.Network?.Ports?.length && { ports: written.Network.Ports.map(toPort) }),
    },
    timeouts: {
      executionMs: written.Timeouts?.ExecutionTimeout || defaults.executionTimeoutMs,
      queueMs: written.Timeouts?.QueueTimeout ?? 0,
      totalMs: written.Timeouts?.TotalTimeout || defaults.totalTimeoutMs,
    },
  };
  checkTask(task, inputs, reading);
  return task;
}

function checkTask(task: Task, inputs: readonly PlacedInput[], { problems, warnings }: TaskReading): void {
  checkEnv(task.env, [...PATH, "Env"], problems);
  checkKeys(task.meta, [...PATH, "Meta"], problems);
  checkInputs(inputs, problems);
  if (inputs.length > LIMITS.inputsMax) {
    problems.add([...PATH, "InputSources"], `must have at most ${LIMITS.inputsMax} inputs, modules included`);
  }
  checkResultPaths(task, PATH, problems);
  checkTimeouts(task, PATH, problems);
  checkNetwork(task, PATH, problems);
  checkPorts(task, PATH, problems);
  if (task.engine.type === "wasm") checkModules(task, ENGINE_PATH, problems);
  const types = [
    warningOfType("engine", task.engine.type),
    warningOfType("publisher", task.publisher?.type ?? ""),
    ...task.inputs.map(({ source }) => warningOfType("input", source.type)),
  ];
  warnings.push(...new Set(types.filter((warning) => warning !== undefined)));
  const { memoryBytes: Memory, diskBytes: Disk } = task.resources;
  for (const [field, bytes] of Object.entries({ Memory, Disk })) {
    if (bytes > 0 && bytes < SMALL_BYTES) {
      warnings.push(`Resources.${field} is ${bytes} bytes: was a unit meant, such as ${bytes}Mb?`);
    }
  }
  if (task.engine.type === "wasm" && !["default", "none"].includes(task.network.type)) {
    warnings.push('the engine "wasm" gives no network: Network.Type changes nothing');
  }
  if (task.network.type === "http" && task.network.domains.length === 0) {
    warnings.push('with the network "HTTP" and no Domains the task reaches nothing');
  }
  const publisher = task.publisher?.type ?? "";
  if (task.resultPaths.length && PUBLISHES_NOTHING.has(publisher)) {
    warnings.push(`result paths are not kept with the publisher "${publisher}"`);
  }
}

function toPort({ Name: name, Static, Target, HostNetwork }: z.output<typeof WrittenPort>): PortWish {
  return {
    name: name.trim(),
    ...(Static && { hostPort: Static }),
    ...(Target && { targetPort: Target }),
    ...(HostNetwork?.trim() && { hostAddress: canonicalAddress(HostNetwork.trim()) ?? HostNetwork.trim() }),
  };
}

function parsePublisher({ Publisher: written }: WrittenTask, defaults: JobDefaults): Typed | undefined {
  const type = typeName(written?.Type ?? "");
  return type === "" ? defaults.publisher : { type, params: written?.Params ?? {} };
}

function parseInput(
  written: WrittenInput,
  { path, reading }: { path: Path; reading: TaskReading },
): InputSource {
  const { problems, contents } = reading;
  if (written.Target === undefined) {
    problems.add([...path, "Target"], "must be a path in the task", undefined);
  }
  const target = cleanPath(written.Target ?? "");
  const type = typeName(written.Source.Type);
  const params = written.Source.Params ?? {};
  const at = { path: [...path, "Source", "Params"], problems };
  if (type === "") problems.add([...path, "Source", "Type"], "must not be empty", written.Source.Type);
  let source: Typed | undefined = { type, params };
  if (type === "inline") source = contents.take(params, at);
  if (type === "local") {
    const local = readFields(LocalParams, params, at);
    source = local && { type, params: { ...local, SourcePath: cleanPath(local.SourcePath) } };
  }
  return { source: source ?? { type, params: {} }, alias: written.Alias?.trim() || target, target };
}

/** The engine; modules that are written as inputs of their own (legacy) join `inputs`. */
function parseEngine(
  { Engine: written }: WrittenTask,
  inputs: PlacedInput[],
  reading: TaskReading,
): { engine: Typed; env: Record<string, string> } {
  const { problems } = reading;
  const type = typeName(written.Type);
  if (type === "") {
    problems.add([...PATH, "Engine", "Type"], 'must be an engine such as "wasm"', written.Type);
  }
  if (type === "docker") readFields(DockerParams, written.Params ?? {}, { path: ENGINE_PATH, problems });
  if (type !== "wasm") return { engine: { type, params: written.Params ?? {} }, env: {} };
  const params = readFields(WasmParams, written.Params ?? {}, { path: ENGINE_PATH, problems });
  if (!params) return { engine: { type, params: {} }, env: {} };
  const toTarget = (module: unknown, path: Path, fallback: string): string => {
    if (typeof module === "string") return cleanPath(module);
    const input = readFields(WrittenInputSource, module, { path, problems });
    if (!input) return fallback;
    const parsed = parseInput({ ...input, Target: input.Target?.trim() || fallback }, { path, reading });
    inputs.push({ input: parsed, path });
    return parsed.target;
  };
  const entry = toTarget(params.EntryModule, [...ENGINE_PATH, "EntryModule"], "/wasm/entry.wasm");
  const imports = (params.ImportModules ?? []).map((module, at) =>
    toTarget(module, [...ENGINE_PATH, "ImportModules", at], `/wasm/imports/module_${at}.wasm`)
  );
  const engine = {
    type,
    params: {
      EntryModule: entry,
      Entrypoint: params.Entrypoint?.trim() || "_start",
      Parameters: params.Parameters ?? [],
      ImportModules: imports,
    },
  };
  return { engine, env: { ...params.EnvironmentVariables } };
}
