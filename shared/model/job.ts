/** What a user submits, and what became of it. */
import { z } from "zod";
import { Constraint } from "./constraint.ts";
import { JobId } from "./ids.ts";
import { JobImage } from "./image.ts";
import { PortWish } from "./port.ts";
import { HealthCheck, OnAgentRestart, RestartPolicy, StopSignal } from "./policy.ts";
import { Resources } from "./resources.ts";

/** An adapter by name, with parameters that only the adapter reads. Keys keep the spec's casing. */
export const Typed = z.object({ type: z.string(), params: z.record(z.string(), z.unknown()) });
export type Typed = Readonly<z.infer<typeof Typed>>;

/** Publisher types that publish nothing: every node has them. */
export const PUBLISHES_NOTHING: ReadonlySet<string> = new Set(["", "none", "noop"]);

/** One input: where it comes from, and where the task sees it. */
export const InputSource = z.object({
  source: Typed,
  alias: z.string(),
  /** Absolute path inside the task. */
  target: z.string(),
});
export type InputSource = Readonly<z.infer<typeof InputSource>>;

/** A folder of the task that is kept as a result, under this name. */
export const ResultPath = z.object({ name: z.string(), path: z.string() });
export type ResultPath = Readonly<z.infer<typeof ResultPath>>;

/** What network a task asks for. */
export const NetworkType = z.enum(["default", "none", "host", "full", "http", "bridge"]);

/** What one execution runs. */
export const Task = z.object({
  name: z.string(),
  engine: Typed,
  /** Absent: results are not published. */
  publisher: Typed.optional(),
  env: z.record(z.string(), z.string()),
  meta: z.record(z.string(), z.string()),
  inputs: z.array(InputSource),
  resultPaths: z.array(ResultPath),
  resources: Resources,
  network: z.object({ type: NetworkType, domains: z.array(z.string()), ports: z.array(PortWish).optional() }),
  /** 0 means none. */
  timeouts: z.object({
    executionMs: z.number().int().nonnegative(),
    queueMs: z.number().int().nonnegative(),
    totalMs: z.number().int().nonnegative(),
  }),
});
export type Task = Readonly<z.infer<typeof Task>>;

/**
 * The lives that a job can have; reconcile has one branch for each. `batch`: each partition once. `ops`: once on every node
 * that matches when it is submitted. `service`: the count kept up for ever. `daemon`: one on every node that matches, also
 * on those that join later.
 */
export const JobType = z.enum(["batch", "ops", "service", "daemon"]);
export type JobType = z.infer<typeof JobType>;

/** Whether a job of the type goes on until somebody stops it: its tasks are not meant to end. */
export const isEndless = (type: JobType): boolean => type === "service" || type === "daemon";
/** Whether nodes, and not a count, say how many executions a job of the type has. */
export const isPerNode = (type: JobType): boolean => type === "ops" || type === "daemon";

/** What happens when an execution did not end well. */
export const RetryPolicy = z.object({
  /** New attempts after a program failure, for each partition. */
  attempts: z.number().int().nonnegative(),
  /** New attempts after an execution was lost, interrupted or refused, for each partition. */
  lostAttempts: z.number().int().nonnegative(),
  /** Pause before the second attempt after a failure, which doubles from then on; absent: 1 s. */
  delayMs: z.number().int().nonnegative().optional(),
  /** The longest pause; absent: 1 min. */
  maxDelayMs: z.number().int().nonnegative().optional(),
  /** The program failures that are worth another attempt: codes of `shared/errors.ts` and exit codes; absent: all. */
  on: z.array(z.union([z.string(), z.number().int()])).optional(),
  /** Where the next attempt after a failure goes: absent, another node if one fits; `other`, never the same; `same`, if it fits. */
  node: z.enum(["any", "other", "same"]).optional(),
});
export type RetryPolicy = Readonly<z.infer<typeof RetryPolicy>>;

/** How a new version of a job without an end takes over. */
export const UpdatePolicy = z.object({
  /** Places that may be down at a time; ≥ 1. */
  maxParallel: z.number().int().positive(),
  /** A version that will not do is replaced by the last one that did. */
  autoRollback: z.boolean(),
  /** A version of which nothing more has come up for so long will not do; milliseconds. */
  progressMs: z.number().int().positive(),
});
export type UpdatePolicy = Readonly<z.infer<typeof UpdatePolicy>>;

/** What holds where a job says nothing. */
export const UPDATE_DEFAULT: UpdatePolicy = { maxParallel: 1, autoRollback: true, progressMs: 600_000 };

/** How far the latest version of a job without an end has come. */
export const Rollout = z.object({
  /** `rolling`: not yet was all of it up at once. `good`: it was. `failed`: it will not do, and nothing takes its place. */
  state: z.enum(["rolling", "good", "failed"]),
  /** Places where it is up, or was when it became good or failed. */
  upCount: z.number().int().nonnegative(),
  /** Unix ms. */
  sinceAtMs: z.number(),
  /** The latest version that was good. */
  goodVersion: z.number().int().positive().optional(),
  /** The version that would not do, and in whose place this one came. */
  rolledBackFrom: z.number().int().positive().optional(),
  /** Why it, or the version before it, would not do. */
  message: z.string().optional(),
});
export type Rollout = Readonly<z.infer<typeof Rollout>>;

/** A job as admitted: complete, defaults filled in, immutable for its version. */
export const JobSpec = z.object({
  name: z.string(),
  namespace: z.string(),
  type: JobType,
  /** Higher goes first; ≥ 0. */
  priority: z.number().int(),
  /** Number of partitions; 0 for types that have one for each node. */
  count: z.number().int().nonnegative(),
  constraints: z.array(Constraint),
  /** Label keys over whose values the executions are spread, such as `rack`. */
  spread: z.array(z.string()),
  meta: z.record(z.string(), z.string()),
  labels: z.record(z.string(), z.string()),
  task: Task,
  retry: RetryPolicy,
  /** Of jobs without an end; absent: the default. */
  update: UpdatePolicy.optional(),
  /** Exit codes that count as success. Absent: every exit code completes the execution (Bacalhau's meaning),
   * unless the job names a retry policy: then only 0 does. */
  successExitCodes: z.array(z.number().int()).optional(),
  /** Between the stop signal and the kill. */
  stopGraceMs: z.number().int().nonnegative(),
  /** What asks a task to end; absent: what its image says, else SIGTERM. */
  stopSignal: StopSignal.optional(),
  /** Absent: that of the type, see `restart_default.ts`. */
  restart: RestartPolicy.optional(),
  /** Absent: reattach. */
  onAgentRestart: OnAgentRestart.optional(),
  /** Absent: `HEALTH_DEFAULT` for types without an end, none for the others. */
  health: HealthCheck.optional(),
});
export type JobSpec = Readonly<z.infer<typeof JobSpec>>;

/** Where a job is in its life. */
export const JobPhase = z.enum(["pending", "queued", "running", "completed", "failed", "stopped"]);
export type JobPhase = z.infer<typeof JobPhase>;

/** Phases that a job never leaves within one version. */
export const JOB_TERMINAL: ReadonlySet<JobPhase> = new Set(["completed", "failed", "stopped"]);

/** A job and what became of it. One writer: its home. */
export const Job = z.object({
  id: JobId,
  spec: JobSpec,
  version: z.number().int().positive(),
  /** Counts every write. */
  revision: z.number().int().positive(),
  phase: JobPhase,
  /** Code of `shared/errors.ts` when it failed. */
  code: z.string().optional(),
  /** Why it is in this phase: why it waits, why it failed, who stopped it. */
  message: z.string().optional(),
  hint: z.string().optional(),
  /** Partitions with an accepted result. */
  completedCount: z.number().int().nonnegative(),
  /** Of types that have one for each node: partitions so far. */
  partitionCount: z.number().int().nonnegative().optional(),
  /** Of jobs without an end. */
  rollout: Rollout.optional(),
  /** What is known of the image of this version's containers. */
  image: JobImage.optional(),
  createdAtMs: z.number(),
  modifiedAtMs: z.number(),
});
export type Job = Readonly<z.infer<typeof Job>>;

/** Whether there is nothing to wait for: it has ended, or it has no end, and its latest version is up or will not do. */
export const isSettled = ({ phase, rollout }: Pick<Job, "phase" | "rollout">): boolean =>
  JOB_TERMINAL.has(phase) || (rollout !== undefined && rollout.state !== "rolling");

/** Partitions of a job; of types that have one for each node: so far. */
export const partitionsOf = ({ spec, partitionCount = 0 }: Pick<Job, "spec" | "partitionCount">): number =>
  isPerNode(spec.type) ? partitionCount : spec.count;
