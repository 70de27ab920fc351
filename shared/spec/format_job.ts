/** Jobs in Bacalhau's names and units: what its clients read, and what `parseJob` reads back. */
import type { Job, JobPhase, JobSpec, Rollout, Task, Typed } from "../model/job.ts";
import type { PortWish } from "../model/port.ts";
import type { Resources } from "../model/resources.ts";
import { STOP_GRACE_DEFAULT_MS } from "./parse_job.ts";
import { formatNodePolicies } from "./node_policies.ts";
import { formatPolicies } from "./policies.ts";
import { formatBytes, formatCpu, formatDuration } from "./units.ts";

/** Nanoseconds since 1970. Whole ms print as exact digits, although the number is beyond 2^53. */
export const toNanos = (atMs: number): number => Math.floor(atMs) * 1e6;

/** Bacalhau's names of the phases. */
export const JOB_STATES: Readonly<Record<JobPhase, string>> = {
  pending: "Pending",
  queued: "Queued",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  stopped: "Stopped",
};

/** An adapter's name and parameters; absent as Bacalhau writes it. */
export function formatTyped(
  typed: Typed | undefined,
): { Type: string; Params: Record<string, unknown> | null } {
  return { Type: typed?.type ?? "", Params: typed?.params ?? null };
}

function formatResources({ cpuMillis, memoryBytes, diskBytes, gpuCount }: Resources): Record<string, string> {
  return {
    ...(cpuMillis > 0 && { CPU: formatCpu(cpuMillis) }),
    ...(memoryBytes > 0 && { Memory: formatBytes(memoryBytes) }),
    ...(diskBytes > 0 && { Disk: formatBytes(diskBytes) }),
    ...(gpuCount > 0 && { GPU: String(gpuCount) }),
  };
}

const NETWORKS = {
  default: "Default",
  none: "None",
  host: "Host",
  full: "Full",
  http: "HTTP",
  bridge: "Bridge",
};

function formatTask(task: Task): Record<string, unknown> {
  const { executionMs, queueMs, totalMs } = task.timeouts;
  return {
    Name: task.name,
    Engine: formatTyped(task.engine),
    Publisher: formatTyped(task.publisher),
    Env: task.env,
    Meta: task.meta,
    InputSources: task.inputs.map(({ source, alias, target }) => ({
      Source: formatTyped(source),
      Alias: alias,
      Target: target,
    })),
    ResultPaths: task.resultPaths.map(({ name, path }) => ({ Name: name, Path: path })),
    Resources: formatResources(task.resources),
    Network: {
      Type: NETWORKS[task.network.type],
      ...(task.network.domains.length > 0 && { Domains: task.network.domains }),
      ...(task.network.ports?.length && { Ports: task.network.ports.map(formatPort) }),
    },
    Timeouts: {
      ...(executionMs > 0 && { ExecutionTimeout: executionMs / 1000 }),
      ...(queueMs > 0 && { QueueTimeout: queueMs / 1000 }),
      ...(totalMs > 0 && { TotalTimeout: totalMs / 1000 }),
    },
  };
}

/** A port as Bacalhau writes it. */
export function formatPort({ name, hostPort, targetPort, hostAddress }: PortWish) {
  return {
    Name: name,
    ...(hostPort !== undefined && { Static: hostPort }),
    ...(targetPort !== undefined && { Target: targetPort }),
    ...(hostAddress !== undefined && { HostNetwork: hostAddress }),
  };
}

/** Skerry's own fields, where they say something. */
function formatExtras(spec: JobSpec): Record<string, unknown> {
  const { successExitCodes, stopGraceMs, spread } = spec;
  return {
    ...formatPolicies(spec),
    ...formatNodePolicies(spec),
    ...(successExitCodes && { SuccessExitCodes: successExitCodes }),
    ...(stopGraceMs !== STOP_GRACE_DEFAULT_MS && { StopGrace: formatDuration(stopGraceMs) }),
    ...(spread.length > 0 && { Spread: spread }),
  };
}

/** A job spec as a user would write it. `parseJob` reads the same spec back. */
export function formatSpec(spec: JobSpec): Record<string, unknown> {
  return {
    Name: spec.name,
    Namespace: spec.namespace,
    Type: spec.type,
    Priority: spec.priority,
    Count: spec.count,
    Constraints: spec.constraints.map(({ key, operator, values }) => ({
      Key: key,
      Operator: operator,
      Values: values,
    })),
    Meta: spec.meta,
    Labels: spec.labels,
    Tasks: [formatTask(spec.task)],
    ...formatExtras(spec),
  };
}

/** Texts, as all details are. */
function formatRollout(
  { state, upCount, sinceAtMs, goodVersion, rolledBackFrom, message }: Rollout,
): Record<string, string> {
  return {
    Rollout: state,
    UpCount: String(upCount),
    RolloutSince: String(sinceAtMs),
    ...(goodVersion && { GoodVersion: String(goodVersion) }),
    ...(rolledBackFrom && { RolledBackFrom: String(rolledBackFrom) }),
    ...(message && { RolloutMessage: message }),
  };
}

/** A job with its state. Code, hint and progress are in `State.Details`, where Bacalhau's clients look for such. */
export function formatJob(job: Job): Record<string, unknown> {
  const details = {
    ...(job.code && { ErrorCode: job.code }),
    ...(job.hint && { Hint: job.hint }),
    CompletedCount: String(job.completedCount),
    ...(job.partitionCount !== undefined && { PartitionCount: String(job.partitionCount) }),
    ...(job.rollout && formatRollout(job.rollout)),
  };
  return {
    ID: job.id,
    ...formatSpec(job.spec),
    State: { StateType: JOB_STATES[job.phase], Message: job.message ?? "", Details: details },
    Version: job.version,
    Revision: job.revision,
    CreateTime: toNanos(job.createdAtMs),
    ModifyTime: toNanos(job.modifiedAtMs),
  };
}
