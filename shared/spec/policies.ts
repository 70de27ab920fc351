/** `Retry` and `Update` of a job: read from what was written, and written as a user would. */
import type { z } from "zod";
import {
  isEndless,
  type JobSpec,
  type RetryPolicy,
  UPDATE_DEFAULT,
  type UpdatePolicy,
} from "../model/job.ts";
import type { Retry, Update } from "./job_schema.ts";
import { formatDuration } from "./units.ts";

/** Programs are not run again; lost and refused executions are, twice. */
export const RETRY_DEFAULT: RetryPolicy = { attempts: 0, lostAttempts: 2 };

/** The policy as written. */
export function readRetry(written: z.output<typeof Retry> = {}): RetryPolicy {
  const { Attempts, LostAttempts, Delay, MaxDelay, On, Node } = written;
  return {
    attempts: Attempts ?? RETRY_DEFAULT.attempts,
    lostAttempts: LostAttempts ?? RETRY_DEFAULT.lostAttempts,
    ...(Delay !== undefined && { delayMs: Delay }),
    ...(MaxDelay !== undefined && { maxDelayMs: MaxDelay }),
    ...(On && { on: [...new Set(On)] }),
    ...(Node && { node: Node }),
  };
}

/** The policy as written; none where nothing was, or where a job has nothing to update. */
export function readUpdate(
  written: z.output<typeof Update> | undefined,
  type: JobSpec["type"],
): UpdatePolicy | undefined {
  if (written === undefined || !isEndless(type)) return undefined;
  return {
    maxParallel: written.MaxParallel ?? UPDATE_DEFAULT.maxParallel,
    autoRollback: written.AutoRollback ?? UPDATE_DEFAULT.autoRollback,
    progressMs: written.ProgressDeadline ?? UPDATE_DEFAULT.progressMs,
  };
}

/** Where it says something. */
export function formatPolicies(
  { retry, update }: Pick<JobSpec, "retry" | "update">,
): Record<string, unknown> {
  const { attempts, lostAttempts, delayMs, maxDelayMs, on, node } = retry;
  const pauses = {
    ...(delayMs !== undefined && { Delay: formatDuration(delayMs) }),
    ...(maxDelayMs !== undefined && { MaxDelay: formatDuration(maxDelayMs) }),
    ...(on && { On: on }),
    ...(node && { Node: node }),
  };
  const isDefault = attempts === RETRY_DEFAULT.attempts && lostAttempts === RETRY_DEFAULT.lostAttempts &&
    Object.keys(pauses).length === 0;
  return {
    ...(!isDefault && { Retry: { Attempts: attempts, LostAttempts: lostAttempts, ...pauses } }),
    ...(update && {
      Update: {
        MaxParallel: update.maxParallel,
        AutoRollback: update.autoRollback,
        ProgressDeadline: formatDuration(update.progressMs),
      },
    }),
  };
}
