/** Agent → home: what is. */
import { z } from "zod";
import { ExecutionPhase, HealthStatus, LastExit } from "./execution.ts";
import { ExecutionId } from "./ids.ts";
import { Port } from "./port.ts";
import { ImageFound } from "./image.ts";
import { PublishedResult, RunOutput } from "./result.ts";

/** Agent → home: the whole observed state of one execution. The highest revision wins. */
export const Report = z.object({
  executionId: ExecutionId,
  revision: z.number().int().positive(),
  phase: ExecutionPhase,
  code: z.string().optional(),
  message: z.string().optional(),
  hint: z.string().optional(),
  /** `forMs`: how long it has been so when the report was written. */
  health: z.object({ status: HealthStatus, forMs: z.number().nonnegative(), message: z.string().optional() })
    .optional(),
  restarts: z.number().int().positive().optional(),
  lastExit: LastExit.optional(),
  output: RunOutput.optional(),
  result: PublishedResult.optional(),
  /** Absent until a container's image was looked up, and for other engines. */
  image: ImageFound.optional(),
  /** Of its node, that it has, or had until it ended. */
  ports: z.array(Port).readonly().optional(),
});
export type Report = Readonly<z.infer<typeof Report>>;
