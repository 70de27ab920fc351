/** Lifecycle events: what the ledger holds, what `job history` shows. */
import { z } from "zod";
import { ExecutionId, JobId } from "./ids.ts";

/** Headings, as Bacalhau's clients print them. */
export const Topic = z.enum([
  "Submission",
  "State Update",
  "Scheduling",
  "Queueing",
  "Exec Timeout",
  "Job Timeout",
  "Execution",
  "Downloading Inputs",
  "Preparing Environment",
  "Running Execution",
  "Publishing Results",
  "Restart",
  "Update",
]);
export type Topic = z.infer<typeof Topic>;

/** What happened, about which job or execution. */
export const HistoryEvent = z.object({
  topic: Topic,
  message: z.string(),
  details: z.record(z.string(), z.string()).optional(),
});
export type HistoryEvent = Readonly<z.infer<typeof HistoryEvent>>;

/** An event with its place and time. */
export const HistoryItem = HistoryEvent.extend({
  seq: z.number().int(),
  jobId: JobId,
  jobVersion: z.number().int(),
  executionId: ExecutionId.optional(),
  atMs: z.number(),
});
export type HistoryItem = Readonly<z.infer<typeof HistoryItem>>;
