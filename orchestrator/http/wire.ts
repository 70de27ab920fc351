/** Records in Bacalhau's shapes. Fields that Bacalhau does not know (`AgeMs`, `Explanation` …) are passed over by its clients. */
import type { Execution, ExecutionPhase } from "../../shared/model/execution.ts";
import type { HistoryItem } from "../../shared/model/history.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import { type Drain, type Node, taskMaxOf } from "../../shared/model/node.ts";
import { NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";
import { formatPort, formatTyped, toNanos } from "../../shared/spec/format_job.ts";
import { BACALHAU_VERSION } from "../../shared/version.ts";
import type { About } from "./door.ts";

/** Go's zero time. */
const ZERO_TIME = "0001-01-01T00:00:00Z";

/** RFC 3339; absent as Go's zero time. */
export const toRfc3339 = (atMs: number | undefined): string =>
  atMs === undefined ? ZERO_TIME : new Date(atMs).toISOString();

/** How old what is shown is, and since when. */
export function ageOf(observedAtMs: number, nowMs: number): { AgeMs: number; ObservedAt: string } {
  return { AgeMs: Math.max(0, Math.round(nowMs - observedAtMs)), ObservedAt: toRfc3339(observedAtMs) };
}

/** Amounts as numbers: cores, bytes, devices; zero is left out. */
export function formatAmounts(
  { cpuMillis, memoryBytes, diskBytes, gpuCount }: Resources,
): Record<string, number> {
  return {
    ...(cpuMillis > 0 && { CPU: cpuMillis / 1000 }),
    ...(memoryBytes > 0 && { Memory: memoryBytes }),
    ...(diskBytes > 0 && { Disk: diskBytes }),
    ...(gpuCount > 0 && { GPU: gpuCount }),
  };
}

/** Bacalhau's numbers of the states of an execution: its clients read numbers here. */
const COMPUTE_STATES: Readonly<Record<ExecutionPhase, number>> = {
  placed: 2,
  queued: 5,
  preparing: 5,
  running: 6,
  publishing: 7,
  refused: 8,
  completed: 9,
  failed: 10,
  lost: 10,
  stopped: 11,
};
const DESIRED_STATES = { run: 1, stop: 2 } as const;

/** An execution; `taskName` is the name of its job's task. */
export function formatExecution(
  execution: Execution,
  { taskName, nowMs }: { taskName: string; nowMs: number },
) {
  const { output } = execution;
  const details = {
    Phase: execution.phase,
    ...(execution.code && { ErrorCode: execution.code }),
    ...(execution.hint && { Hint: execution.hint }),
    ...liveDetails(execution),
  };
  return {
    ID: execution.id,
    Namespace: execution.namespace,
    EvalID: execution.evaluationId,
    Name: "",
    NodeID: execution.nodeId,
    JobID: execution.jobId,
    JobVersion: execution.jobVersion,
    AllocatedResources: { Tasks: { [taskName]: formatAmounts(execution.resources) } },
    DesiredState: {
      StateType: DESIRED_STATES[execution.desired],
      Message: execution.desiredMessage ?? "",
    },
    ComputeState: {
      StateType: COMPUTE_STATES[execution.phase],
      Message: execution.message ?? "",
      Details: details,
    },
    PublishedResult: formatTyped(execution.result),
    RunOutput: output
      ? {
        Stdout: output.stdout,
        StdoutTruncated: output.stdoutIsTruncated,
        stderr: output.stderr,
        StderrTruncated: output.stderrIsTruncated,
        ExitCode: output.exitCode,
        ErrorMsg: "",
      }
      : null,
    PreviousExecution: execution.previousId ?? "",
    NextExecution: execution.nextId ?? "",
    FollowupEvalID: "",
    ...(execution.partition > 0 && { PartitionIndex: execution.partition }),
    Revision: execution.revision,
    CreateTime: toNanos(execution.createdAtMs),
    ModifyTime: toNanos(execution.modifiedAtMs),
    Attempt: execution.attempt,
    ...(execution.ports && { Ports: execution.ports.map(formatPort) }),
    ...(execution.image && { Image: formatImage(execution.image) }),
    Explanation: execution.explanation,
    ...ageOf(execution.modifiedAtMs, nowMs),
  };
}

/** What its agent tells of an execution beyond Bacalhau's fields: texts, as all details are. */
function liveDetails({ health, restarts, lastExit }: Execution): Record<string, string> {
  return {
    ...(health && { Health: health.status, HealthSince: toRfc3339(health.sinceAtMs) }),
    ...(health?.message !== undefined && { HealthMessage: health.message }),
    ...(restarts !== undefined && { Restarts: String(restarts) }),
    ...(lastExit && { LastExit: lastExit.message, LastExitReason: lastExit.code }),
    ...(lastExit?.exitCode !== undefined && { LastExitCode: String(lastExit.exitCode) }),
  };
}

/** What ran: the registry's digest of it, or the node's own. */
const formatImage = ({ name, digest, id, platforms }: ImageFound) => ({
  Name: name,
  ...(digest !== undefined && { Digest: digest }),
  ...(id !== undefined && { ID: id }),
  ...(platforms !== undefined && { Platforms: platforms }),
});

/** A history item; clients before 1.5 also read states from it. */
export function formatHistoryItem(item: HistoryItem, { hasStateStubs = false } = {}) {
  const time = toRfc3339(item.atMs);
  const isExecution = item.executionId !== undefined;
  const stub = { Previous: "Undefined", New: item.details?.NewState ?? "Undefined" };
  return {
    SeqNum: item.seq,
    Type: isExecution ? "ExecutionLevel" : "JobLevel",
    JobID: item.jobId,
    JobVersion: item.jobVersion,
    ...(isExecution && { ExecutionID: item.executionId }),
    Event: {
      Message: item.message,
      Topic: item.topic,
      Timestamp: time,
      ...(item.details && { Details: item.details }),
    },
    Time: time,
    ...(hasStateStubs && { [isExecution ? "ExecutionState" : "JobState"]: stub }),
  };
}

/** A release in the parts that Bacalhau's clients show. */
export function formatVersion(
  { commit, buildDate, os, arch }: Pick<About, "commit" | "buildDate" | "os" | "arch">,
) {
  const [major = "", minor = ""] = BACALHAU_VERSION.slice(1).split(".");
  return {
    Major: major,
    Minor: minor,
    GitVersion: BACALHAU_VERSION,
    GitCommit: commit,
    BuildDate: buildDate,
    GOOS: os,
    GOARCH: arch,
  };
}

const PROTOCOLS = ["bprotocol/v2", "ncl/v1"];
const UNBUILT = { commit: "", buildDate: ZERO_TIME };

/** A device; memory in MiB. */
const formatGpu = ({ index, uuid, name, vendor, memoryMib, pciAddress }: Gpu) => ({
  ...{ Index: index, Name: name, Vendor: vendor },
  ...(memoryMib !== undefined && { Memory: memoryMib }),
  ...(pciAddress !== undefined && { PCIAddress: pciAddress }),
  UUID: uuid,
});

/** What a node says of itself. */
export function formatNodeInfo({ facts, load }: Node, { about }: { about: About }) {
  const isOwn = facts.id === about.nodeId;
  const used = load?.allocated ?? NO_RESOURCES;
  return {
    NodeID: facts.id,
    NodeType: "Compute",
    Labels: facts.labels,
    SupportedProtocols: PROTOCOLS,
    ComputeNodeInfo: {
      ExecutionEngines: facts.engines,
      Publishers: facts.publishers,
      StorageSources: facts.inputs,
      MaxCapacity: {
        ...formatAmounts(facts.capacity),
        ...(facts.gpus !== undefined && { GPUs: facts.gpus.map(formatGpu) }),
      },
      QueueCapacity: formatAmounts(load?.queued ?? NO_RESOURCES),
      AvailableCapacity: formatAmounts(subtract(facts.capacity, used)),
      MaxJobRequirements: formatAmounts(taskMaxOf(facts)),
      RunningExecutions: load?.runningCount ?? 0,
      EnqueuedExecutions: load?.queuedCount ?? 0,
      address: "",
    },
    BacalhauVersion: formatVersion(isOwn ? about : { ...UNBUILT, os: facts.os, arch: facts.arch }),
    SkerryVersion: facts.version,
    ...(facts.networks && { Networks: facts.networks }),
    ...(Object.keys(facts.absent).length > 0 && { Absent: facts.absent }),
  };
}

/** A node as its hub knows it. */
export function formatNode(node: Node, { about, nowMs }: { about: About; nowMs: number }) {
  const isConnected = node.connection === "connected";
  const connection = isConnected ? "CONNECTED" : "DISCONNECTED";
  return {
    Info: formatNodeInfo(node, { about }),
    Membership: node.membership.toUpperCase(),
    Connection: connection,
    ConnectionState: {
      Status: connection,
      LastHeartbeat: toRfc3339(node.seenAtMs),
      ConnectedSince: isConnected ? toRfc3339(node.connectedAtMs) : ZERO_TIME,
      DisconnectedSince: isConnected ? ZERO_TIME : toRfc3339(node.disconnectedAtMs),
      ...(node.load?.refuses && { LastError: node.load.refuses }),
    },
    ...(node.drain && { Drain: formatDrain(node.drain, nowMs) }),
    ...ageOf(node.seenAtMs, nowMs),
  };
}

function formatDrain({ kind, sinceAtMs, deadlineAtMs, isOver, emptyAtMs, reason }: Drain, nowMs: number) {
  const isEmpty = emptyAtMs !== undefined;
  const leftMs = isOver ? 0 : deadlineAtMs && Math.max(0, Math.round(deadlineAtMs - nowMs));
  return {
    State: kind === "cordon" ? "cordoned" : isEmpty ? "drained" : "draining",
    Since: toRfc3339(kind === "drain" && isEmpty ? emptyAtMs : sinceAtMs),
    ...(kind === "drain" && !isEmpty && leftMs !== undefined && { DeadlineLeftMs: leftMs }),
    ...(reason && { Reason: reason }),
  };
}

/** The orchestrator itself, where it runs no agent: always approved and connected. */
export function formatRequester(about: About, { nowMs }: { nowMs: number }) {
  return {
    Info: formatRequesterInfo(about),
    Membership: "APPROVED",
    Connection: "CONNECTED",
    ConnectionState: {
      Status: "CONNECTED",
      LastHeartbeat: toRfc3339(nowMs),
      ConnectedSince: ZERO_TIME,
      DisconnectedSince: ZERO_TIME,
    },
    ...ageOf(nowMs, nowMs),
  };
}

/** What an orchestrator without an agent says of itself. */
export function formatRequesterInfo(about: About) {
  return {
    NodeID: about.nodeId,
    NodeType: "Requester",
    Labels: {},
    SupportedProtocols: PROTOCOLS,
    ComputeNodeInfo: {
      ExecutionEngines: null,
      Publishers: null,
      StorageSources: null,
      MaxCapacity: {},
      QueueCapacity: {},
      AvailableCapacity: {},
      MaxJobRequirements: {},
      RunningExecutions: 0,
      EnqueuedExecutions: 0,
      address: "",
    },
    BacalhauVersion: formatVersion(about),
    SkerryVersion: about.version,
  };
}
