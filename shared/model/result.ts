/** What an execution left, and how it ended. */
import { z } from "zod";
import { Typed } from "./job.ts";

/** The first bytes of each stream (limit: `OUTPUT_PREVIEW_BYTES`) and the exit code. */
export const RunOutput = z.object({
  stdout: z.string(),
  stdoutIsTruncated: z.boolean(),
  stderr: z.string(),
  stderrIsTruncated: z.boolean(),
  exitCode: z.number().int(),
});
export type RunOutput = Readonly<z.infer<typeof RunOutput>>;

/** Where a publisher put the results: its type, and what is needed to fetch them. */
export const PublishedResult = Typed;
export type PublishedResult = Readonly<z.infer<typeof PublishedResult>>;
