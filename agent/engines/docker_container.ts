/** What a container is made of: pure, so that every protection can be read and tested in one place. */
import { invariant } from "../../shared/invariant.ts";
import type { Port } from "../../shared/model/port.ts";
import type { EngineTask, Mount } from "./engine.ts";
import type { DockerParams } from "./docker_params.ts";
import { deviceRequests, gpuEnv, type GpuWay } from "./docker_gpus.ts";
import type { Granted } from "./docker_policy.ts";

/** Labels by which Skerry knows what it made. */
export const LABELS = {
  node: "skerry.node",
  execution: "skerry.execution",
  run: "skerry.run",
  /** On the container that holds a network for an execution, before the execution's own is there. */
  sandbox: "skerry.sandbox",
  /** UUIDs of its GPUs, by commas. */
  gpus: "skerry.gpus",
} as const;

/** Docker refuses less. */
const MEMORY_FLOOR_BYTES = 6 * 1024 * 1024;
/** Processes and threads of one container. */
const PIDS_MAX = 1024;
/** For what programs write to /tmp and /run under a read-only root. */
const TMPFS_BYTES = 64 * 1024 * 1024;
/** Somebody without rights: used when the image would run as root and the profile does not allow that. */
const NOBODY = "65534:65534";

/** What the daemon and the image bring. */
export interface Surroundings {
  readonly nodeId: string;
  /** The image as it was found, so that what runs is what was looked at. */
  readonly imageId: string;
  /** The image's own user, empty for root. */
  readonly imageUser: string;
  /** The storage driver holds containers to a size. */
  readonly hasQuota: boolean;
  /** Devices that the container gets, and how this daemon gives them; absent on a machine without any. */
  readonly gpus?: { readonly uuids: readonly string[]; readonly way: GpuWay };
  /** For the network `http`: the container whose network it shares, and what tells programs of the proxy there. */
  readonly sandbox?: { readonly containerId: string; readonly env: readonly string[] };
}

/** The container's name, the same for every attempt to start the run: so it is made once. */
export const containerName = (executionId: string, run = 0): string =>
  run === 0 ? `skerry-${executionId}` : `skerry-${executionId}-${run}`;

/** The body of a create request. */
export function containerOf(
  task: EngineTask,
  params: DockerParams,
  granted: Granted,
  around: Surroundings,
): Record<string, unknown> {
  const isStrict = granted.profile === "strict";
  const { ports = [] } = task;
  // In the host's own network a port is where the program listens, and nothing is to be mapped.
  const hasPorts = granted.network === "bridge" && ports.length > 0;
  const memoryBytes = task.memoryBytes > 0 ? Math.max(task.memoryBytes, MEMORY_FLOOR_BYTES) : 0;
  const user = params.user ?? (isStrict && isRoot(around.imageUser) ? NOBODY : undefined);
  const env = [
    ...Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    ...params.environment,
    ...around.sandbox?.env ?? [],
  ];
  const gpus = around.gpus?.uuids ?? [];
  return {
    Image: around.imageId,
    ...(params.entrypoint !== undefined && { Entrypoint: params.entrypoint }),
    ...(params.parameters.length > 0 && { Cmd: params.parameters }),
    Env: around.gpus === undefined ? env : gpuEnv(env, around.gpus.uuids),
    ...(params.workingDirectory !== undefined && { WorkingDir: params.workingDirectory }),
    ...(user !== undefined && { User: user }),
    Labels: {
      [LABELS.node]: around.nodeId,
      [LABELS.execution]: task.executionId,
      [LABELS.run]: String(task.run),
      ...(gpus.length > 0 && { [LABELS.gpus]: gpus.join(",") }),
    },
    // Absent: what the image says, else SIGTERM.
    ...(task.stopSignal !== undefined && { StopSignal: task.stopSignal }),
    NetworkDisabled: granted.network === "none",
    ...(hasPorts && { ExposedPorts: Object.fromEntries(ports.map((port) => [insideOf(port), {}])) }),
    // With a read-only root, results need a place of their own; else they are read from the container.
    ...(isStrict && { Volumes: Object.fromEntries(task.results.map(({ target }) => [target, {}])) }),
    HostConfig: {
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      NanoCpus: task.cpuMillis * 1_000_000,
      PidsLimit: PIDS_MAX,
      CapDrop: ["ALL"],
      CapAdd: granted.capabilities,
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ...(params.hasInit && { Init: true }),
      ReadonlyRootfs: isStrict,
      ...(isStrict && { Tmpfs: tmpfsFor(user ?? around.imageUser) }),
      NetworkMode: networkMode(granted, around),
      ...(granted.network === "bridge" && { ExtraHosts: ["host.docker.internal:host-gateway"] }),
      ...(hasPorts && { PortBindings: bindingsOf(ports) }),
      IpcMode: "private",
      CgroupnsMode: "private",
      Devices: [],
      ...(gpus.length > 0 && { DeviceRequests: deviceRequests(gpus, around.gpus!.way) }),
      Mounts: task.inputs.map(toMount),
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      // Twice what is kept of it: while nobody reads, no line is lost before that.
      LogConfig: {
        Type: "json-file",
        Config: { "max-size": String(Math.max(task.logBytes, 1024 * 1024)), "max-file": "2" },
      },
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      ...(around.hasQuota && task.diskBytes > 0 && { StorageOpt: { size: String(task.diskBytes) } }),
    },
  };
}

function networkMode({ network }: Granted, { sandbox }: Surroundings): string {
  if (network !== "http") return network;
  invariant(sandbox !== undefined, "a container with the network http has a sandbox");
  return `container:${sandbox.containerId}`;
}

/** `/tmp` and `/run` belong to the program's user, where that has a number: images have them for root. */
function tmpfsFor(user: string): Record<string, string> {
  const [, uid, gid = uid] = /^(\d+)(?::(\d+))?$/.exec(user) ?? [];
  const owner = uid === undefined ? "" : `,uid=${uid},gid=${gid}`;
  const options = `size=${TMPFS_BYTES},nosuid,nodev${owner}`;
  return { "/tmp": options, "/run": options };
}

const insideOf = ({ targetPort, hostPort }: Port): string => `${targetPort ?? hostPort}/tcp`;

/** By the port inside: several of the machine's may lead to one. */
function bindingsOf(ports: readonly Port[]): Record<string, unknown> {
  const bindings = [...Map.groupBy(ports, insideOf)].map(([inside, alike]) => [
    inside,
    alike.map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) })),
  ]);
  return Object.fromEntries(bindings);
}

/** Whether a `User` is root: its group does not matter. */
export function isRoot(user: string): boolean {
  const [name = ""] = user.split(":");
  return name === "" || name === "root" || /^0+$/.test(name);
}

function toMount({ hostPath, target, isReadOnly }: Mount) {
  return {
    Type: "bind",
    Source: hostPath,
    Target: target,
    ReadOnly: isReadOnly,
    BindOptions: { Propagation: "rprivate" },
  };
}
