/** VALIDATE: submissions become jobs. Those that arrive together share one transaction. */
import { AppError, asAppError } from "../../shared/errors.ts";
import { DamagedError } from "../../shared/ledger/body.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type EvaluationId, newJobId } from "../../shared/model/ids.ts";
import type { Job } from "../../shared/model/job.ts";
import { admit } from "../core/admit.ts";
import { jobSubmitted, jobUpdated } from "../core/events.ts";
import { hashOfSpec } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";
import type { Submission, SubmissionAnswer } from "./desk.ts";
import type { KeepContents } from "./keep_contents.ts";
import { beginTimeouts, demandNamespace, findSameName, writeVersion } from "./versions.ts";

interface Pending {
  readonly submission: Submission;
  /** Contents that it needs. */
  readonly digests: readonly string[];
  readonly specHash: string;
  readonly resolve: (answer: SubmissionAnswer) => void;
  readonly reject: (error: unknown) => void;
}

/** What submission works on. */
export interface SubmitOptions {
  readonly store: Store;
  readonly keepContents: KeepContents;
  readonly deadlines: Deadlines;
  readonly nudge: () => void;
  /** Why no new work is taken at the moment, such as a full disk. */
  readonly refuses: () => AppError | undefined;
}

/** Admits jobs. */
export class Submit {
  readonly #options: SubmitOptions;
  #pending: Pending[] = [];

  constructor(options: SubmitOptions) {
    this.#options = options;
  }

  /** Durable when it resolves. */
  async submit(submission: Submission): Promise<SubmissionAnswer> {
    const refusal = this.#options.refuses();
    if (refusal !== undefined) throw refusal;
    if (this.#pending.length >= LIMITS.submissionsWaitingMax) {
      throw new AppError("exhausted", "Cannot submit the job: too many submissions wait already", {
        hint: "Try again in a moment",
      });
    }
    const { keepContents, nudge } = this.#options;
    const digests = await keepContents.take(submission);
    try {
      return await new Promise((resolve, reject) => {
        const specHash = hashOfSpec(submission.spec);
        this.#pending.push({ submission, digests, specHash, resolve, reject });
        nudge();
      });
    } finally {
      keepContents.letGo(digests);
    }
  }

  /** Commits what waits, up to a bound. */
  tick(): boolean {
    const { store } = this.#options;
    const batch = this.#pending.splice(0, LIMITS.submissionsPerTick);
    if (batch.length === 0) return false;
    const work = () => {
      for (const pending of batch) store.database.afterCommit(this.#admitOne(pending));
    };
    const onFailed = (error: unknown) => {
      for (const { reject } of batch) reject(error);
    };
    try {
      store.transaction(work, { onFailed });
    } catch {
      // Told to those who submitted, and nothing of it is left.
    }
    return this.#pending.length > 0;
  }

  /** Answers what to tell the submitter after the commit. A refusal writes nothing and hurts no other submission. */
  #admitOne(pending: Pending): () => void {
    const { submission, specHash, resolve, reject } = pending;
    try {
      const answer = this.#repeated(submission, specHash) ?? this.#admit(pending);
      return () => resolve(answer);
    } catch (error) {
      const refusal = asAppError(error);
      // The store failed, not the submission; the record of a job with its name may be damaged, though.
      if (refusal.kind.status >= 500 && !(error instanceof DamagedError)) throw error;
      return () => reject(refusal);
    }
  }

  #repeated({ idempotencyToken }: Submission, specHash: string): SubmissionAnswer | undefined {
    if (!idempotencyToken) return undefined;
    const earlier = this.#options.store.jobs.findSubmission(idempotencyToken);
    if (earlier === undefined) return undefined;
    if (earlier.specHash !== specHash) {
      throw new AppError(
        "conflict",
        `Cannot submit the job: its idempotency token was used for another job, ${earlier.jobId}`,
        {
          hint: "Use a new token for every job",
        },
      );
    }
    return { jobId: earlier.jobId, evaluationId: earlier.evaluationId as EvaluationId, warnings: [] };
  }

  #admit({ submission, digests, specHash }: Pending): SubmissionAnswer {
    const { spec, idempotencyToken, isForced = false } = submission;
    const { store, deadlines } = this.#options;
    const nowMs = store.nowMs();
    const same = findSameName(store, spec, specHash);
    const job = admit({ spec, id: newJobId(store.ids), nowMs, sameName: same, isForced });
    demandNamespace(store, spec, same?.job);
    const { row, evaluationId } = same === undefined ? this.#writeNew(job, specHash) : {
      row: same.row,
      evaluationId: writeVersion({ store, deadlines }, { row: same.row, job }, {
        specHash,
        trigger: "job_update",
        event: jobUpdated(),
        keepsTasks: !isForced,
      }),
    };
    for (const digest of digests) store.jobs.useContent(row, digest);
    if (idempotencyToken) {
      store.jobs.insertSubmission({ token: idempotencyToken, jobRow: row, specHash, evaluationId, nowMs });
    }
    return { jobId: job.id, evaluationId, warnings: [] };
  }

  #writeNew(job: Job, specHash: string): { row: number; evaluationId: EvaluationId } {
    const { store, deadlines } = this.#options;
    const row = store.jobs.insert(job, specHash);
    const evaluationId = store.evaluate({ row, job }, "job_register") as EvaluationId;
    store.record({ row, job }, jobSubmitted());
    beginTimeouts(deadlines, job);
    return { row, evaluationId };
  }
}
