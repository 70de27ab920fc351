/** What the doors may read of an orchestrator's state. All answers are whole records, parsed. */
import type { Constraint } from "../../shared/model/constraint.ts";
import type { Execution } from "../../shared/model/execution.ts";
import type { HistoryItem } from "../../shared/model/history.ts";
import type { ExecutionId, JobId } from "../../shared/model/ids.ts";
import type { Job, JobPhase } from "../../shared/model/job.ts";
import type { Amounts, Namespace } from "../../shared/model/namespace.ts";
import type { Resources } from "../../shared/model/resources.ts";
import type { Node } from "../../shared/model/node.ts";

/** A page of a list. `next` is the cursor of the following page; absent on the last. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

/** Which page of a list. */
export interface PageQuery {
  /** 1…`LIMITS.pageMax`. */
  readonly limit: number;
  /** A `next` of an earlier answer to the same query; a string that is none throws `bad_request`. */
  readonly cursor?: string;
  readonly isReversed?: boolean;
}

/** Which jobs. */
export interface JobQuery extends PageQuery {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labels?: readonly Constraint[];
  readonly phases?: readonly JobPhase[];
  /** Creation order unless told. */
  readonly orderBy?: "created" | "modified";
}

/** Which executions of a job. */
export interface ExecutionQuery extends PageQuery {
  /** Absent: the latest version; `all`: every one. */
  readonly version?: number | "all";
  readonly orderBy?: "created" | "modified";
}

/** Which latest executions of a job. */
export interface LatestQuery {
  /** Absent: all. */
  readonly partition?: number;
  /** Absent: the latest version; `all`: the latest that has one, for each partition. */
  readonly version?: number | "all";
}

/** Which results of a job. */
export interface ResultQuery {
  /** Partitions that are looked at: 1…`LIMITS.pageMax`. */
  readonly limit: number;
  readonly cursor?: string;
  /** Absent: the latest. */
  readonly version?: number;
}

/** Which events of a job. */
export interface HistoryQuery extends PageQuery {
  readonly version?: number | "all";
  readonly executionId?: ExecutionId;
  readonly level?: "all" | "job" | "execution";
  /** Unix ms; only events at or after it. */
  readonly sinceMs?: number;
  /** Only events with a higher `seq`: where a reader that waits for more goes on. */
  readonly afterSeq?: number;
}

/** A namespace with what is known of it now. */
export interface NamespaceView {
  readonly namespace: Namespace;
  /** False: nobody has; it has weight 1 and no bounds. */
  readonly isSetUp: boolean;
  /** Sum over its live executions. */
  readonly held: Resources;
  /** The dominant share of all nodes together, not by its weight. */
  readonly share: number;
  /** Jobs that have not ended. */
  readonly liveJobCount: number;
}

/** Reading, for HTTP and the page. Nothing here writes. */
export interface Queries {
  /** By name in the namespace, then by id, then by id prefix. Throws `not_found` and `ambiguous`. */
  getJob(idOrName: string, namespace?: string): Job;
  /** The job as it was submitted in that version. Throws `not_found`. */
  getJobVersion(id: JobId, version: number): Job;
  listJobs(query: JobQuery): Page<Job>;
  listVersions(id: JobId): readonly Job[];
  /** By id or id prefix. Throws `not_found` and `ambiguous`. */
  getExecution(id: string): Execution;
  listExecutions(id: JobId, query: ExecutionQuery): Page<Execution>;
  /** The latest execution of each partition, in their order, without refused ones. Read one by one as it is walked. */
  walkLatest(id: JobId, query: LatestQuery): Iterable<ExecutionId>;
  /** What the partitions of one version left, in their order: one execution for each that left results. */
  listResults(id: JobId, query: ResultQuery): Page<Execution>;
  /** Oldest first. */
  listHistory(id: JobId, query: HistoryQuery): Page<HistoryItem>;
  listNodes(): readonly Node[];
  /** By id, id prefix or name label. Throws `not_found` and `ambiguous`. */
  getNode(id: string): Node;
  /** Those that are set up, have jobs that have not ended, or hold something; sorted by name. */
  listNamespaces(): readonly NamespaceView[];
  /** Throws `not_found` where nobody set it up and nothing is in it. */
  getNamespace(name: string): NamespaceView;
  /** What a task gets there that does not ask. */
  defaultsOf(namespace: string): Amounts;
}
