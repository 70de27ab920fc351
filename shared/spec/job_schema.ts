/**
 * A job spec as users write it: Bacalhau's names, plus some of Skerry's own from `Retry` on. The shapes only
 * say what a field may hold; what fields mean together is in `job_rules.ts`.
 */
import { z } from "zod";
import { ERRORS } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Operator } from "../model/constraint.ts";
import { StopSignal as StopSignalName } from "../model/policy.ts";
import { parseBytes, parseCpu, parseDuration } from "./units.ts";
import { whyNoJobName, whyNoLine, whyNoName, whyNoPath, whyNoText } from "./texts.ts";

/** A string that the rule has nothing against. */
function checked(whyNot: (text: string) => string | undefined): z.ZodType<string, string> {
  return z.string().superRefine((text, context) => {
    const why = whyNot(text);
    if (why) context.addIssue({ code: "custom", message: why });
  });
}

/** A name, key or label. */
export const Name = checked(whyNoName);
/** A job's name. */
export const JobName = checked(whyNoJobName);
/** One line, such as a URL. */
export const Line = checked(whyNoLine);
/** A longer text, such as an argument. */
export const Text = checked(whyNoText);
/** A path inside the task. */
export const TaskPath = checked(whyNoPath);

/** A string, or a number that stands for it, read by `parse`; blank means absent. */
function amount(parse: (text: string) => number | undefined, { must, max }: { must: string; max: number }) {
  return z.union([z.string(), z.number()], { error: must }).transform((written, context) => {
    const text = String(written).trim();
    if (text === "") return undefined;
    const parsed = parse(text);
    if (parsed !== undefined && parsed <= max) return parsed;
    context.addIssue({ code: "custom", message: must });
    return z.NEVER;
  });
}

const parseCount = (text: string) => /^\d{1,6}$/.test(text) ? Number(text) : undefined;
/** Seconds as a number or digits, or a duration with units; in ms. */
const parseSeconds = (text: string) => /^\d{1,12}$/.test(text) ? Number(text) * 1000 : parseDuration(text);

const timeout = amount((text) => {
  const parsedMs = parseSeconds(text);
  return parsedMs !== undefined && parsedMs % 1000 === 0 ? parsedMs : undefined;
}, {
  must: 'must be whole seconds from 0 to ten years, as a number or like "90s" or "10m"',
  max: LIMITS.timeoutMsMax,
});

/** Between stop signal and kill, in seconds or with units; read as ms. */
export const StopGrace = amount(parseSeconds, {
  must: 'must be from 0 to one hour, in seconds or like "10s"',
  max: LIMITS.stopGraceMsMax,
});

const wholeNumber = (min: number, max: number) => {
  const must = `must be a whole number from ${min} to ${max}`;
  return z.number({ error: must }).refine(
    (value) => Number.isInteger(value) && value >= min && value <= max,
    must,
  );
};

/** One of a few words, in any casing. */
const word = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.string().transform((written) => written.trim().toLowerCase()).pipe(
    z.enum(words, { error: `must be one of ${words.join(", ")}` }),
  );

/** A pause, in seconds or with units; read as ms. */
const pause = amount(parseSeconds, {
  must: 'must be from 0 to one day, in seconds or like "10s"',
  max: LIMITS.retryDelayMsMax,
});

const PORT = "must be a port from 1 to 65535, or the name of one in Network.Ports";

const EXIT_OR_ERROR = 'must be an exit code, or an error code such as "program_failed"';
const ExitOrError = z.union([z.number(), z.string()], { error: EXIT_OR_ERROR }).refine(
  (one) =>
    typeof one === "string" ? Object.hasOwn(ERRORS, one) : Number.isInteger(one) && one >= -1 && one <= 255,
  EXIT_OR_ERROR,
);

/** New attempts for each partition. */
export const Retry = z.object({
  Attempts: wholeNumber(0, LIMITS.retryAttemptsMax).optional(),
  LostAttempts: wholeNumber(0, LIMITS.retryAttemptsMax).optional(),
  Delay: pause.optional(),
  MaxDelay: pause.optional(),
  On: z.array(ExitOrError).min(1).max(64).optional(),
  Node: word(["any", "other", "same"]).optional(),
});

/** How a new version of a job without an end takes over. */
export const Update = z.object({
  MaxParallel: wholeNumber(1, LIMITS.jobCountMax).optional(),
  AutoRollback: z.boolean().optional(),
  ProgressDeadline: amount((text) => parseSeconds(text) || undefined, {
    must: 'must be more than 0 and at most one day, in seconds or like "10m"',
    max: LIMITS.retryDelayMsMax,
  }).optional(),
});

/** Starts in place of a task that crashed. */
export const Restart = z.object({
  Attempts: wholeNumber(0, LIMITS.retryAttemptsMax).optional(),
  Interval: amount((text) => parseSeconds(text) || undefined, {
    must: 'must be more than 0 and at most 30 days, in seconds or like "10m"',
    max: LIMITS.restartIntervalMsMax,
  }).optional(),
  Delay: pause.optional(),
  MaxDelay: pause.optional(),
  Mode: word(["fail", "delay"]).optional(),
});

/** What becomes of an execution that the agent finds at its start. */
export const OnAgentRestart = word(["reattach", "restart", "fail"]);

/** With or without `SIG`, in any casing. */
export const StopSignal = z.string().transform((written, context) => {
  const name = `SIG${written.trim().toUpperCase().replace(/^SIG/, "")}`;
  const found = StopSignalName.options.find((one) => one === name);
  if (found) return found;
  context.addIssue({ code: "custom", message: `must be one of ${StopSignalName.options.join(", ")}` });
  return z.NEVER;
});

/** More than 0, such as how often or how long a check is. */
const span = (leastMs: number, mostMs: number, must: string) =>
  amount((text) => {
    const parsedMs = parseSeconds(text);
    return parsedMs !== undefined && parsedMs >= leastMs ? parsedMs : undefined;
  }, { must, max: mostMs });

/** How it is found out whether a task does its work. */
export const Health = z.object({
  MinHealthyTime: pause.optional(),
  StartPeriod: pause.optional(),
  Interval: span(
    1_000,
    LIMITS.retryDelayMsMax,
    'must be from one second to one day, in seconds or like "10s"',
  )
    .optional(),
  Timeout: span(1, LIMITS.stopGraceMsMax, 'must be more than 0 and at most one hour, in seconds or like "5s"')
    .optional(),
  Retries: wholeNumber(1, LIMITS.retryAttemptsMax).optional(),
  HTTP: z.object({
    Port: z.union([z.number(), Name], { error: PORT }).refine(
      (port) => typeof port === "string" || (Number.isInteger(port) && port >= 1 && port <= 65_535),
      PORT,
    ),
    Path: Line.optional(),
  }).optional(),
  Exec: z.object({ Command: z.array(Text).min(1).max(LIMITS.inputsMax) }).optional(),
});

/** Exit codes that count as success. */
export const SuccessExitCodes = z.array(wholeNumber(-1, 255)).min(1).max(257);

/** Label keys over whose values executions are spread. */
export const Spread = z.array(Name).max(LIMITS.spreadMax);

/** An adapter's name and its parameters. */
export const Typed = z.object({
  Type: Name,
  Params: z.record(z.string(), z.unknown()).optional(),
});

/** One input. */
export const InputSource = z.object({
  Source: Typed,
  Alias: Line.optional(),
  Target: checked((text) => text.trim() === "" ? undefined : whyNoPath(text)).optional(),
});

/** A folder that is kept as a result. */
export const ResultPath = z.object({ Name, Path: TaskPath });

/** `Exists` and `DoesNotExist` are Kubernetes' own words for `exists` and `!`. */
const OPERATORS: Readonly<Record<string, Operator>> = {
  ...Object.fromEntries(Operator.options.map((operator) => [operator, operator])),
  doesnotexist: "!",
};

const OperatorText = z.string().transform((written, context) => {
  const operator = Object.hasOwn(OPERATORS, written.toLowerCase())
    ? OPERATORS[written.toLowerCase()]
    : undefined;
  if (operator) return operator;
  context.addIssue({ code: "custom", message: `must be one of ${Operator.options.join(", ")}` });
  return z.NEVER;
});

/** A requirement on a node's labels. */
export const Constraint = z.object({
  Key: Name,
  Operator: OperatorText,
  Values: z.array(Text).max(LIMITS.constraintValuesMax).optional(),
});

/** A port, by Bacalhau's bounds; 0 is none, as its clients write it. */
export const Port = z.object({
  Name,
  Static: wholeNumber(0, 65535).refine((port) => port === 0 || port >= 1024, "must not be below 1024")
    .optional(),
  Target: wholeNumber(0, 65535).optional(),
  HostNetwork: Line.optional(),
});

const NETWORKS = ["Default", "None", "Host", "Full", "HTTP", "Bridge"];

const NetworkTypeText = z.string().transform((written, context) => {
  const found = NETWORKS.find((name) => name.toLowerCase() === written.trim().toLowerCase());
  if (found) return found.toLowerCase() as "default" | "none" | "host" | "full" | "http" | "bridge";
  context.addIssue({ code: "custom", message: `must be one of ${NETWORKS.join(", ")}` });
  return z.NEVER;
});

/** What one execution runs. */
export const Task = z.object({
  Name: Name.optional(),
  Engine: Typed,
  Publisher: Typed.partial().optional(),
  Env: z.record(z.string(), Text).optional(),
  Meta: z.record(z.string(), Text).optional(),
  InputSources: z.array(InputSource).max(LIMITS.inputsMax).optional(),
  ResultPaths: z.array(ResultPath).max(LIMITS.inputsMax).optional(),
  Resources: z.object({
    CPU: amount(parseCpu, {
      must: `must be cores like "500m", "2" or "0.5", at most ${LIMITS.cpuMillisMax / 1000}`,
      max: LIMITS.cpuMillisMax,
    }).optional(),
    Memory: amount(parseBytes, {
      must: 'must be bytes like "512Mb" or "2GiB", at most 1PiB',
      max: LIMITS.memoryBytesMax,
    })
      .optional(),
    Disk: amount(parseBytes, {
      must: 'must be bytes like "10Gb" or "1GiB", at most 4PiB',
      max: LIMITS.diskBytesMax,
    })
      .optional(),
    GPU: amount(parseCount, {
      must: `must be a whole number from 0 to ${LIMITS.gpuCountMax}`,
      max: LIMITS.gpuCountMax,
    })
      .optional(),
  }).optional(),
  Network: z.object({
    Type: NetworkTypeText.optional(),
    Domains: z.array(Line).max(LIMITS.inputsMax).optional(),
    Ports: z.array(Port).max(LIMITS.portsMax).optional(),
  }).optional(),
  Timeouts: z.object({
    ExecutionTimeout: timeout.optional(),
    QueueTimeout: timeout.optional(),
    TotalTimeout: timeout.optional(),
  }).optional(),
});

/** Fields that the server sets; whatever a client sends in them is ignored. */
const owned = z.unknown().optional();

/** A whole job. What the server owns is accepted and ignored. */
export const Job = z.object({
  ID: Name.optional(),
  Name: JobName.optional(),
  Namespace: Name.optional(),
  Type: z.string().optional(),
  Priority: wholeNumber(0, LIMITS.priorityMax).optional(),
  Count: wholeNumber(0, LIMITS.jobCountMax).optional(),
  Constraints: z.array(Constraint).max(LIMITS.constraintsMax).optional(),
  Meta: z.record(z.string(), Text).optional(),
  Labels: z.record(z.string(), Name).optional(),
  Tasks: z.array(Task, { error: "must be a list with one task" }).min(1, {
    error: "must be a list with one task",
  }),
  Retry: Retry.optional(),
  Update: Update.optional(),
  Restart: Restart.optional(),
  OnAgentRestart: OnAgentRestart.optional(),
  StopSignal: StopSignal.optional(),
  Health: Health.optional(),
  SuccessExitCodes: SuccessExitCodes.optional(),
  StopGrace: StopGrace.optional(),
  Spread: Spread.optional(),
  State: owned,
  Version: owned,
  Revision: owned,
  CreateTime: owned,
  ModifyTime: owned,
});

/** A job as written, its amounts read. */
export type WrittenJob = z.output<typeof Job>;
/** A task as written. */
export type WrittenTask = z.output<typeof Task>;
/** An input as written. */
export type WrittenInput = z.output<typeof InputSource>;

/** Parameters of the engine `wasm`: modules by the target of an input, or (legacy) as inputs of their own. */
export const WasmParams = z.object({
  EntryModule: z.union([TaskPath, z.looseObject({})], { error: "must be the Target of an input source" }),
  Entrypoint: Name.optional(),
  Parameters: z.array(Text).optional(),
  ImportModules: z.array(
    z.union([TaskPath, z.looseObject({})], { error: "must be the Target of an input source" }),
  )
    .max(LIMITS.inputsMax).optional(),
  EnvironmentVariables: z.record(z.string(), Text).optional(),
});

/** Parameters of the input `inline`: a `data:` URL, or the digest of content that the store has already. */
export const InlineParams = z.object({
  URL: z.string().optional(),
  Digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, { error: 'must be "sha256:" and 64 hex digits' })
    .optional(),
  SizeBytes: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  MediaType: Name.optional(),
});

/** Parameters of the input `local`. */
export const LocalParams = z.object({
  SourcePath: TaskPath.refine((path) => path.startsWith("/"), "must be an absolute path"),
  ReadWrite: z.boolean().optional(),
  CreateAs: z.string().transform((written, context) => {
    const found = ["dir", "file", "noCreate"].find((word) => word.toLowerCase() === written.toLowerCase());
    if (found) return found;
    context.addIssue({ code: "custom", message: "must be one of dir, file, noCreate" });
    return z.NEVER;
  }).optional(),
});
