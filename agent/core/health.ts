/** Whether a running task does its work, from what its checks say: pure, the shell brings results and time. */
import type { HealthStatus } from "../../shared/model/execution.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import { HEALTH_DEFAULT, type HealthCheck } from "../../shared/model/policy.ts";

/** What is known of one run. Times are of one clock. */
export interface HealthState {
  readonly status: HealthStatus;
  /** Since when every check has passed; undefined before the first and while they fail. */
  readonly wellSinceMs?: number;
  /** One has passed in this run. */
  readonly hasPassed: boolean;
  readonly wasHealthy: boolean;
  /** In a row, those that count. */
  readonly failureCount: number;
  /** What the last one that failed said. */
  readonly message?: string;
}

/** What one check found. */
export type CheckResult = { readonly hasPassed: true } | {
  readonly hasPassed: false;
  readonly message: string;
};

/** Pause before the first check of a run, when checks are not more often than that anyway. */
const FIRST_MS = 1_000;

/** How the order's task is watched; undefined: not at all. */
export function healthCheckOf(
  { health, jobType }: Pick<RunOrder, "health" | "jobType">,
): HealthCheck | undefined {
  return health ?? (isEndless(jobType) ? HEALTH_DEFAULT : undefined);
}

/** Whether something is asked, beside how long the task has run. */
export const hasProbe = ({ http, exec }: HealthCheck): boolean => http !== undefined || exec !== undefined;

/** At the start of a run, or where an earlier agent left off. */
export function beginHealth(status: HealthStatus = "unknown"): HealthState {
  const wasHealthy = status === "healthy";
  return { status, hasPassed: wasHealthy, wasHealthy, failureCount: 0 };
}

/** After one more check. A task without one has passed ever since it started. */
export function observeHealth(
  state: HealthState,
  result: CheckResult,
  { check, startedMs, nowMs }: { check: HealthCheck; startedMs: number; nowMs: number },
): HealthState {
  if (result.hasPassed) {
    const wellSinceMs = state.wellSinceMs ?? (hasProbe(check) ? nowMs : startedMs);
    const isHealthy = state.status === "healthy" || nowMs - wellSinceMs >= check.minHealthyMs;
    const passed = { ...state, wellSinceMs, hasPassed: true, failureCount: 0 };
    return isHealthy ? { ...passed, status: "healthy", wasHealthy: true, message: undefined } : passed;
  }
  const isStarting = !state.hasPassed && nowMs - startedMs < check.startPeriodMs;
  const failureCount = isStarting ? 0 : state.failureCount + 1;
  return {
    ...state,
    status: failureCount >= check.retries ? "unhealthy" : state.status,
    wellSinceMs: undefined,
    failureCount,
    message: result.message,
  };
}

/**
 * Whether a task that has become unhealthy is to be started again: one that was healthy before, and with a start period also
 * one that never was, for then its job has said how long it may take.
 */
export function isRestartDue(before: HealthState, after: HealthState, check: HealthCheck): boolean {
  return before.status !== "unhealthy" && after.status === "unhealthy" &&
    (after.wasHealthy || check.startPeriodMs > 0);
}

/** Ms until the next check; undefined: nothing can change any more. */
export function nextCheckMs(
  state: HealthState,
  { check, startedMs, nowMs }: { check: HealthCheck; startedMs: number; nowMs: number },
): number | undefined {
  if (!hasProbe(check)) {
    return state.status === "healthy" ? undefined : Math.max(0, startedMs + check.minHealthyMs - nowMs);
  }
  if (state.status === "unknown" && !state.hasPassed && state.failureCount === 0) {
    return Math.min(check.intervalMs, FIRST_MS);
  }
  if (state.status === "healthy" || state.wellSinceMs === undefined) return check.intervalMs;
  return Math.min(check.intervalMs, Math.max(1, state.wellSinceMs + check.minHealthyMs - nowMs));
}
