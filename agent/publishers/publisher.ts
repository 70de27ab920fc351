/** The port of a publisher: where results go. Contract suite: `tests/contract/publisher_test.ts`. */
import type { Typed } from "../../shared/model/job.ts";
import type { PublishedResult } from "../../shared/model/result.ts";

/** Whose results, and how its job wants them published. */
export interface PublishRequest {
  readonly executionId: string;
  readonly jobId: string;
  readonly nodeId: string;
  readonly publisher: Typed;
  /** Folder of the execution. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** One type of publisher. */
export interface Publisher {
  /** The `Publisher.Type` of job specs. */
  readonly type: string;
  /** Results stay on this node and are fetched from it. */
  readonly keepsResultsHere: boolean;
  /**
   * Publishes the results; idempotent: a second time answers the same. Errors: `publish_failed`; a retryable error
   * (`unavailable`, `timed_out`…) is tried again. An abort rejects soon.
   */
  publish(request: PublishRequest): Promise<PublishedResult>;
}

export { PUBLISHES_NOTHING } from "../../shared/model/job.ts";
