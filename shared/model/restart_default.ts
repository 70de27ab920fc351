/** The restart policy of a job that names none. */
import { isEndless, type JobType } from "./job.ts";
import type { RestartPolicy } from "./policy.ts";

/** Pauses where the job names none. */
const PAUSES = { delayMs: 1_000, maxDelayMs: 60_000 } as const;
/** Of a service or daemon: with the pauses above, about five minutes of crashing. */
const ENDLESS = { attempts: 10, intervalMs: 600_000 } as const;
/** One run may take hours: only a long interval bounds how often a program that always fails is run. */
const ENDING = { attempts: 0, intervalMs: 86_400_000 } as const;

/**
 * Programs of batch and ops jobs are not started again in place: `Retry` is for them. A daemon belongs on its node and is
 * tried there for ever; a service may do better on another one.
 */
export function defaultRestart(type: JobType): RestartPolicy {
  return {
    ...(isEndless(type) ? ENDLESS : ENDING),
    ...PAUSES,
    mode: type === "daemon" ? "delay" : "fail",
  };
}
