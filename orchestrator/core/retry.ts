/** Whether a partition that ended badly gets another execution. */
import { type ErrorCode, ERRORS } from "../../shared/errors.ts";
import type { RetryPolicy } from "../../shared/model/job.ts";
import type { ExecutionPhase, Moving } from "../../shared/model/execution.ts";

/** An ended, unsuccessful execution. */
export interface Ended {
  readonly phase: ExecutionPhase;
  readonly code?: string;
  readonly exitCode?: number;
  /** Its home took it from its node. */
  readonly moving?: Moving;
}

/**
 * `program`: its own fault. `lost`: the node's, the link's or the machine's. `busy`: it never began, or its home took it
 * from its node; that costs nothing.
 */
export type Blame = "program" | "lost" | "busy";

/** Codes of a refusal that only says "not now". */
const BUSY: ReadonlySet<string> = new Set<ErrorCode>(["exhausted", "disk_full"]);

/** Whether it ended because its home took it from its node, and not in a way of its own. */
export const wasTaken = ({ phase, code, moving }: Ended): boolean =>
  moving !== undefined &&
  (phase === "stopped" || phase === "lost" || (phase === "failed" && isPassing(code)));

/** Whether a failure is one of the node, the link or the machine. */
export const isPassing = (code: string | undefined): boolean =>
  code !== undefined && Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode].isRetryable;

/** Whose fault an unsuccessful end was. */
export function blame({ phase, code, moving }: Ended): Blame {
  if (wasTaken({ phase, code, moving })) return "busy";
  if (phase === "refused") return code !== undefined && BUSY.has(code) ? "busy" : "lost";
  if (phase === "lost") return "lost";
  return isPassing(code) ? "lost" : "program";
}

/**
 * The attempt after which the policy allows no other, of all attempts of one partition without a success; undefined: one
 * more may be made. Each counts as what it is known as now: a lost one that turned out to have failed has failed.
 */
export function finalAttempt<Attempt extends Ended>(
  ended: readonly Attempt[],
  policy: RetryPolicy,
): Attempt | undefined {
  const unlisted = ended.find((one) => blame(one) === "program" && !isListed(one, policy.on));
  if (unlisted !== undefined) return unlisted;
  const max: Record<Blame, number> = { program: policy.attempts, lost: policy.lostAttempts, busy: Infinity };
  // What must never run twice may have begun before it was taken from its node.
  const blames = ended.map((one) => policy.lostAttempts === 0 && wasTaken(one) ? "lost" : blame(one));
  const at = blames.findLastIndex((one) => blames.filter((other) => other === one).length > max[one]);
  return ended[at];
}

/** Without a list every failure of a program is worth another attempt. */
function isListed({ code, exitCode }: Ended, on: RetryPolicy["on"]): boolean {
  return on === undefined || on.some((one) => one === code || one === exitCode);
}
