/** What is due by time: execution time-outs, old executions, the disk's reserve. */
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { Deadlines, Due } from "../../shared/ledger/deadlines.ts";
import { AppError } from "../../shared/errors.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { Task } from "../../shared/model/job.ts";
import { digestOf } from "../../shared/spec/content.ts";
import { parseDataUrl } from "../../shared/spec/data_url.ts";
import type { Stage } from "../../shared/supervise.ts";
import { type ExecutionEvent, runOf } from "../core/execution_state.ts";
import type { ContentStore } from "../host/host.ts";
import type { Journal } from "../store/journal.ts";
import type { DiskWatch } from "./disk_watch.ts";
import { EXECUTION_DEADLINE, type Executions, RESTART_DEADLINE } from "./executions.ts";
import type { KeepLeft } from "./keep_left.ts";

/** What is swept, and who hears of it. */
export interface SweepOptions {
  readonly database: Database;
  readonly journal: Journal;
  readonly executions: Executions;
  readonly deadlines: Deadlines;
  readonly contents: ContentStore;
  readonly keepLeft: KeepLeft;
  readonly disk: DiskWatch;
  readonly log: Log;
  readonly clock: Clock;
  readonly lifetime: Lifetime;
  readonly push: (id: ExecutionId, event: ExecutionEvent) => void;
  /** The node began or ceased to take new work. */
  readonly onRefusalChanged: () => void;
  readonly nudge: () => void;
}

/** Between two looks at the disk and at old executions; less while new work is refused, which somebody waits for. */
const LOOK_MS = 30_000;
/** How often the agent's lifetime is written down: a crash forgets so much at most, and things are kept for longer. */
const LIFETIME_MS = 300_000;
const LOOK_REFUSING_MS = 2_000;

/** The stage `sweep`. */
export class Sweep implements Stage {
  readonly name = "sweep";
  readonly #options: SweepOptions;
  #lookAtMs = 0;
  #cancel: (() => void) | undefined;
  #isRefusing = false;
  /** Deadlines that have passed and were told of. */
  readonly #told = new Set<string>();

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  async tick(): Promise<boolean> {
    try {
      return await this.#sweep();
    } catch (error) {
      // Forgetting is written down too: what is kept for a full disk is worth less than what this frees.
      if (error instanceof AppError && error.code === "disk_full") this.#options.disk.onDiskFull();
      throw error;
    }
  }

  async #sweep(): Promise<boolean> {
    this.#timeOut();
    this.#options.deadlines.checkpoint({ isForced: false });
    const { clock } = this.#options;
    let isMore = false;
    if (clock.uptimeMs() >= this.#lookAtMs) {
      this.#watchDisk();
      const isAllConfirmed = this.#confirmEnded();
      isMore = await this.#removeOld() || !isAllConfirmed;
      this.#options.lifetime.checkpoint({ afterMs: LIFETIME_MS });
      if (!isMore) this.#lookAtMs = clock.uptimeMs() + this.#pauseMs;
    }
    this.#cancel ??= clock.after(this.#pauseMs, () => {
      this.#cancel = undefined;
      this.#options.nudge();
    });
    return isMore;
  }

  /** What has passed stays so until its state is written: it is told once. */
  #timeOut(): void {
    const { deadlines, executions, push } = this.#options;
    const passed = deadlines.passed();
    const key = ({ about, kind }: Due) => {
      const live = executions.find(about as ExecutionId);
      return `${kind} ${about} ${live === undefined ? "" : runOf(live.state)}`;
    };
    for (const due of passed) {
      const live = executions.find(due.about as ExecutionId);
      if (live === undefined || this.#told.has(key(due))) continue;
      this.#told.add(key(due));
      if (due.kind === RESTART_DEADLINE) push(live.id, { type: "restart_due" });
      if (due.kind !== EXECUTION_DEADLINE) continue;
      const timeoutMs = live.order.task.timeouts.executionMs;
      push(live.id, { type: "timed_out", timeoutMs, graceMs: executions.graceOf(live) });
    }
    const still = new Set(passed.map(key));
    for (const told of this.#told) if (!still.has(told)) this.#told.delete(told);
  }

  #watchDisk(): void {
    const { disk, onRefusalChanged, log } = this.#options;
    disk.restore();
    const refusal = disk.refuses();
    const isRefusing = refusal !== undefined;
    if (isRefusing === this.#isRefusing) return;
    this.#isRefusing = isRefusing;
    if (isRefusing) log.warn(`No new work is taken: ${refusal.message}`, { hint: refusal.hint });
    else log.info("New work is taken again: the disk has room");
    onRefusalChanged();
  }

  get #pauseMs(): number {
    return this.#isRefusing ? LOOK_REFUSING_MS : LOOK_MS;
  }

  #confirmEnded(): boolean {
    const { database, journal } = this.#options;
    const limit = LIMITS.executionsConfirmedPerTick;
    return database.transaction(() => journal.confirmEnded(limit)) < limit;
  }

  async #removeOld(): Promise<boolean> {
    const { contents, executions, keepLeft } = this.#options;
    const isMore = await keepLeft.sweep();
    if (!isMore) contents.sweep(() => contentsInUse(executions));
    return isMore;
  }

  close(): void {
    this.#cancel?.();
  }
}

/** Contents that executions which have not ended see, by digest. */
export function contentsInUse(executions: Executions): ReadonlySet<string> {
  return new Set(executions.all().flatMap(({ order }) => digestsOf(order.task)));
}

/** Contents that a task sees, by digest: also those that came within its order. */
function digestsOf({ inputs }: Task): string[] {
  return inputs.flatMap(({ source: { params } }) => {
    if (typeof params.Digest === "string") return [params.Digest];
    const data = typeof params.URL === "string" ? parseDataUrl(params.URL) : undefined;
    return data === undefined ? [] : [digestOf(data.bytes)];
  });
}
