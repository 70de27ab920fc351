/** How commands take a job. */
import type { Operand } from "./command.ts";

/** One job. */
export const JOB_OPERAND = {
  name: "JOB",
  summary: "ID, its beginning, or name",
  completes: "job",
} as const satisfies Operand;
