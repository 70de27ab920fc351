/** One attempt at one partition on one node, as its home knows it. */
import { z } from "zod";
import { EvaluationId, ExecutionId, JobId, NodeId } from "./ids.ts";
import { Port } from "./port.ts";
import { ImageFound } from "./image.ts";
import { Resources } from "./resources.ts";
import { PublishedResult, RunOutput } from "./result.ts";

/**
 * `placed`: the order is on its way. `queued`: the node accepted it and waits for room. `refused`: the node said no.
 * `lost`: its home gave it up without hearing of its end; a late report may still correct that.
 */
export const ExecutionPhase = z.enum([
  "placed",
  "queued",
  "preparing",
  "running",
  "publishing",
  "completed",
  "failed",
  "stopped",
  "refused",
  "lost",
]);
export type ExecutionPhase = z.infer<typeof ExecutionPhase>;

/** Phases in which an execution has ended. */
export const EXECUTION_TERMINAL: ReadonlySet<ExecutionPhase> = new Set([
  "completed",
  "failed",
  "stopped",
  "refused",
  "lost",
]);

/** Whether an execution in this phase holds, or will hold, resources of its node. */
export const isLive = (phase: ExecutionPhase): boolean => !EXECUTION_TERMINAL.has(phase);

/** Whether an execution in this phase has not begun: it is on its way to its node's queue, or stands there. */
export const hasNotBegun = (phase: ExecutionPhase): boolean => phase === "placed" || phase === "queued";

/** Why this node: counts and the winner's scores, small enough to keep with every execution. */
export const Explanation = z.object({
  nodesKnown: z.number().int(),
  nodesFit: z.number().int(),
  /** Filter → how many nodes it rejected (first filter that rejects a node counts). */
  rejectedBy: z.record(z.string(), z.number().int()),
  /** Ranker → score of the chosen node, in [0, 1]. */
  scores: z.record(z.string(), z.number()),
});
export type Explanation = Readonly<z.infer<typeof Explanation>>;

/**
 * Whether a running execution does its work, as its agent finds out: by how long it has run, and by the check of its job.
 * `unknown`: not yet.
 */
export const HealthStatus = z.enum(["unknown", "healthy", "unhealthy"]);
export type HealthStatus = z.infer<typeof HealthStatus>;

/** How a run of an execution ended that its node has started again, or is about to. */
export const LastExit = z.object({
  code: z.string(),
  message: z.string(),
  exitCode: z.number().int().optional(),
});
export type LastExit = Readonly<z.infer<typeof LastExit>>;

/** Why a home takes an execution from its node, to place it anew at no cost of an attempt. */
export const Moving = z.enum(["drain", "preemption"]);
export type Moving = z.infer<typeof Moving>;

/** Desired by the home, observed by the agent: one writer each. */
export const Execution = z.object({
  id: ExecutionId,
  jobId: JobId,
  jobVersion: z.number().int(),
  namespace: z.string(),
  nodeId: NodeId,
  evaluationId: EvaluationId,
  partition: z.number().int().nonnegative(),
  /** 0 for the first execution of the partition. */
  attempt: z.number().int().nonnegative(),
  /** Of jobs without an end: how often in a row its place has lost one that was not stable, before it. */
  streak: z.number().int().positive().optional(),
  previousId: ExecutionId.optional(),
  nextId: ExecutionId.optional(),
  resources: Resources,
  /** Of its node, that its task names: no other may have them there while it lives. Absent: none. */
  hostPorts: z.array(z.number().int()).readonly().optional(),
  explanation: Explanation,
  desired: z.enum(["run", "stop"]),
  /** Why it should stop. */
  desiredMessage: z.string().optional(),
  /** It should stop because its home wants it elsewhere. */
  moving: Moving.optional(),
  /** Of its job's version. Absent: 0. */
  priority: z.number().int().optional(),
  /** It is not stopped for others' sake: its job is for that node, or must never run anything twice. */
  staysPut: z.boolean().optional(),
  phase: ExecutionPhase,
  /** Highest report applied; 0 before the first. */
  reportRevision: z.number().int().nonnegative(),
  code: z.string().optional(),
  message: z.string().optional(),
  hint: z.string().optional(),
  /** Only of one that runs, and only where its agent watches that: of types without an end, and where the job has a check. */
  health: z.object({
    status: HealthStatus,
    /** Unix time of the home. */
    sinceAtMs: z.number(),
    /** What the last check that failed said. */
    message: z.string().optional(),
  }).optional(),
  /** How often its node has started the task again in place; absent: never. */
  restarts: z.number().int().positive().optional(),
  /**
   * Of them, those before it was last up, or became one of its job's version, and those after what was its node's fault, such
   * as an engine that was away: they say nothing against the version.
   */
  restartsBefore: z.number().int().positive().optional(),
  /** Of the run before the present one. */
  lastExit: LastExit.optional(),
  output: RunOutput.optional(),
  result: PublishedResult.optional(),
  /** What its image was on the node, once that is known. */
  image: ImageFound.optional(),
  /** Of its node, that it has, or had until it ended; told by its agent. */
  ports: z.array(Port).readonly().optional(),
  revision: z.number().int().positive(),
  createdAtMs: z.number(),
  modifiedAtMs: z.number(),
});
export type Execution = Readonly<z.infer<typeof Execution>>;
