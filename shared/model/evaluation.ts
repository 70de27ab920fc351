/** A request to compare desired and observed for one job. At most one is due for each job. */
import { z } from "zod";
import { EvaluationId, JobId } from "./ids.ts";

/** Why a job is looked at again. */
export const Trigger = z.enum([
  "job_register",
  "job_update",
  "job_rerun",
  "job_stop",
  "job_timeout",
  "execution_ended",
  "node_join",
  "node_leave",
  "capacity_freed",
  "placement_limit",
]);
export type Trigger = z.infer<typeof Trigger>;

/** One request. */
export const Evaluation = z.object({
  id: EvaluationId,
  jobId: JobId,
  trigger: Trigger,
  priority: z.number().int(),
  /** `due`: to be worked on; `blocked`: waits for capacity or a node. */
  status: z.enum(["due", "blocked"]),
  createdAtMs: z.number(),
});
export type Evaluation = Readonly<z.infer<typeof Evaluation>>;
