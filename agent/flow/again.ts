/** What the decision to start a task again in place goes by, as it is now. */
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import type { Outbox } from "../../shared/ledger/outbox.ts";
import { isEndless } from "../../shared/model/job.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import { type Circumstances, type OutputBytes, restartPolicyOf } from "../core/restart.ts";
import type { Workspace } from "../host/host.ts";
import type { Live } from "./executions.ts";

/** Where it looks. */
export interface AgainOptions {
  readonly lifetime: Lifetime;
  readonly outbox: Outbox;
  readonly workspace: Workspace;
  /** Draws from [0, 1). */
  readonly random: () => number;
}

/** All circumstances but those of the end itself. */
export type Surroundings = Omit<Circumstances, "isCrash" | "isBlameless">;

/**
 * What was told longer ago than this and is not acknowledged does not arrive now: less than the pause after a first crash, so that
 * the second one knows. Where the link is only slow, a task is tried once more here before it is handed back.
 */
const ARRIVES_MS = 500;

/** Looks around. */
export class Again {
  readonly #options: AgainOptions;

  constructor(options: AgainOptions) {
    this.#options = options;
  }

  /** Undefined for a task that is never started again in place: nothing is looked at then. */
  surroundingsOf({ id, home, order }: Pick<Live, "id" | "home" | "order">): Surroundings | undefined {
    if (!mayRunAgain(order)) return undefined;
    const { lifetime, random } = this.#options;
    return {
      policy: restartPolicyOf(order),
      nowMs: lifetime.nowMs(),
      jitter: random(),
      isHomeReached: this.#isReached(home),
      outputEnd: this.#outputEnd(id),
    };
  }

  /** What was told it some time ago has arrived. */
  #isReached(home: string): boolean {
    const ageMs = this.#options.outbox.oldestAgeMs(home, "state");
    return ageMs === undefined || ageMs < ARRIVES_MS;
  }

  /** Where the output cannot be seen, the next run's beginning is that of all. */
  #outputEnd(id: string): OutputBytes {
    try {
      return this.#options.workspace.outputBytes(id);
    } catch {
      return { stdout: 0, stderr: 0 };
    }
  }
}

/** Whether the order lets its task be started more than once on this node. */
export function mayRunAgain(order: RunOrder): boolean {
  return isEndless(order.jobType) || restartPolicyOf(order).attempts > 0 ||
    order.onAgentRestart === "restart";
}
