/** What an engine's exit means to the job: completed, failed or stopped. */
import type { ErrorCode } from "../../shared/errors.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { LastExit } from "../../shared/model/execution.ts";
import type { RunOrder } from "../../shared/model/order.ts";

/** Why something failed or was refused: what is told to the user. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/** How an execution ended. */
export type Outcome =
  | {
    readonly kind: "completed";
    /** What its exit code may come from, when the job takes every code and it is not 0. */
    readonly hint?: string;
  }
  | ({ readonly kind: "failed" | "stopped" | "refused" } & Failure);

/** How a task ended, in the words of the engine port. */
export type Exit =
  | { readonly kind: "exited"; readonly exitCode: number; readonly hint?: string }
  | { readonly kind: "stopped"; readonly exitCode?: number }
  | ({ readonly kind: "failed"; readonly exitCode?: number; readonly isBlameless?: boolean } & Failure);

/** Why a task is being ended. The first reason stays, unless the task would be started again after it. */
export type Stopping =
  | { readonly because: "order"; readonly message: string; readonly graceMs: number }
  | { readonly because: "time_out"; readonly timeoutMs: number; readonly graceMs: number }
  /** Its check failed so often; it may be started again. */
  | { readonly because: "unhealthy"; readonly message: string; readonly graceMs: number }
  /** The agent found it at its start, and the job does not want it to run on. */
  | { readonly because: "agent_restart"; readonly then: "restart" | "fail"; readonly graceMs: number };

/** In a record where no exit code is known. */
export const NO_EXIT_CODE = -1;

/**
 * The outcome of a task that ended by itself. Without `successExitCodes` every exit code completes it: Bacalhau's
 * meaning. A task that somebody else ended was interrupted.
 */
export function outcomeOf(exit: Exit, order: Pick<RunOrder, "successExitCodes" | "jobType">): Outcome {
  const { successExitCodes } = order;
  switch (exit.kind) {
    case "exited":
      if (isEndless(order.jobType)) {
        return {
          kind: "failed",
          code: "program_failed",
          message: `execution completed unexpectedly with exit code ${exit.exitCode}`,
          hint: exit.hint ?? "It is started again after a pause: look at its logs",
        };
      }
      if (successExitCodes === undefined || successExitCodes.includes(exit.exitCode)) {
        return { kind: "completed", ...(exit.hint !== undefined && { hint: exit.hint }) };
      }
      return {
        kind: "failed",
        code: "program_failed",
        message: `Program exited with code ${exit.exitCode}`,
        hint: exit.hint ?? `The job accepts ${listed(successExitCodes)}: look at its logs`,
      };
    case "stopped":
      return interrupted("The task was ended from outside");
    case "failed":
      return { kind: "failed", ...failureOf(exit) };
  }
}

/** The outcome of a task that is being ended. */
export function outcomeOfStopping(stopping: Stopping): Outcome {
  switch (stopping.because) {
    case "order":
      return { kind: "stopped", code: "stopped", message: stopping.message };
    case "time_out":
      return {
        kind: "failed",
        code: "execution_timed_out",
        message: `Execution timed out after ${formatSeconds(stopping.timeoutMs)}`,
        hint: "Increase the task timeout or allocate more resources",
      };
    case "unhealthy":
      return {
        kind: "failed",
        code: "unhealthy",
        message: `Execution stopped because its health check failed: ${stopping.message}`,
        hint:
          "Look at its logs, and at Health in the job: what it checks, how often, and how long a check may take",
      };
    case "agent_restart":
      return interrupted("The agent restarted, and the job does not want the execution to run on then");
  }
}

/** How a run ended, for those who look at the next one. */
export function lastExitOf(outcome: Outcome, exitCode: number): LastExit {
  const { code, message } = outcome.kind === "completed"
    ? { code: "program_failed", message: "The program ended" }
    : outcome;
  return { code, message, ...(exitCode !== NO_EXIT_CODE && { exitCode }) };
}

/** The outcome of a task that is gone without a trace. */
export function interrupted(why: string): Outcome {
  return {
    kind: "failed",
    code: "interrupted",
    message: why,
    hint: "The node or its agent stopped meanwhile: the job's retry policy decides about another attempt",
  };
}

function failureOf({ code, message, hint }: Failure): Failure {
  return hint === undefined ? { code, message } : { code, message, hint };
}

function listed(codes: readonly number[]): string {
  return `${codes.length === 1 ? "exit code" : "exit codes"} ${codes.join(", ")}`;
}

/** `5s`, `1m30s`, `2h`: as Bacalhau prints durations; fractions of a second stay. */
export function formatSeconds(durationMs: number): string {
  const seconds = durationMs / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = Math.round((seconds - hours * 3600 - minutes * 60) * 1000) / 1000;
  const parts = [hours > 0 ? `${hours}h` : "", minutes > 0 ? `${minutes}m` : "", rest > 0 ? `${rest}s` : ""];
  return parts.join("") || "0s";
}
