/** What the server answers, read into what commands show. A field that is missing or strange is absent, never an error. */

/** Any JSON object. */
export type Wire = Readonly<Record<string, unknown>>;

/** A job. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly type: string;
  readonly version: number;
  /** Partitions; of types that have one for each node: so far. */
  readonly count: number;
  /** Of types without an end. */
  readonly rollout: RolloutView | undefined;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Lower case: `pending`, `queued`, `running`, `completed`, `failed`, `stopped`. */
  readonly state: string;
  readonly message: string;
  readonly hint: string;
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly wire: Wire;
}

/** How far the latest version of a job without an end has come. */
export interface RolloutView {
  /** `rolling`, `good` or `failed`. */
  readonly state: string;
  readonly upCount: number;
  readonly sinceAtMs: number;
  readonly message: string;
  readonly rolledBackFrom?: number;
}

/** An execution. */
export interface ExecutionView {
  readonly id: string;
  readonly jobId: string;
  readonly nodeId: string;
  /** Of its job. */
  readonly version: number;
  readonly partition: number;
  readonly state: string;
  readonly desired: string;
  readonly message: string;
  readonly hint: string;
  /** Absent until it has ended. */
  readonly exitCode?: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether there was more output than is told here. */
  readonly isTruncated: boolean;
  /** What the name of its image stood for; empty for modules, and before it is known. */
  readonly image: string;
  /** `http 127.0.0.1:8080 → 80` for each port that its node has given it. */
  readonly ports: readonly string[];
  /** `healthy`, `unhealthy`, `unknown`; empty where nobody watches. */
  readonly health: string;
  /** How often its node started it again in place. */
  readonly restarts: number;
  /** How the run before ended; empty when there was none. */
  readonly lastExit: string;
  readonly previousId: string;
  readonly nextId: string;
  readonly createdAtMs: number;
  readonly modifiedAtMs: number;
  readonly wire: Wire;
}

/** An event of a history. */
export interface EventView {
  readonly atMs: number;
  readonly isJob: boolean;
  readonly executionId: string;
  readonly topic: string;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
  readonly wire: Wire;
}

/** A node. */
export interface NodeView {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly membership: string;
  readonly connection: string;
  /** 0 when it has never been seen. */
  readonly seenAtMs: number;
  readonly since: number;
  readonly engines: readonly string[];
  readonly inputs: readonly string[];
  readonly publishers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly running: number;
  readonly queued: number;
  readonly capacity: Wire;
  readonly available: Wire;
  readonly version: string;
  /** Of containers. */
  readonly networks: readonly string[];
  /** Why an adapter is not offered: adapter → reason. */
  readonly absent: Readonly<Record<string, string>>;
  readonly error: string;
  /** It gets nothing new. `leftMs`: until what is there is stopped. */
  readonly drain?: {
    readonly state: string;
    readonly since: number;
    readonly leftMs?: number;
    readonly reason: string;
  };
  readonly wire: Wire;
}

const JOB_TERMINAL: ReadonlySet<string> = new Set(["completed", "failed", "stopped"]);

/** Whether a job in this state will change no more. */
export const isTerminal = (state: string): boolean => JOB_TERMINAL.has(state);

/** Bacalhau's numbers for the states of an execution, in the words of Skerry. */
const EXECUTION_STATES = [
  "undefined",
  "placed",
  "placed",
  "queued",
  "refused",
  "queued",
  "running",
  "publishing",
  "refused",
  "completed",
  "failed",
  "stopped",
];
const DESIRED_STATES = ["pending", "run", "stop"];
const EXECUTION_TERMINAL: ReadonlySet<string> = new Set([
  "completed",
  "failed",
  "stopped",
  "refused",
  "lost",
]);

/** Whether an execution in this state has ended. */
export const hasEnded = (state: string): boolean => EXECUTION_TERMINAL.has(state);

/** From the `Job` of an answer. */
export function readJob(value: unknown): JobView {
  const state = recordAt(value, "State");
  const details = recordAt(state, "Details");
  return {
    id: textAt(value, "ID") ?? "",
    name: textAt(value, "Name") ?? "",
    namespace: textAt(value, "Namespace") ?? "",
    type: textAt(value, "Type") ?? "",
    version: numberAt(value, "Version") ?? 1,
    count: numberAt(value, "Count") ||
      Number(textAt(details, "PartitionCount") ?? numberAt(value, "Count") ?? 1),
    rollout: readRollout(details),
    priority: numberAt(value, "Priority") ?? 0,
    labels: textsAt(value, "Labels"),
    state: (textAt(state, "StateType") ?? "unknown").toLowerCase(),
    message: textAt(state, "Message") ?? "",
    hint: textAt(details, "Hint") ?? "",
    createdAtMs: msAt(value, "CreateTime"),
    modifiedAtMs: msAt(value, "ModifyTime"),
    wire: asRecord(value),
  };
}

/** Why a version will not do, where it is said already which, and that it will not. */
export const rolloutReason = (message = ""): string => message.replace(/^version \d+ will not do: /, "");

function readRollout(details: unknown): RolloutView | undefined {
  const state = textAt(details, "Rollout");
  if (state === undefined) return undefined;
  return {
    state,
    upCount: Number(textAt(details, "UpCount") ?? 0),
    sinceAtMs: Number(textAt(details, "RolloutSince") ?? 0),
    message: rolloutReason(textAt(details, "RolloutMessage")),
    ...(textAt(details, "RolledBackFrom") && { rolledBackFrom: Number(textAt(details, "RolledBackFrom")) }),
  };
}

/** Whether there is nothing to wait for: it has ended, or it has no end, and its latest version is up or will not do. */
export const isSettled = ({ state, rollout }: JobView): boolean =>
  isTerminal(state) || (rollout !== undefined && rollout.state !== "rolling");

/** Where a port is reached, and where it leads to in the container when that is another. */
export function formatPort(value: unknown): string {
  const [port, target] = [numberAt(value, "Static"), numberAt(value, "Target")];
  const address = textAt(value, "HostNetwork");
  const at = address === undefined ? "" : address.includes(":") ? `[${address}]:` : `${address}:`;
  const outside = port === undefined && at === "" ? "" : ` ${at}${port ?? "any"}`;
  const inside = target === undefined || target === port ? "" : ` → ${target}`;
  return `${textAt(value, "Name") ?? ""}${outside}${inside}`;
}

/** From an item of `Executions`. */
export function readExecution(value: unknown): ExecutionView {
  const observed = recordAt(value, "ComputeState");
  const details = recordAt(observed, "Details");
  const desired = recordAt(value, "DesiredState");
  const output = recordAt(value, "RunOutput");
  const image = recordAt(value, "Image");
  // Skerry tells its own phase beside Bacalhau's coarser number.
  const state = textAt(details, "Phase") ?? stateOf(observed, EXECUTION_STATES);
  return {
    id: textAt(value, "ID") ?? "",
    jobId: textAt(value, "JobID") ?? "",
    nodeId: textAt(value, "NodeID") ?? "",
    version: numberAt(value, "JobVersion") ?? 1,
    partition: numberAt(value, "PartitionIndex") ?? 0,
    state,
    desired: stateOf(desired, DESIRED_STATES),
    message: textAt(observed, "Message") || textAt(desired, "Message") || "",
    hint: textAt(details, "Hint") ?? "",
    exitCode: exitCodeOf(output, state),
    stdout: textAt(output, "Stdout") ?? "",
    stderr: textAt(output, "stderr") ?? textAt(output, "Stderr") ?? "",
    isTruncated: output.StdoutTruncated === true || output.StderrTruncated === true,
    image: textAt(image, "Digest") ?? textAt(image, "ID") ?? "",
    ports: itemsOf(asRecord(value), "Ports").map(formatPort),
    health: textAt(details, "Health") ?? "",
    restarts: Number(textAt(details, "Restarts") ?? 0),
    lastExit: textAt(details, "LastExit") ?? "",
    previousId: textAt(value, "PreviousExecution") ?? "",
    nextId: textAt(value, "NextExecution") ?? "",
    createdAtMs: msAt(value, "CreateTime"),
    modifiedAtMs: msAt(value, "ModifyTime"),
    wire: asRecord(value),
  };
}

/** Absent until the end, and when the program never came to one: then servers say -1. */
function exitCodeOf(output: Wire, state: string): number | undefined {
  const code = numberAt(output, "ExitCode");
  if (!hasEnded(state) || (code === -1 && state !== "completed")) return undefined;
  return code;
}

/** From an item of `History`. */
export function readEvent(value: unknown): EventView {
  const event = recordAt(value, "Event");
  return {
    atMs: timeAt(value, "Time") || timeAt(event, "Timestamp"),
    isJob: textAt(value, "Type") !== "ExecutionLevel",
    executionId: textAt(value, "ExecutionID") ?? "",
    topic: textAt(event, "Topic") ?? "",
    message: textAt(event, "Message") ?? "",
    details: textsAt(event, "Details"),
    wire: asRecord(value),
  };
}

/** From a `Node` of an answer. */
export function readNode(value: unknown): NodeView {
  const node = recordAt(value, "Info");
  const compute = recordAt(node, "ComputeNodeInfo");
  const link = recordAt(value, "ConnectionState");
  const labels = textsAt(node, "Labels");
  const connection = (textAt(value, "Connection") ?? textAt(link, "Status") ?? "unknown").toLowerCase();
  return {
    id: textAt(node, "NodeID") ?? "",
    name: labels.name ?? labels.hostname ?? "",
    type: (textAt(node, "NodeType") ?? "").toLowerCase(),
    membership: (textAt(value, "Membership") ?? "unknown").toLowerCase(),
    connection,
    seenAtMs: timeAt(link, "LastHeartbeat"),
    since: timeAt(link, connection === "connected" ? "ConnectedSince" : "DisconnectedSince"),
    engines: listAt(compute, "ExecutionEngines"),
    inputs: listAt(compute, "StorageSources"),
    publishers: listAt(compute, "Publishers"),
    labels,
    running: numberAt(compute, "RunningExecutions") ?? 0,
    queued: numberAt(compute, "EnqueuedExecutions") ?? 0,
    capacity: recordAt(compute, "MaxCapacity"),
    available: recordAt(compute, "AvailableCapacity"),
    version: textAt(node, "SkerryVersion") ?? textAt(recordAt(node, "BacalhauVersion"), "GitVersion") ?? "",
    networks: listAt(node, "Networks"),
    absent: textsAt(node, "Absent"),
    error: textAt(link, "LastError") ?? "",
    ...(asRecord(value).Drain !== undefined && { drain: readDrain(recordAt(value, "Drain")) }),
    wire: asRecord(value),
  };
}

function readDrain(drain: Wire): NonNullable<NodeView["drain"]> {
  const leftMs = numberAt(drain, "DeadlineLeftMs");
  return {
    state: textAt(drain, "State") ?? "",
    since: timeAt(drain, "Since"),
    reason: textAt(drain, "Reason") ?? "",
    ...(leftMs !== undefined && { leftMs }),
  };
}

/** The list under `key`, or nothing. */
export function itemsOf(value: unknown, key = "Items"): readonly unknown[] {
  const items = asRecord(value)[key];
  return Array.isArray(items) ? items : [];
}

/** An object as it is; anything else is empty. */
export function asRecord(value: unknown): Wire {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Wire : {};
}

/** The object under `key`, or an empty one. */
export function recordAt(value: unknown, key: string): Wire {
  return asRecord(asRecord(value)[key]);
}

/** The text under `key`. */
export function textAt(value: unknown, key: string): string | undefined {
  const found = asRecord(value)[key];
  return typeof found === "string" ? found : undefined;
}

/** The number under `key`. */
export function numberAt(value: unknown, key: string): number | undefined {
  const found = asRecord(value)[key];
  return typeof found === "number" || typeof found === "bigint" ? Number(found) : undefined;
}

/** Nanoseconds since 1970 as ms. */
function msAt(value: unknown, key: string): number {
  return (numberAt(value, key) ?? 0) / 1e6;
}

/** RFC 3339 as ms; Go's zero time and anything else is 0. */
function timeAt(value: unknown, key: string): number {
  const ms = Date.parse(textAt(value, key) ?? "");
  return Number.isNaN(ms) || ms < 0 ? 0 : ms;
}

function listAt(value: unknown, key: string): readonly string[] {
  return itemsOf(value, key).map(String);
}

function textsAt(value: unknown, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(recordAt(value, key)).map(([name, text]) => [name, String(text)]));
}

function stateOf(value: Wire, names: readonly string[]): string {
  const written = value.StateType;
  if (typeof written === "number") return names[written] ?? `state ${written}`;
  return typeof written === "string" ? written.toLowerCase() : "unknown";
}
