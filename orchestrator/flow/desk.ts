/** What a door (HTTP, the page, a test) may ask of an orchestrator. */
import type { EvaluationId, ExecutionId, JobId } from "../../shared/model/ids.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import type { PruneRequest } from "../../shared/wire/messages.ts";
import type { Queries } from "../store/queries.ts";
import type { Node } from "../../shared/model/node.ts";
import type { Namespace } from "../../shared/model/namespace.ts";
import type { NamespaceChange } from "./namespaces.ts";
import type { DrainWish } from "./drain.ts";
import type { ExplainQuery, JobExplanation } from "./explain.ts";
import type { SubmissionPlan } from "./plan.ts";
import type { Pruned } from "./prune.ts";

/** A job to be. */
export interface Submission {
  readonly spec: JobSpec;
  /** The client's own token: the same token and spec again answer with the first job; with another spec: `conflict`. */
  readonly idempotencyToken?: string;
  /** Contents by digest that the spec's inline inputs refer to, stored before the job is. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** Asks for a new version also when nothing changed. */
  readonly isForced?: boolean;
}

/** The job that a submission became. */
export interface SubmissionAnswer {
  readonly jobId: JobId;
  readonly evaluationId: EvaluationId;
  readonly warnings: readonly string[];
}

/** A piece of an execution's output, as the engine delivered it. */
export interface LogPiece {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly atMs: number;
  /** Set when output is missing here because of the limit: how many bytes. */
  readonly cutBytes?: number;
}

/** Which output to read. */
export interface LogQuery {
  readonly isFollowing: boolean;
  /** Only the last lines. */
  readonly tailLines?: number;
  /** Unix ms. */
  readonly sinceMs?: number;
}

/** One file or folder of an execution's results. `path` is relative, with `/`. */
export interface ResultEntry {
  readonly path: string;
  readonly kind: "file" | "folder";
  readonly sizeBytes: number;
}

/** One orchestrator, as its doors see it. Every promise rejects with `AppError`. */
export interface Desk {
  readonly queries: Queries;
  /** Durable when it resolves. */
  submit(submission: Submission): Promise<SubmissionAnswer>;
  /** No evaluation id when the job was stopped already; `conflict` when it has completed or failed. */
  stop(id: JobId, options: { reason: string }): Promise<{ evaluationId?: EvaluationId }>;
  /** Runs a version of the job once more, the current one unless it is named. `conflict` while it has not begun. */
  rerun(
    id: JobId,
    options: { version?: number; reason: string },
  ): Promise<{ evaluationId: EvaluationId; version: number }>;
  /** What would come of a submission; nothing is written. Errors: as those of `submit`, but for `no_changes`. */
  plan(submission: Submission): Promise<SubmissionPlan>;
  /** The node, by id, its beginning or name, gets nothing new from now on. `not_found`, `ambiguous`. */
  drain(id: string, wish: DrainWish): Promise<Node>;
  /** It takes work again. `not_found`, `ambiguous`. */
  endDrain(id: string): Promise<Node>;
  /** `invalid`, `exhausted`. */
  setNamespace(name: string, change: NamespaceChange): Promise<Namespace>;
  /** `not_found`. */
  deleteNamespace(name: string): Promise<void>;
  /** Why it waits, or where it was put. The job must be there. */
  explain(id: JobId, query: ExplainQuery): Promise<JobExplanation>;
  /** Makes room on this node: ended jobs here, and what its agent holds. `unavailable` when that does not answer. */
  prune(request: PruneRequest): Promise<Pruned>;
  /** Resolves at the next commit that touches the job (`onlyEnd`: that ends it, or follows its end), or when aborted. */
  changed(id: JobId, options: { signal: AbortSignal; onlyEnd?: boolean }): Promise<void>;
  /** The execution's output in order; ends when it has ended (following) or when all kept output was read. */
  readLogs(id: ExecutionId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogPiece>;
  /** Every file and folder of the published results, sorted by path. */
  listResult(id: ExecutionId): Promise<readonly ResultEntry[]>;
  readResult(id: ExecutionId, path: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
