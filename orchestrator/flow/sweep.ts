/** Deadlines that have passed become events: time-outs of jobs, nodes given up. */
import type { Deadlines, Due } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { JobId, NodeId } from "../../shared/model/ids.ts";
import { JOB_TERMINAL, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import * as events from "../core/events.ts";
import { step as stepJob } from "../core/job.ts";
import { STARTS_BY_ITSELF } from "../core/refusal.ts";
import type { JobRow } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import { drainIsOver } from "./drain.ts";
import { loseNode } from "./lose_node.ts";
import { failRollout } from "./rollout.ts";
import { clearDeadlines, isWaiting, lacksRoom } from "./job_deadlines.ts";

/** What the sweep works on. */
export interface SweepOptions {
  readonly store: Store;
  readonly deadlines: Deadlines;
  readonly nudgeSchedule: () => void;
}

/** The stage that acts on deadlines. */
export class Sweep {
  readonly name = "sweep";
  readonly #options: SweepOptions;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  tick(): boolean {
    const { store, deadlines, nudgeSchedule } = this.#options;
    const passed = deadlines.passed(LIMITS.deadlinesPerTick);
    if (passed.length > 0) {
      store.transaction(() => {
        for (const due of passed) {
          deadlines.clear(due.about, due.kind);
          store.damaged.read(due.about, () => this.#apply(due));
        }
      });
      nudgeSchedule();
    }
    deadlines.checkpoint({ isForced: false });
    return passed.length === LIMITS.deadlinesPerTick;
  }

  #apply({ about, kind }: Due): void {
    const { store } = this.#options;
    if (kind === "lost") return this.#giveUp(about as NodeId);
    if (kind === "drain") return drainIsOver(store, about as NodeId);
    const found = store.jobs.find(about as JobId);
    if (found === undefined || JOB_TERMINAL.has(found.job.phase)) return;
    if (kind === "total") this.#timeOut(found);
    if (kind === "queue") this.#leaveQueue(found);
    if (kind === "progress") this.#lacksProgress(found);
    if (kind === "again") store.evaluate(found, "execution_ended");
  }

  #giveUp(id: NodeId): void {
    const { store } = this.#options;
    const view = store.projection.find(id);
    if (view !== undefined) {
      const node = { ...view.node, isGivenUp: true };
      store.nodes.put(node);
      store.projection.putNode(node);
    }
    loseNode(store, id, { message: "Execution lost because node has disappeared" });
  }

  /** A version that only waits for room is not at fault. */
  #lacksProgress(found: JobRow): void {
    const { store, deadlines } = this.#options;
    const { job } = found;
    if (job.rollout?.state !== "rolling") return;
    const { progressMs } = job.spec.update ?? UPDATE_DEFAULT;
    if (lacksRoom(store, found)) return deadlines.set(job.id, "progress", progressMs);
    failRollout(
      { store, deadlines },
      found,
      `nothing more of it has come up for ${events.formatSeconds(progressMs)}`,
    );
    store.evaluate(found, "job_update");
  }

  #timeOut(found: JobRow): void {
    const limitMs = found.job.spec.task.timeouts.totalMs;
    this.#options.store.record(found, events.jobTimedOut(limitMs));
    this.#fail(found, {
      code: "job_timed_out",
      message: `Job timed out. Job took longer than ${events.formatSeconds(limitMs)}`,
      hint: events.TIMEOUT_HINT,
    });
  }

  /** Only a job of which something still waits has waited too long. */
  #leaveQueue(found: JobRow): void {
    const { store } = this.#options;
    const { job } = found;
    if (!isWaiting(store, found)) return;
    // Where the job itself is at fault, waiting longer would not help.
    const isPassing = job.hint === undefined || job.hint.startsWith(STARTS_BY_ITSELF);
    const limit = events.formatSeconds(job.spec.task.timeouts.queueMs);
    this.#fail(found, {
      code: "queue_timed_out",
      message: `Job timed out in the queue. Job waited longer than ${limit}${
        job.message ? `: ${job.message}` : ""
      }`,
      hint: isPassing
        ? "Free or add nodes that fit, or let it wait longer (QueueTimeout, or --queue-timeout)"
        : job.hint!,
    });
  }

  #fail(found: JobRow, why: { code: string; message: string; hint: string }): void {
    const { store, deadlines } = this.#options;
    const job = stepJob(found.job, { kind: "failed", ...why }, store.nowMs());
    const failed = { row: found.row, job };
    store.jobs.update(failed);
    store.record(failed, events.jobState("failed", why));
    clearDeadlines(deadlines, job);
    store.evaluate(failed, "job_timeout");
  }
}
