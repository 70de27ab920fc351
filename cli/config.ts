/**
 * Where the value of a setting comes from: flags beat the environment (`SKERRY_<KEY>`), which beats the config file,
 * which beats the default. The file is read only when a key is not found before it.
 */
import { resolve as resolvePath } from "node:path";
import { AppError } from "../shared/errors.ts";
import type { Resources } from "../shared/model/resources.ts";
import type { LogLevel } from "../shared/log.ts";
import { readConfigFile } from "./config_file.ts";
import { defaultConfigPath } from "./folders.ts";
import {
  type AllowedPath,
  environmentName,
  readSetting,
  SETTING_KEYS,
  type SettingKey,
  SETTINGS,
  type SettingValue,
  split,
} from "./settings.ts";

/** What `skerry serve` runs on. */
export interface ServeConfig {
  /** Absolute. */
  readonly dataDir: string;
  /** Port 0 takes any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Whether it may listen beyond loopback without access tokens. */
  readonly isInsecure: boolean;
  /** Names beside its address that requests may call the server by. */
  readonly hostNames: readonly string[];
  /** Folders and files of this machine that jobs may use as local inputs. Absolute. */
  readonly allowPaths: readonly AllowedPath[];
  /** Names and patterns of variables of the environment that jobs may be given. */
  readonly allowEnv: readonly string[];
  /** Share of the machine that jobs may use, in (0, 1], where no amount below is set. */
  readonly capacityRatio: number;
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  readonly gpuCount?: number;
  /** Indexes and UUIDs, with `!` before those that jobs may not use; empty: all. */
  readonly gpuDevices: readonly string[];
  /** Difference of priority from which executions make way; absent: never. */
  readonly preemptDifference?: number;
  /** What a task gets that does not ask. */
  readonly defaults: Partial<Resources>;
  /** The most that one task gets on this node. */
  readonly taskMax: Partial<Resources>;
  readonly labels: Readonly<Record<string, string>>;
  /** What people call the node; the host's name when absent. */
  readonly name?: string;
  /** Which ended jobs are kept. */
  readonly retention: { readonly keptMs: number; readonly countMax: number };
  readonly leftRetention: { readonly keptMs: number; readonly bytesMax?: number };
  readonly stopGraceMsMax: number;
  /** Absent: this node runs no containers. */
  readonly dockerSocket: string | undefined;
  readonly docker: {
    readonly profile: SettingValue<"docker_profile">;
    readonly capabilities: readonly string[];
    readonly networks: SettingValue<"docker_networks">;
    readonly defaultNetwork: SettingValue<"docker_network">;
    readonly httpRanges: SettingValue<"docker_http_ranges">;
    readonly pull: SettingValue<"docker_pull">;
  };
  /** Ports of this machine that containers may have. */
  readonly ports: SettingValue<"docker_port_range"> & { readonly address: string };
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
  /** Where the log goes, rotated; stderr when absent. Absolute. */
  readonly logFile?: string;
  /** Every setting as it is shown to users, with its source. */
  readonly settings: readonly ShownSetting[];
}

/** Where a value was found. */
export type SettingSource = "flag" | "environment" | "file" | "default";

/** A setting as people see it. */
export interface ShownSetting {
  readonly key: SettingKey;
  /** Empty when there is none. */
  readonly text: string;
  readonly source: SettingSource;
  readonly summary: string;
}

/** The settings of one command line. */
export interface Settings {
  /** Absolute path of the config file, whether it exists or not. */
  readonly path: string;
  /** Throws `config` when the value cannot be read. Keys without a default may be undefined. */
  get<K extends SettingKey>(key: K): Promise<SettingValue<K> | undefined>;
  /** For keys that have a default. */
  need<K extends SettingKey>(key: K): Promise<SettingValue<K>>;
  show(key: SettingKey): Promise<ShownSetting>;
}

/** Texts that were given by flags, by key. */
export type SettingFlags = Partial<Record<SettingKey, readonly string[]>>;

/** Settings of the given flags, over the environment, over the file at `path` (or its default place). */
export function openSettings({ path, flags }: { path?: string; flags: SettingFlags }): Settings {
  const filePath = resolvePath(path ?? Deno.env.get("SKERRY_CONFIG") ?? defaultConfigPath());
  const isRequired = path !== undefined;
  let file: Promise<ReadonlyMap<SettingKey, readonly string[]>> | undefined;
  const find = async (key: SettingKey): Promise<{ texts: readonly string[]; source: SettingSource }> => {
    const given = flags[key];
    if (given?.length) return { texts: given, source: "flag" };
    const written = Deno.env.get(environmentName(key));
    if (written !== undefined && written !== "") return { texts: split(key, written), source: "environment" };
    file ??= readConfigFile(filePath, { isRequired });
    const kept = (await file).get(key);
    if (kept) return { texts: kept, source: "file" };
    const initial = SETTINGS[key].initial?.();
    const source = SETTINGS[key].initialFrom?.() === undefined ? "default" : "environment";
    return { texts: initial === undefined ? [] : [initial], source };
  };
  const get = async <K extends SettingKey>(key: K): Promise<SettingValue<K> | undefined> => {
    const { texts, source } = await find(key);
    if (texts.length === 0 && !SETTINGS[key].isList) return undefined;
    return readSetting(key, texts, whereIs(key, { source, path: filePath })) as SettingValue<K>;
  };
  return {
    path: filePath,
    get,
    need: get as Settings["need"],
    async show(key) {
      const { texts, source } = await find(key);
      return { key, text: texts.join(","), source, summary: SETTINGS[key].summary };
    },
  };
}

function whereIs(key: SettingKey, { source, path }: { source: SettingSource; path: string }): string {
  if (source === "flag") return `--${key.replaceAll("_", "-")}`;
  if (source === "environment") {
    const name = environmentName(key);
    return Deno.env.get(name) ? name : SETTINGS[key].initialFrom?.() ?? name;
  }
  return `${key} in ${path}`;
}

/** What `serve` needs, with every value checked. Refuses to listen beyond loopback unless told. */
export async function resolveServe(settings: Settings): Promise<ServeConfig> {
  const config: ServeConfig = {
    dataDir: await settings.need("data_dir"),
    listen: await settings.need("listen"),
    isInsecure: await settings.need("insecure"),
    hostNames: await settings.need("host_name"),
    allowPaths: await settings.need("allow_path"),
    allowEnv: await settings.need("allow_env"),
    capacityRatio: await settings.need("capacity_ratio"),
    cpuMillis: await settings.get("cpu"),
    memoryBytes: await settings.get("memory"),
    diskBytes: await settings.get("disk"),
    gpuCount: await settings.get("gpu"),
    gpuDevices: await settings.need("gpu_devices"),
    preemptDifference: await settings.get("preempt"),
    defaults: {
      cpuMillis: await settings.get("default_cpu"),
      memoryBytes: await settings.get("default_memory"),
      diskBytes: await settings.get("default_disk"),
      gpuCount: await settings.get("default_gpu"),
    },
    taskMax: {
      cpuMillis: await settings.get("max_task_cpu"),
      memoryBytes: await settings.get("max_task_memory"),
      diskBytes: await settings.get("max_task_disk"),
      gpuCount: await settings.get("max_task_gpu"),
    },
    labels: await settings.need("labels"),
    name: await settings.get("name"),
    retention: {
      keptMs: await settings.need("keep_jobs"),
      countMax: await settings.need("keep_jobs_max"),
    },
    leftRetention: {
      keptMs: await settings.need("keep_results"),
      bytesMax: await settings.get("keep_results_max"),
    },
    stopGraceMsMax: await settings.need("stop_grace_max"),
    dockerSocket: await settings.get("docker_socket"),
    docker: {
      profile: await settings.need("docker_profile"),
      capabilities: await settings.need("docker_capabilities"),
      networks: await settings.need("docker_networks"),
      defaultNetwork: await settings.need("docker_network"),
      httpRanges: await settings.need("docker_http_ranges"),
      pull: await settings.need("docker_pull"),
    },
    ports: {
      ...await settings.need("docker_port_range"),
      address: await settings.need("docker_port_address"),
    },
    logLevel: await settings.need("log_level"),
    logFormat: await settings.need("log_format"),
    logFile: await settings.get("log_file"),
    settings: await Promise.all(SETTING_KEYS.map((key) => settings.show(key))),
  };
  if (!config.isInsecure && !isLoopback(config.listen.host)) {
    const address = formatAddress(config.listen);
    throw new AppError(
      "forbidden",
      `Cannot listen on ${address}: whoever reaches this address could run jobs here`,
      {
        hint: "Listen on 127.0.0.1, or add --insecure if only people you trust reach this network",
      },
    );
  }
  return config;
}

/** `127.0.0.1:1234`, `[::1]:1234` */
export function formatAddress({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
