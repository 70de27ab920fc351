/** Whether a partition that ended badly gets another execution. */
import { type ErrorCode, ERRORS } from "../../shared/errors.ts";
import type { RetryPolicy } from "../../shared/model/job.ts";
import type { ExecutionPhase } from "../../shared/model/execution.ts";

/** An ended, unsuccessful execution. */
export interface Ended {
  readonly phase: ExecutionPhase;
  readonly code?: string;
}

/** `program`: its own fault. `lost`: the node's, the link's or the machine's. `busy`: it never began, and costs nothing. */
export type Blame = "program" | "lost" | "busy";

/** Codes of a refusal that only says "not now". */
const BUSY: ReadonlySet<string> = new Set<ErrorCode>(["exhausted", "disk_full"]);

/** Whose fault an unsuccessful end was. */
export function blame({ phase, code }: Ended): Blame {
  if (phase === "refused") return code !== undefined && BUSY.has(code) ? "busy" : "lost";
  if (phase === "lost") return "lost";
  return code !== undefined && Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode].isRetryable
    ? "lost"
    : "program";
}

/** Whether the policy allows another attempt after these (all attempts of one partition, without a success). */
export function mayRetry(ended: readonly Ended[], policy: RetryPolicy): boolean {
  const blames = ended.map(blame);
  const last = blames.at(-1);
  if (last === undefined || last === "busy") return true;
  const count = blames.filter((one) => one === last).length;
  return count <= (last === "program" ? policy.attempts : policy.lostAttempts);
}
