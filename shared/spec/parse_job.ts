/** Job specs at the door: Bacalhau's names in, the model out, or one error that tells everything that is wrong. */
import { LIMITS } from "../limits.ts";
import { looksLikeId } from "../model/ids.ts";
import { isEndless, isPerNode, type JobSpec, JobType, type Typed } from "../model/job.ts";
import { NO_RESOURCES, type Resources } from "../model/resources.ts";
import { Contents } from "./content.ts";
import { readFields } from "./fields.ts";
import { isReadable } from "./guard.ts";
import { checkJob, checkKeys } from "./job_rules.ts";
import {
  Health,
  Job as WrittenJobSchema,
  OnAgentRestart,
  Restart,
  Retry,
  Spread,
  StopGrace,
  StopSignal,
  SuccessExitCodes,
  Update,
  type WrittenJob,
} from "./job_schema.ts";
import { checkNodePolicies, type NodePolicies, readNodePolicies } from "./node_policies.ts";
import { parseTask } from "./parse_task.ts";
import { readRetry, readUpdate } from "./policies.ts";
import { type Path, type Place, Problems, quote } from "./problems.ts";
import { nearest } from "./suggest.ts";
import { whyNoJobName } from "./texts.ts";

/** What a job gets where it says nothing. */
export interface JobDefaults {
  readonly priority: number;
  readonly resources: Resources;
  /** Absent: no publisher. */
  readonly publisher?: Typed;
  /** 0 means none. */
  readonly executionTimeoutMs: number;
  readonly totalTimeoutMs: number;
}

/** Bacalhau's amounts; results go to the node's own publisher. */
export const JOB_DEFAULTS: JobDefaults = {
  priority: 0,
  resources: { ...NO_RESOURCES, cpuMillis: 500, memoryBytes: 512_000_000 },
  publisher: { type: "local", params: {} },
  executionTimeoutMs: 0,
  totalTimeoutMs: 0,
};

/** Docker's usual time. */
export const STOP_GRACE_DEFAULT_MS = 10_000;

/** What the reader brings. */
export interface ParseJobOptions {
  readonly defaults?: JobDefaults;
  /** What tasks of a namespace get in place of the default amounts. */
  readonly amountsOf?: (namespace: string) => Partial<Resources>;
  /** Where a path stands in the text that the value was read from. */
  readonly locate?: (path: Path) => Place | undefined;
}

/** A job as admitted, and what is stored beside it. */
export interface ParsedJob {
  readonly spec: JobSpec;
  /** Content by digest that the spec's inline inputs name. */
  readonly contents: Map<string, Uint8Array>;
  readonly warnings: string[];
}

/**
 * Reads a job spec. Keys of known structure match in any casing; null means absent. Never throws anything but
 * an `AppError` with code `invalid` that names every problem by its field.
 */
export function parseJob(value: unknown, options: ParseJobOptions = {}): ParsedJob {
  const problems = new Problems();
  const parsed = isReadable(value, problems) ? read(value, { ...options, problems }) : undefined;
  if (parsed && problems.count === 0) return parsed;
  throw problems.toError(subjectOf(value), options.locate);
}

function subjectOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return "the job";
  const name = Object.entries(value).find(([key]) => key.toLowerCase() === "name")?.[1];
  return typeof name === "string" && name.trim() !== "" ? `job ${quote(name)}` : "the job";
}

/** An amount that is set to undefined is none. */
function withAmounts(defaults: JobDefaults, amounts: Partial<Resources> = {}): JobDefaults {
  return { ...defaults, resources: { ...defaults.resources, ...amounts } };
}

function read(value: unknown, options: ParseJobOptions & { problems: Problems }): ParsedJob | undefined {
  const { problems, amountsOf } = options;
  const warnings: string[] = [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.add([], "must be an object with fields like Name and Tasks", value);
    return undefined;
  }
  const written = readFields(WrittenJobSchema, firstTaskOnly(value, warnings), { path: [], problems });
  if (!written) return undefined;
  warnOfOwned(written, warnings);
  const type = typeOf(written, problems);
  const { meta, ...extras } = readExtras(written, { type, warnings, problems });
  const contents = new Contents();
  const namespace = written.Namespace?.trim() || "default";
  const defaults = withAmounts(options.defaults ?? JOB_DEFAULTS, amountsOf?.(namespace));
  const task = parseTask(written.Tasks[0]!, { problems, contents, defaults, warnings });
  const spec: JobSpec = {
    name: written.Name || nameFrom(written.ID),
    namespace,
    type,
    priority: written.Priority || defaults.priority,
    count: isPerNode(type) ? 0 : written.Count ?? 1,
    constraints: (written.Constraints ?? []).map(({ Key, Operator, Values }) => ({
      key: Key,
      operator: Operator,
      values: Values ?? [],
    })),
    meta,
    labels: { ...written.Labels },
    task,
    ...extras,
  };
  checkKeys(meta, ["Meta"], problems);
  checkKeys(spec.labels, ["Labels"], problems);
  checkJob(spec, problems);
  checkLife(spec, written, problems);
  checkNodePolicies(spec, problems);
  checkSize(spec, problems);
  return { spec, contents: contents.byDigest, warnings };
}

/** Bacalhau takes the ID of a job without a name for its name. An ID that a server made is none. */
function nameFrom(id = ""): string {
  return looksLikeId(id) || whyNoJobName(id) ? "" : id;
}

function checkSize(spec: JobSpec, problems: Problems): void {
  const sizeBytes = JSON.stringify(spec).length;
  if (sizeBytes <= LIMITS.specBytesMax) return;
  const must = `must be at most ${LIMITS.specBytesMax} bytes as JSON, inline content not counted`;
  problems.add([], `${must}, current value is ${sizeBytes}`);
}

function firstTaskOnly(value: object, warnings: string[]): object {
  const [key, tasks] = Object.entries(value).find(([key]) => key.toLowerCase() === "tasks") ?? [];
  if (key === undefined || !Array.isArray(tasks) || tasks.length < 2) return value;
  warnings.push("only one task is supported per job");
  return { ...value, [key]: tasks.slice(0, 1) };
}

/** Fields that only the server sets, with the names that Bacalhau's warnings give them. */
const OWNED = [
  ["State", "state"],
  ["Revision", "revision"],
  ["Version", "version"],
  ["CreateTime", "create time"],
  ["ModifyTime", "modify time"],
] as const;

function warnOfOwned(written: WrittenJob, warnings: string[]): void {
  for (const [field, words] of OWNED) {
    if (!isZero(written[field])) warnings.push(`job ${words} is ignored when submitting a job`);
  }
  if (written.ID?.trim()) warnings.push("job ID is ignored when submitting a batch job");
}

/** What a Go client sends for a field that was never set. */
function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === 0 || value === "") return true;
  if (typeof value !== "object") return false;
  return Object.values(value).every((field) => isZero(field) || field === "Undefined");
}

function typeOf({ Type: type }: WrittenJob, problems: Problems): JobType {
  const written = type?.trim().toLowerCase() ?? "";
  if (written === "") return "batch";
  const known = JobType.options.find((one) => one === written);
  if (known === undefined) problems.add(["Type"], `must be one of ${JobType.options.join(", ")}`, type);
  return known ?? "batch";
}

/** What a life has no use for: asked for all the same, something else was meant. */
function checkLife({ type, task }: JobSpec, { Count: count }: WrittenJob, problems: Problems): void {
  if (isPerNode(type) && (count ?? 0) > 1) {
    problems.add(
      ["Count"],
      `must not be given for a job of type ${type}: it runs once on every node that matches`,
      count,
    );
  }
  if (!isEndless(type)) return;
  for (
    const [field, ms] of [["TotalTimeout", task.timeouts.totalMs], [
      "ExecutionTimeout",
      task.timeouts.executionMs,
    ]] as const
  ) {
    if (ms > 0) {
      problems.add(
        ["Tasks", 0, "Timeouts", field],
        `must not be given for a job of type ${type}, which has no end`,
        ms / 1000,
      );
    }
  }
}

/** Fields of Skerry's own, which travel in `Meta` where a client knows Bacalhau's fields only. */
const EXTRAS = {
  Retry: { key: "skerry/retry", schema: Retry, example: '{"attempts":2}' },
  Update: { key: "skerry/update", schema: Update, example: '{"maxParallel":2}' },
  Restart: { key: "skerry/restart", schema: Restart, example: '{"attempts":5}' },
  OnAgentRestart: { key: "skerry/onAgentRestart", schema: OnAgentRestart, example: '"restart"' },
  StopSignal: { key: "skerry/stopSignal", schema: StopSignal, example: '"SIGINT"' },
  Health: { key: "skerry/health", schema: Health, example: '{"exec":{"command":["check"]}}' },
  SuccessExitCodes: { key: "skerry/successExitCodes", schema: SuccessExitCodes, example: "[0,3]" },
  StopGrace: { key: "skerry/stopGrace", schema: StopGrace, example: '"10s"' },
  Spread: { key: "skerry/spread", schema: Spread, example: '["rack"]' },
} as const;

/** Words and durations need no quotes there. */
const UNQUOTED: ReadonlySet<string> = new Set(["StopGrace", "StopSignal", "OnAgentRestart"]);

type Extras =
  & Pick<JobSpec, "retry" | "update" | "successExitCodes" | "stopGraceMs" | "spread" | "meta">
  & NodePolicies;

function readExtras(
  written: WrittenJob,
  { type, warnings, problems }: { type: JobType; warnings: string[]; problems: Problems },
): Extras {
  const meta: Record<string, string> = {};
  const fields: Pick<WrittenJob, keyof typeof EXTRAS> = {};
  for (const [key, text] of Object.entries(written.Meta ?? {})) {
    if (key.startsWith("bacalhau.org/")) {
      warnings.push(`job meta key ${quote(key)} is reserved and will be ignored`);
    } else if (key.toLowerCase().startsWith("skerry/")) {
      readExtra(key, text, { fields, problems });
    } else meta[key] = text;
  }
  for (const field of Object.keys(EXTRAS) as (keyof typeof EXTRAS)[]) {
    if (written[field] === undefined) continue;
    if (fields[field] !== undefined) {
      warnings.push(`job meta key "${EXTRAS[field].key}" is ignored: ${field} is given`);
    }
    Object.assign(fields, { [field]: written[field] });
  }
  const update = readUpdate(fields.Update, type);
  if (fields.Update && !update) {
    problems.add(["Update"], "must be given for jobs of type service and daemon only", type);
  }
  const policies = readNodePolicies(fields, type);
  const isRunAgain = fields.Retry !== undefined ||
    (!isEndless(type) && (policies.restart?.attempts ?? 0) > 0);
  const codes = fields.SuccessExitCodes ?? (isRunAgain ? [0] : undefined);
  return {
    meta,
    retry: readRetry(fields.Retry),
    ...(update && { update }),
    ...(codes && { successExitCodes: [...new Set(codes)].sort((a, b) => a - b) }),
    spread: [...new Set(fields.Spread ?? [])],
    stopGraceMs: fields.StopGrace ?? STOP_GRACE_DEFAULT_MS,
    ...policies,
  };
}

function readExtra(
  key: string,
  text: string,
  { fields, problems }: { fields: Record<string, unknown>; problems: Problems },
): void {
  const path = ["Meta", key];
  const names = Object.entries(EXTRAS);
  const [field, extra] = names.find(([, { key: known }]) => known.toLowerCase() === key.toLowerCase()) ?? [];
  if (!field || !extra) {
    const known = names.map(([, { key }]) => key);
    const near = nearest(key, known);
    const guess = near ? `did you mean ${quote(near)}?` : `known here: ${known.join(", ")}`;
    problems.add(path, `is not a known field; ${guess}`);
    return;
  }
  let value: unknown = text;
  try {
    value = JSON.parse(text);
  } catch {
    if (!UNQUOTED.has(field)) return problems.add(path, `must be JSON like ${extra.example}`, text);
  }
  if (isReadable(value, problems)) fields[field] = readFields(extra.schema, value, { path, problems });
}
