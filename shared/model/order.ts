/** Home → agent: what should be. */
import { z } from "zod";
import { EvaluationId, ExecutionId, JobId } from "./ids.ts";
import { JobType, Task } from "./job.ts";
import { HealthCheck, OnAgentRestart, RestartPolicy, StopSignal } from "./policy.ts";

/** Home → agent: what should be of one execution. */
export const Order = z.discriminatedUnion("desired", [
  z.object({
    desired: z.literal("run"),
    executionId: ExecutionId,
    jobId: JobId,
    jobVersion: z.number().int(),
    jobType: JobType,
    namespace: z.string(),
    evaluationId: EvaluationId,
    partition: z.number().int(),
    partitionCount: z.number().int(),
    priority: z.number().int(),
    /** Of its namespace: how many times as much it gets on the node as one of weight 1. Absent: 1. */
    weight: z.number().positive().optional(),
    task: Task,
    /** Exit codes that complete the execution; absent: all. */
    successExitCodes: z.array(z.number().int()).optional(),
    stopGraceMs: z.number().int(),
    /** These four as in the job's spec. */
    stopSignal: StopSignal.optional(),
    restart: RestartPolicy.optional(),
    onAgentRestart: OnAgentRestart.optional(),
    health: HealthCheck.optional(),
    /** Rather not at all than twice, whatever happens to the node: the job allows no attempt after a loss. */
    runsOnce: z.boolean().optional(),
    /** `NAME@sha256:…` that an earlier attempt of the job's version ran: this one runs the same. */
    image: z.string().optional(),
  }),
  z.object({
    desired: z.literal("stop"),
    executionId: ExecutionId,
    message: z.string(),
  }),
  /** The home has forgotten the job: nobody can fetch what the execution left, and the agent may forget it in its time. */
  z.object({ desired: z.literal("forget"), executionId: ExecutionId }),
]);
export type Order = Readonly<z.infer<typeof Order>>;
/** An order to run. */
export type RunOrder = Extract<Order, { desired: "run" }>;
