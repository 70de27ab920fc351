/** What a node does by itself about a job's tasks: read from what was written, and written as a user would. */
import type { z } from "zod";
import { isEndless, type JobSpec } from "../model/job.ts";
import { HEALTH_DEFAULT, type HealthCheck, type RestartPolicy } from "../model/policy.ts";
import { defaultRestart } from "../model/restart_default.ts";
import type { Health, OnAgentRestart, Restart, StopSignal } from "./job_schema.ts";
import type { Problems } from "./problems.ts";
import { formatDuration } from "./units.ts";

/** The fields as written. */
export interface WrittenNodePolicies {
  readonly Restart?: z.output<typeof Restart>;
  readonly OnAgentRestart?: z.output<typeof OnAgentRestart>;
  readonly StopSignal?: z.output<typeof StopSignal>;
  readonly Health?: z.output<typeof Health>;
}

/** The fields of a spec that they become. */
export type NodePolicies = Pick<JobSpec, "restart" | "onAgentRestart" | "stopSignal" | "health">;

/** Those that were written, each complete. */
export function readNodePolicies(written: WrittenNodePolicies, type: JobSpec["type"]): NodePolicies {
  const { Restart, OnAgentRestart, StopSignal, Health } = written;
  return {
    ...(Restart && { restart: readRestart(Restart, type) }),
    ...(OnAgentRestart && { onAgentRestart: OnAgentRestart }),
    ...(StopSignal && { stopSignal: StopSignal }),
    ...(Health && { health: readHealth(Health) }),
  };
}

function readRestart(written: z.output<typeof Restart>, type: JobSpec["type"]): RestartPolicy {
  const fallback = defaultRestart(type);
  const delayMs = written.Delay ?? fallback.delayMs;
  return {
    attempts: written.Attempts ?? fallback.attempts,
    intervalMs: written.Interval ?? fallback.intervalMs,
    delayMs,
    maxDelayMs: written.MaxDelay ?? Math.max(fallback.maxDelayMs, delayMs),
    mode: written.Mode ?? fallback.mode,
  };
}

function readHealth(written: z.output<typeof Health>): HealthCheck {
  const { HTTP, Exec } = written;
  return {
    minHealthyMs: written.MinHealthyTime ?? HEALTH_DEFAULT.minHealthyMs,
    startPeriodMs: written.StartPeriod ?? HEALTH_DEFAULT.startPeriodMs,
    intervalMs: written.Interval ?? HEALTH_DEFAULT.intervalMs,
    timeoutMs: written.Timeout ?? HEALTH_DEFAULT.timeoutMs,
    retries: written.Retries ?? HEALTH_DEFAULT.retries,
    ...(HTTP && { http: { port: HTTP.Port, path: HTTP.Path ?? "/" } }),
    ...(Exec && { exec: { command: Exec.Command } }),
  };
}

/** As a user would write them. */
export function formatNodePolicies(
  { restart, onAgentRestart, stopSignal, health }: NodePolicies,
): Record<string, unknown> {
  return {
    ...(restart && {
      Restart: {
        Attempts: restart.attempts,
        Interval: formatDuration(restart.intervalMs),
        Delay: formatDuration(restart.delayMs),
        MaxDelay: formatDuration(restart.maxDelayMs),
        Mode: restart.mode,
      },
    }),
    ...(onAgentRestart && { OnAgentRestart: onAgentRestart }),
    ...(stopSignal && { StopSignal: stopSignal }),
    ...(health && { Health: formatHealth(health) }),
  };
}

function formatHealth(
  { minHealthyMs, startPeriodMs, intervalMs, timeoutMs, retries, http, exec }: HealthCheck,
): Record<string, unknown> {
  return {
    MinHealthyTime: formatDuration(minHealthyMs),
    StartPeriod: formatDuration(startPeriodMs),
    Interval: formatDuration(intervalMs),
    Timeout: formatDuration(timeoutMs),
    Retries: retries,
    ...(http && { HTTP: { Port: http.port, Path: http.path } }),
    ...(exec && { Exec: { Command: exec.command } }),
  };
}

/** What an engine or a network cannot do, and what contradicts itself. */
export function checkNodePolicies(spec: JobSpec, problems: Problems): void {
  const { restart, onAgentRestart, health, stopSignal, task, retry, type } = spec;
  if (restart !== undefined && restart.maxDelayMs < restart.delayMs) {
    problems.add(
      ["Restart", "MaxDelay"],
      "must not be shorter than Delay",
      formatDuration(restart.maxDelayMs),
    );
  }
  if (onAgentRestart === "restart" && retry.lostAttempts === 0 && !isEndless(type)) {
    problems.add(
      ["OnAgentRestart"],
      'must not be "restart" where Retry.LostAttempts is 0: it would run twice',
    );
  }
  if (task.engine.type === "wasm") {
    const what = "for the engine wasm: a module has";
    if (stopSignal) {
      problems.add(["StopSignal"], `must not be given ${what} no signals, and is killed at once`);
    }
    if (health?.http) problems.add(["Health", "HTTP"], `must not be given ${what} no network`);
    if (health?.exec) problems.add(["Health", "Exec"], `must not be given ${what} no other programs`);
    return;
  }
  if (health?.http !== undefined) checkHttp(health.http, task, problems);
}

function checkHttp(
  { port, path }: NonNullable<HealthCheck["http"]>,
  { network }: JobSpec["task"],
  problems: Problems,
): void {
  if (network.type === "none" || network.type === "http") {
    const must = `must not be given with the network ${network.type === "none" ? "None" : "HTTP"}`;
    problems.add(["Health", "HTTP"], `${must}: nothing reaches into it; use Exec`);
  }
  if (!path.startsWith("/")) problems.add(["Health", "HTTP", "Path"], "must begin with /", path);
  const names = (network.ports ?? []).map(({ name }) => name);
  if (typeof port === "string" && !names.includes(port)) {
    problems.add(["Health", "HTTP", "Port"], "must be a port, or the name of one in Network.Ports", port);
  }
}
