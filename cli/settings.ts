/** The table of settings: every key of the config file, what it means and how its value is read. */
import { isAbsolute, resolve as resolvePath } from "node:path";
import { canonicalAddress, parseRange } from "../shared/addresses.ts";
import { AppError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { LOG_LEVELS } from "../shared/log.ts";
import { JOB_DEFAULTS } from "../shared/spec/parse_job.ts";
import { quote } from "../shared/spec/problems.ts";
import { nearest } from "../shared/spec/suggest.ts";
import { formatBytes, formatCpu, formatDuration, parseBytes, parseCpu } from "../shared/spec/units.ts";
import { refuseBlocked } from "./blocked_ports.ts";
import { parseSpan } from "./flags.ts";
import { defaultDataDir } from "./folders.ts";

/** A path of this machine that jobs may use. */
export interface AllowedPath {
  readonly path: string;
  readonly isWritable: boolean;
}

/** One row of the table. `read` gets every text that was given; throws `must be …`. */
interface Setting<Value> {
  readonly summary: string;
  readonly placeholder: string;
  readonly choices?: readonly string[];
  readonly isList?: boolean;
  /** As a user would write it; absent: no value. */
  readonly initial?: () => string;
  /** A variable of the environment that the default came from, if it did. */
  readonly initialFrom?: () => string | undefined;
  /** The default as help shows it, where it depends on the machine. */
  readonly initialShown?: string;
  readonly read: (texts: readonly string[]) => Value;
}

const NETWORKS = ["none", "bridge", "host", "http"] as const;
const DEFAULT_NETWORKS = ["none", "bridge", "host"] as const;
const PULL_POLICIES = ["missing", "always", "never"] as const;
const DOCKER_SOCKET = "/var/run/docker.sock";
/** Where Docker's own tools look for an engine. */
export const DOCKER_HOST = "DOCKER_HOST";

const setting = <Value>(row: Setting<Value>): Setting<Value> => row;
const last = <Value>(parse: (text: string) => Value) => (texts: readonly string[]): Value =>
  parse(texts.at(-1)!);

/** Every key of the config file. */
export const SETTINGS = {
  api: setting({
    summary: "Where the server is, for every client command",
    placeholder: "URL",
    initial: () => "http://127.0.0.1:1234",
    read: last(parseApiUrl),
  }),
  api_timeout: setting({
    summary: "How long one request may take",
    placeholder: "DURATION",
    initial: () => "10s",
    read: last(parseSpan),
  }),
  namespace: setting({
    summary: "Namespace of the jobs that client commands submit and look up",
    placeholder: "NAME",
    read: last((text) => text),
  }),
  data_dir: setting({
    summary: "Folder of the server's state, logs and results",
    placeholder: "DIR",
    initial: defaultDataDir,
    initialShown: "~/.local/share/skerry",
    read: last(parseFolder),
  }),
  listen: setting({
    summary: "Address of the server's API",
    placeholder: "HOST:PORT",
    initial: () => "127.0.0.1:1234",
    read: last(parseListen),
  }),
  insecure: setting({
    summary: "Allow the server to listen beyond this machine, although anybody who reaches it may run jobs",
    placeholder: "BOOL",
    choices: ["true", "false"],
    initial: () => "false",
    read: last(parseBoolean),
  }),
  allow_path: setting({
    summary: "Folders that jobs may use as local inputs; a path that ends in :rw may also be written",
    placeholder: "DIR[:rw]",
    isList: true,
    read: (texts) => texts.map(parseAllowedPath),
  }),
  allow_env: setting({
    summary:
      "Variables of the server's environment that jobs may be given as env:NAME; * stands for any text",
    placeholder: "NAME",
    isList: true,
    read: (texts) => texts.flatMap((text) => text.split(",")).map(parseVariablePattern),
  }),
  host_name: setting({
    summary: "Names beside its address under which the server may be addressed; others are refused",
    placeholder: "NAME",
    isList: true,
    read: (texts) => texts,
  }),
  capacity_ratio: setting({
    summary: "Share of the machine that jobs may use",
    placeholder: "RATIO",
    initial: () => "80%",
    read: last(parseRatio),
  }),
  cpu: setting({
    summary: "Cores that jobs may use, instead of the share",
    placeholder: "CORES",
    read: last(orMust(parseCpu, "a number of cores such as 2 or 500m")),
  }),
  memory: setting({
    summary: "Memory that jobs may use, instead of the share",
    placeholder: "BYTES",
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  disk: setting({
    summary: "Disk that jobs may use, instead of the share",
    placeholder: "BYTES",
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  gpu: setting({
    summary: "GPUs that jobs may use",
    placeholder: "N",
    read: last(orMust(parseCount, "a whole number")),
  }),
  default_cpu: setting({
    summary: "Cores of a task that does not ask, where its namespace names none",
    placeholder: "CORES",
    initial: () => formatCpu(JOB_DEFAULTS.resources.cpuMillis),
    read: last(orMust(parseCpu, "a number of cores such as 2 or 500m")),
  }),
  default_memory: setting({
    summary: "Memory of a task that does not ask, where its namespace names none",
    placeholder: "BYTES",
    initial: () => formatBytes(JOB_DEFAULTS.resources.memoryBytes),
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  default_disk: setting({
    summary: "Disk of a task that does not ask, where its namespace names none",
    placeholder: "BYTES",
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  default_gpu: setting({
    summary: "GPUs of a task that does not ask, where its namespace names none",
    placeholder: "N",
    read: last(orMust(parseCount, "a whole number")),
  }),
  preempt: setting({
    summary: "Stop executions, and place them anew, for jobs whose priority is higher by so much; off: never",
    placeholder: "N",
    initial: () => "off",
    read: last((text) => {
      if (text === "off") return undefined;
      const difference = /^\d{1,7}$/.test(text) ? Number(text) : 0;
      if (difference >= 1) return difference;
      throw new AppError("invalid", "must be a whole number >= 1, or off");
    }),
  }),
  max_task_cpu: setting({
    summary: "The most cores that one task gets on this node",
    placeholder: "CORES",
    read: last(orMust(parseCpu, "a number of cores such as 2 or 500m")),
  }),
  max_task_memory: setting({
    summary: "The most memory that one task gets on this node",
    placeholder: "BYTES",
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  max_task_disk: setting({
    summary: "The most disk that one task gets on this node",
    placeholder: "BYTES",
    read: last(orMust(parseBytes, "an amount such as 512Mb or 2GiB")),
  }),
  max_task_gpu: setting({
    summary: "The most GPUs that one task gets on this node",
    placeholder: "N",
    read: last(orMust(parseCount, "a whole number")),
  }),
  gpu_devices: setting({
    summary:
      "GPUs that jobs may use, by index or UUID; with ! before it, one that they may not; none for no GPUs",
    placeholder: "DEVICE",
    isList: true,
    initialShown: "all that nvidia-smi tells of",
    read: (texts) =>
      texts.flatMap((text) => text.split(",")).map(
        orMust(
          (text) => /^(!?(\d{1,4}|GPU-[\w-]+)|none)$/.test(text) ? text : undefined,
          "0, GPU-UUID, !0 or none",
        ),
      ),
  }),
  labels: setting({
    summary: "Labels of this node, which a job's constraints are compared with",
    placeholder: "KEY=VALUE",
    isList: true,
    read: (texts) =>
      Object.fromEntries(texts.flatMap((text) => text.split(",")).map((it) => parsePair(it.trim()))),
  }),
  name: setting({
    summary: "What people call this node",
    placeholder: "NAME",
    read: last((text) => text),
  }),
  keep_jobs: setting({
    summary: "How long jobs are kept after their end, in time that the server runs",
    placeholder: "DURATION",
    initial: () => formatDuration(LIMITS.jobKeptMs),
    read: last(parseSpan),
  }),
  keep_jobs_max: setting({
    summary: "How many ended jobs are kept; beyond that the oldest are forgotten",
    placeholder: "N",
    initial: () => String(LIMITS.endedJobsMax),
    read: last(orMust((text) => /^\d{1,9}$/.test(text) ? Number(text) : undefined, "a whole number")),
  }),
  keep_results: setting({
    summary:
      "How long a node keeps the output and the fetched results of executions after their end, in time that it runs",
    placeholder: "DURATION",
    initial: () => formatDuration(LIMITS.executionKeptMs),
    read: last(parseSpan),
  }),
  keep_results_max: setting({
    summary: "How much output and results of ended executions a node keeps; beyond that the oldest go",
    placeholder: "BYTES",
    initial: () => "none",
    initialShown: "none: as long as the disk has room",
    read: last((text) =>
      text === "none" ? undefined : orMust(parseBytes, "an amount such as 20GiB, or none")(text)
    ),
  }),
  stop_grace_max: setting({
    summary: "No task has longer than this between the signal to stop and the kill, whatever its job says",
    placeholder: "DURATION",
    initial: () => formatDuration(LIMITS.stopGraceMsMax),
    read: last(parseSpan),
  }),
  docker_socket: setting({
    summary: "Socket of the Docker Engine that runs containers; none: this node runs no containers",
    placeholder: "PATH",
    initial: () => dockerSocket(Deno.env.get(DOCKER_HOST)),
    initialFrom: () => Deno.env.get(DOCKER_HOST)?.startsWith("unix://") ? DOCKER_HOST : undefined,
    initialShown: DOCKER_SOCKET,
    read: last(parseSocket),
  }),
  docker_profile: setting({
    summary: "No container runs with less protection than this",
    placeholder: "PROFILE",
    choices: ["default", "strict"],
    initial: () => "default",
    read: last(oneOf(["default", "strict"])),
  }),
  docker_capabilities: setting({
    summary: "Capabilities that jobs may ask for beyond those of their profile, such as NET_RAW",
    placeholder: "NAME",
    isList: true,
    read: (texts) => texts.map((text) => text.toUpperCase().replace(/^CAP_/, "")),
  }),
  docker_networks: setting({
    summary: "Networks that jobs may ask for: none, http, bridge, host",
    placeholder: "NAME",
    isList: true,
    initial: () => "none,http,bridge",
    read: (texts) => texts.flatMap((text) => text.split(",")).map(oneOf(NETWORKS)),
  }),
  docker_network: setting({
    summary: "Network of containers whose job asks for none",
    placeholder: "NAME",
    choices: DEFAULT_NETWORKS,
    initial: () => "none",
    read: last(oneOf(DEFAULT_NETWORKS)),
  }),
  docker_http_ranges: setting({
    summary: "Addresses that containers with the network http may reach although they are not public",
    placeholder: "CIDR",
    isList: true,
    read: (texts) =>
      texts.flatMap((text) => text.split(",")).map(orMust(parseRange, "a range such as 10.1.0.0/16")),
  }),
  docker_port_range: setting({
    summary: "Ports of this machine that containers are given where the job names none",
    placeholder: "FIRST-LAST",
    initial: () => "20000-32000",
    read: last(parsePortRange),
  }),
  docker_port_address: setting({
    summary:
      "Address on which containers' ports listen where the job names none; 0.0.0.0: any that a job names",
    placeholder: "ADDRESS",
    initial: () => "127.0.0.1",
    read: last(orMust(canonicalAddress, "an IP address of this machine, or 0.0.0.0")),
  }),
  docker_pull: setting({
    summary: "When images are fetched, where the job does not say",
    placeholder: "POLICY",
    choices: PULL_POLICIES,
    initial: () => "missing",
    read: last(oneOf(PULL_POLICIES)),
  }),
  log_level: setting({
    summary: "Least important lines that the server logs",
    placeholder: "LEVEL",
    choices: LOG_LEVELS,
    initial: () => "info",
    read: last(oneOf(LOG_LEVELS)),
  }),
  log_format: setting({
    summary: "Form of the server's log",
    placeholder: "FORMAT",
    choices: ["text", "json"],
    initial: () => "text",
    read: last(oneOf(["text", "json"])),
  }),
  log_file: setting({
    summary: "File of the server's log, rotated; none means stderr",
    placeholder: "FILE",
    read: last((text) => resolvePath(text)),
  }),
};

/** A key of the config file. */
export type SettingKey = keyof typeof SETTINGS;
/** The type of a setting's value. */
export type SettingValue<K extends SettingKey> = (typeof SETTINGS)[K] extends Setting<infer Value> ? Value
  : never;
/** In the order in which they are shown. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Reads a value; the error says where it was written. */
export function readSetting(key: SettingKey, texts: readonly string[], where: string): unknown {
  try {
    return (SETTINGS[key].read as (texts: readonly string[]) => unknown)(texts);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const message = `Cannot use ${where}: ${error.message}, current value is ${quote(texts.join(","))}`;
    throw new AppError("config", message, { hint: error.hint, cause: error });
  }
}

/** `SKERRY_DATA_DIR` of `data_dir` */
export function environmentName(key: string): string {
  return `SKERRY_${key.toUpperCase()}`;
}

/** Texts of a value written in one word: lists are separated by commas. */
export function split(key: SettingKey, text: string): readonly string[] {
  return SETTINGS[key].isList ? text.split(",").map((part) => part.trim()).filter(Boolean) : [text];
}

/** The key that was meant: `data-dir`, `dataDir` and `SKERRY_DATA_DIR` are `data_dir`. Throws `not_found`. */
export function findKey(written: string): SettingKey {
  const key = written.replace(/^SKERRY_/, "").replace(/([a-z])([A-Z])/g, "$1_$2").replaceAll("-", "_")
    .toLowerCase();
  if (Object.hasOwn(SETTINGS, key)) return key as SettingKey;
  const near = nearest(key, SETTING_KEYS);
  throw new AppError("not_found", `Cannot find the setting ${quote(written)}`, {
    hint: near ? `Did you mean ${near}?` : "`skerry config list` shows every setting",
  });
}

function parseApiUrl(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || !url.hostname) {
    throw new AppError("invalid", "must be an address such as http://127.0.0.1:1234");
  }
  refuseBlocked(Number(url.port));
  return `${url.protocol}//${url.host}${url.pathname}`.replace(/\/+$/, "").replace(/\/api\/v1$/, "");
}

function parseListen(text: string): { host: string; port: number } {
  const found = /^(?:(?:\[([0-9a-f:.%a-z]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/i.exec(text.trim());
  const port = Number(found?.[3]);
  if (!found || port > 65535) throw new AppError("invalid", "must be HOST:PORT such as 127.0.0.1:1234");
  refuseBlocked(port);
  return { host: found[1] ?? (found[2] || "127.0.0.1"), port };
}

/** Where clients of Docker look; a daemon on another machine is not used. */
function dockerSocket(dockerHost: string | undefined): string {
  return dockerHost?.startsWith("unix://") ? dockerHost : DOCKER_SOCKET;
}

function parseSocket(text: string): string | undefined {
  if (text === "none") return undefined;
  const path = text.replace(/^unix:\/\//, "");
  if (isAbsolute(path)) return path;
  throw new AppError("invalid", "must be the absolute path of a socket, or none");
}

function parseBoolean(text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new AppError("invalid", "must be true or false");
}

function parseFolder(text: string): string {
  if (text.trim() !== "" && !text.includes("\0")) return resolvePath(text);
  throw new AppError("invalid", "must be a folder");
}

function parseAllowedPath(text: string): AllowedPath {
  const found = /^(.+?)(?::(ro|rw))?$/.exec(text);
  const path = found?.[1] ?? "";
  if (path === "" || path.includes("\0")) {
    throw new AppError("invalid", "must be a folder, or a folder and :rw");
  }
  return { path: isAbsolute(path) ? path : resolvePath(path), isWritable: found?.[2] === "rw" };
}

function parseVariablePattern(text: string): string {
  const pattern = text.trim();
  if (/^[^=\0\s]+$/.test(pattern)) return pattern;
  throw new AppError("invalid", "must be names of variables, such as AWS_REGION or AWS_*");
}

function parseRatio(text: string): number {
  const found = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text);
  const ratio = found ? Number(found[1]) / (found[2] ? 100 : 1) : 0;
  if (ratio > 0 && ratio <= 1) return ratio;
  throw new AppError("invalid", "must be a share such as 80% or 0.8");
}

function parsePair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new AppError("invalid", "must be KEY=VALUE");
}

function orMust<Value>(parse: (text: string) => Value | undefined, must: string): (text: string) => Value {
  return (text) => {
    const value = parse(text);
    if (value !== undefined) return value;
    throw new AppError("invalid", `must be ${must}`);
  };
}

function parsePortRange(text: string): { first: number; last: number } {
  const [, first, last] = /^(\d{4,5})-(\d{4,5})$/.exec(text.trim())?.map(Number) ?? [];
  if (first !== undefined && last !== undefined && first >= 1024 && first <= last && last <= 65535) {
    return { first, last };
  }
  throw new AppError("invalid", "must be two ports from 1024 to 65535, such as 20000-32000");
}

function parseCount(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}

function oneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word) return word;
    throw new AppError("invalid", `must be one of ${words.join(", ")}`);
  };
}
