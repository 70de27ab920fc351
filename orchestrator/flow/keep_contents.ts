/**
 * Contents live as long as a job that uses them, or a submission that is under way. What nobody uses is removed: after a
 * refusal, with the last job that used it, and at start what a crash has left.
 */
import { AppError } from "../../shared/errors.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import type { Stage } from "../../shared/supervise.ts";
import type { Contents } from "../store/contents.ts";
import type { Store } from "../store/store.ts";
import type { Submission } from "./desk.ts";

/** Contents that a spec names by digest. */
export function digestsOf(spec: JobSpec): readonly string[] {
  return spec.task.inputs.flatMap(({ source: { type, params } }) =>
    type === "inline" && typeof params.Digest === "string" ? [params.Digest] : []
  );
}

/** Who needs which content; as a stage it looks through all of them at start. */
export class KeepContents implements Stage {
  readonly name = "keep_contents";
  readonly #store: Store;
  readonly #contents: Contents;
  /** Digest → submissions under way that need it. */
  readonly #needed = new Map<string, number>();
  /** What takes one of these up waits until it is gone. */
  readonly #removing = new Map<string, Promise<void>>();

  constructor(options: { store: Store; contents: Contents }) {
    this.#store = options.store;
    this.#contents = options.contents;
  }

  /**
   * Keeps what came with a submission; what it only names by digest must be here already. Answers what must be let go of
   * once it is a job, or is none. Errors: `invalid`, `disk_full`.
   */
  async take({ spec, contents }: Submission): Promise<readonly string[]> {
    const digests = [...new Set([...contents.keys(), ...digestsOf(spec)])];
    if (digests.length === 0) return digests;
    for (const digest of digests) this.#needed.set(digest, (this.#needed.get(digest) ?? 0) + 1);
    try {
      for (const digest of digests) await this.#removing.get(digest);
      for (const [digest, bytes] of contents) await this.#contents.put(digest, bytes);
      await this.demand({ spec, contents });
    } catch (error) {
      this.letGo(digests);
      throw error;
    }
    return digests;
  }

  /** What a submission only names by digest must be here already. Errors: `invalid`. */
  async demand({ spec, contents }: Pick<Submission, "spec" | "contents">): Promise<void> {
    for (const digest of digestsOf(spec)) {
      if (contents.has(digest) || await this.#contents.has(digest)) continue;
      const { target } = spec.task.inputs.find(({ source }) => source.params.Digest === digest)!;
      throw new AppError(
        "invalid",
        `Cannot submit the job: the content of input "${target}" must be known here, ${digest} is not`,
        { hint: "Send the content itself, as a data: URL" },
      );
    }
  }

  /** The submission needs them no more; a job may. */
  letGo(digests: readonly string[]): void {
    for (const digest of digests) {
      const count = this.#needed.get(digest)! - 1;
      if (count > 0) this.#needed.set(digest, count);
      else this.#needed.delete(digest);
    }
    this.removeUnused(digests);
  }

  /** Removes those of them that nobody uses any more. What cannot be removed is tried again at the next start. */
  removeUnused(digests: Iterable<string>): void {
    for (const digest of digests) {
      if (this.#needed.has(digest) || this.#removing.has(digest)) continue;
      if (this.#store.jobs.usesContent(digest)) continue;
      const removing = this.#contents.remove(digest).catch(() => {}).finally(() =>
        this.#removing.delete(digest)
      );
      this.#removing.set(digest, removing);
    }
  }

  async tick(): Promise<boolean> {
    for await (const digest of this.#contents.list()) this.removeUnused([digest]);
    await Promise.all(this.#removing.values());
    return false;
  }
}
