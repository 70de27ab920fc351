/** What a job wants done on the node of its task, without anybody being asked: when it crashes, hangs or is found again. */
import { z } from "zod";

/** Starting a crashed task again in place: on the same node, within the same execution. */
export const RestartPolicy = z.object({
  /** Starts in place within one interval; 0: none. */
  attempts: z.number().int().nonnegative(),
  /** Begins with the first crash; a crash after its end begins the next one. */
  intervalMs: z.number().int().positive(),
  /** Pause before the first start; doubles with each crash, up to the longest, until a run was stable. */
  delayMs: z.number().int().nonnegative(),
  maxDelayMs: z.number().int().nonnegative(),
  /** What then: the execution has failed and its home decides, or the rest of the interval is waited out. */
  mode: z.enum(["fail", "delay"]),
});
export type RestartPolicy = Readonly<z.infer<typeof RestartPolicy>>;

/** What an agent does with an execution that it finds at its start. */
export const OnAgentRestart = z.enum(["reattach", "restart", "fail"]);
export type OnAgentRestart = z.infer<typeof OnAgentRestart>;

/** Signals that may ask a task to end: those that programs use for that. */
export const StopSignal = z.enum(
  [
    ...["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGABRT", "SIGKILL"],
  ] as const,
);
export type StopSignal = z.infer<typeof StopSignal>;

/** How it is found out whether a running task does its work. Without `http` and `exec`: by how long it has run. */
export const HealthCheck = z.object({
  /** Healthy once it has been well for so long. */
  minHealthyMs: z.number().int().nonnegative(),
  /** After each start: checks that fail do not count until one has passed. */
  startPeriodMs: z.number().int().nonnegative(),
  intervalMs: z.number().int().positive(),
  timeoutMs: z.number().int().positive(),
  /** Unhealthy after so many failed checks in a row. */
  retries: z.number().int().positive(),
  /** GET; passes with a status from 200 to 399. */
  http: z.object({
    /** Of the container, or the name of one that the job has given. */
    port: z.union([z.number().int(), z.string()]),
    path: z.string(),
  }).optional(),
  /** In the container, not by a shell; passes with exit code 0. */
  exec: z.object({ command: z.array(z.string()) }).optional(),
});
export type HealthCheck = Readonly<z.infer<typeof HealthCheck>>;

/** What holds where a job says nothing. */
export const HEALTH_DEFAULT: HealthCheck = {
  minHealthyMs: 10_000,
  startPeriodMs: 0,
  intervalMs: 10_000,
  timeoutMs: 5_000,
  retries: 3,
};
