/** An orchestrator's state: rows on disk, and what scheduling needs of them in memory. */
import type { Clock } from "../../shared/clock.ts";
import { Damaged, type TellDamaged } from "../../shared/ledger/damaged.ts";
import type { Database, TransactionOptions } from "../../shared/ledger/database.ts";
import { Lifetime } from "../../shared/ledger/lifetime.ts";
import { appendEvent } from "../../shared/ledger/ledger.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import { type IdSource, type JobId, newEvaluationId } from "../../shared/model/ids.ts";
import type { Trigger } from "../../shared/model/evaluation.ts";
import { Claims } from "./claims.ts";
import { dominantShare } from "../../shared/model/resources.ts";
import { EndedJobs } from "./ended_jobs.ts";
import { EndlessJobs } from "./endless_jobs.ts";
import { Evaluations } from "./evaluations.ts";
import { Executions } from "./executions.ts";
import { Loads } from "./loads.ts";
import { isSettled, type Job } from "../../shared/model/job.ts";
import { jobAt, type JobRow, Jobs } from "./jobs.ts";
import { Namespaces } from "./namespaces.ts";
import { Nodes } from "./nodes.ts";
import { Projection } from "./projection.ts";
import { groupKey, type Shares, type Waiter, Waiting } from "./waiting.ts";

/** Rows, memory and the one way to change both. */
export class Store {
  readonly database: Database;
  readonly damaged: Damaged;
  readonly clock: Clock;
  readonly lifetime: Lifetime;
  readonly ids: IdSource;
  readonly jobs: Jobs;
  readonly executions: Executions;
  readonly loads: Loads;
  readonly evaluations: Evaluations;
  readonly nodes: Nodes;
  readonly ended: EndedJobs;
  readonly endless: EndlessJobs;
  readonly projection: Projection;
  readonly claims = new Claims();
  readonly namespaces: Namespaces;
  /** What namespaces hold of the whole, by their weights. */
  readonly shares: Shares;
  readonly waiting: Waiting;
  readonly #watchers = new Map<JobId, Set<Watcher>>();

  constructor(options: {
    database: Database;
    clock: Clock;
    ids: IdSource;
    /** A record cannot be read and was set aside. */
    onDamaged?: TellDamaged;
    /** Executions may have to make way for others. */
    hasPreemption?: boolean;
  }) {
    this.projection = new Projection(options);
    this.damaged = new Damaged(options.onDamaged);
    this.database = options.database;
    this.clock = options.clock;
    this.lifetime = new Lifetime(options);
    this.ids = options.ids;
    this.jobs = new Jobs({ database: this.database, damaged: this.damaged, lifetime: this.lifetime });
    this.executions = new Executions(this.database, this.damaged);
    this.loads = new Loads(this.database);
    this.evaluations = new Evaluations(this.database);
    this.nodes = new Nodes(this.database, this.damaged);
    this.ended = new EndedJobs(this.database, this.damaged);
    this.endless = new EndlessJobs(this.database, this.damaged);
    this.namespaces = new Namespaces(this.database, this.damaged);
    const { namespaces, projection: { accounts } } = this;
    this.shares = {
      shareOf: (name) => dominantShare(accounts.heldBy(name), accounts.total) / namespaces.weightOf(name),
      stepOf: (name, resources) => dominantShare(resources, accounts.total) / namespaces.weightOf(name),
    };
    this.waiting = new Waiting(this.shares);
    this.rebuild();
  }

  /** Reads what is in memory from the rows again: at start, and when a transaction that changed it failed. */
  rebuild(): void {
    this.jobs.forgetSpecs();
    this.namespaces.rebuild();
    this.projection.rebuild(this.nodes.all(), this.loads.placed(), this.loads.heldByNamespace());
    this.projection.occupants.rebuild(() => this.executions.allLive());
    this.claims.clear();
    this.waiting.clear();
    for (const { jobRow, status, priority, namespace } of this.evaluations.all()) {
      const waiter = { jobRow, priority, namespace };
      if (status === "due") this.waiting.putDue(waiter);
      else this.#putBlocked(waiter);
    }
    this.waiting.nodesChanged();
  }

  #putBlocked(waiter: Waiter): void {
    const found = this.damaged.read(jobAt(waiter.jobRow), () => this.jobs.get(waiter.jobRow));
    if (found === undefined) return;
    // Others wait for what is their own, or stand by: they look for it again.
    if (found.job.spec.type === "batch") this.waiting.putBlocked(waiter, groupKey(found.job), undefined);
    else this.waiting.putDue(waiter);
  }

  /** One transaction over rows and memory: both change, or neither. */
  transaction<Result>(work: () => Result, options: TransactionOptions = {}): Result {
    return this.database.transaction(work, {
      onFailed: (error) => {
        this.rebuild();
        options.onFailed?.(error);
      },
    });
  }

  /** Milliseconds of the wall clock, whole: for showing. */
  nowMs(): number {
    return Math.round(this.clock.wallMs());
  }

  /** Appends to the ledger, and tells whoever watches the job. */
  record(
    jobRow: JobRow,
    event: HistoryEvent,
    options: { executionId?: string; ageMs?: number; origin?: string; jobVersion?: number } = {},
  ): void {
    appendEvent(this.database, this.clock, {
      subject: jobRow.row,
      jobVersion: jobRow.job.version,
      event,
      ...options,
    });
    this.touch(jobRow.job);
  }

  /** Makes an evaluation of the job due; answers its id. */
  evaluate({ row, job }: JobRow, trigger: Trigger): string {
    const existing = this.evaluations.find(row);
    const id = existing?.id ?? newEvaluationId(this.ids);
    const priority = job.spec.priority;
    this.evaluations.put({ jobRow: row, id, trigger, status: "due", priority, nowMs: this.nowMs() });
    this.waiting.putDue({ jobRow: row, priority, namespace: job.spec.namespace });
    return id;
  }

  /** Tells watchers of the job once this transaction has committed. */
  touch({ id, phase, rollout }: Job): void {
    if (!this.#watchers.has(id)) return;
    const isEnd = isSettled({ phase, rollout });
    this.database.afterCommit(() => {
      const watchers = this.#watchers.get(id);
      for (const watcher of watchers ?? []) {
        if (watcher.onlyEnd && !isEnd) continue;
        this.#unwatch(id, watcher);
        watcher.call();
      }
    });
  }

  /** Calls once after the next commit that touches the job, or only after its end; the answer cancels. */
  watch(id: JobId, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    return () => this.#unwatch(id, watcher);
  }

  #unwatch(id: JobId, watcher: Watcher): void {
    const watchers = this.#watchers.get(id);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(id);
  }
}

/** Who waits for news of a job. */
export interface Watcher {
  readonly call: () => void;
  /** Nothing is news before there is nothing more to wait for. */
  readonly onlyEnd: boolean;
}
