/** Answers requests from the bus: output, lists of results, pieces of results, room. */
import type { z } from "zod";
import type { Bus } from "../../shared/bus/bus.ts";
import { AppError, asAppError } from "../../shared/errors.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { type Answer, decodeMessage, encodeAnswer } from "../../shared/wire/envelope.ts";
import {
  LogRequest,
  type PeerId,
  PruneRequest,
  ResultListAnswer,
  ResultListRequest,
  ResultReadRequest,
} from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import type { Workspace } from "../host/host.ts";
import type { Journal } from "../store/journal.ts";
import type { Executions } from "./executions.ts";
import type { Prune } from "./prune.ts";
import type { TailLogs } from "./tail_logs.ts";

/** What answers are made of. */
export interface ServeOptions {
  readonly self: PeerId;
  readonly bus: Bus;
  readonly database: Database;
  readonly journal: Journal;
  readonly executions: Executions;
  readonly workspace: Workspace;
  readonly tail: TailLogs;
  readonly lifetime: Lifetime;
  readonly prune: Prune;
}

/** Executions whose fetching is followed at once. Beyond: the oldest must be fetched again to count as fetched. */
const FETCHES_MAX = 256;

/** Responders on the bus: open while the agent runs. */
export class Serve {
  readonly #options: ServeOptions;
  readonly #undo: (() => void)[] = [];
  /** Result files that nobody has read to the end yet. */
  readonly #unread = new Map<ExecutionId, Set<string>>();

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  open(): void {
    const { tail } = this.#options;
    this.#respond("logs", LogRequest, async ({ executionId, cursor, waitMs }) => {
      this.#mustKnow(executionId);
      return { value: await tail.read(executionId, cursor, waitMs) };
    });
    this.#respond("result_list", ResultListRequest, async ({ executionId }) => {
      this.#mustBePublished(executionId);
      return {
        value: ResultListAnswer.parse({ entries: await this.#options.workspace.listResults(executionId) }),
      };
    });
    this.#respond("result_read", ResultReadRequest, (request) => this.#readResult(request));
    this.#respond(
      "prune",
      PruneRequest,
      async (request) => ({ value: await this.#options.prune.answer(request) }),
    );
  }

  close(): void {
    for (const undo of this.#undo) undo();
    this.#undo.length = 0;
  }

  #respond<Schema extends z.ZodType>(
    what: "logs" | "result_list" | "result_read" | "prune",
    schema: Schema,
    answer: (request: z.infer<Schema>) => Promise<Answer>,
  ): void {
    const { bus, self } = this.#options;
    this.#undo.push(bus.respond(serveSubject(self, what), async (bytes) => {
      try {
        return encodeAnswer(await answer(decodeMessage(schema, bytes)));
      } catch (error) {
        const { code, message, hint } = asAppError(error);
        return encodeAnswer({ error: { code, message, ...(hint !== undefined && { hint }) } });
      }
    }));
  }

  async #readResult({ executionId, path, offset }: z.infer<typeof ResultReadRequest>): Promise<Answer> {
    this.#mustBePublished(executionId);
    const at = { path, offset, bytesMax: LIMITS.chunkBytes };
    const { bytes, sizeBytes } = await this.#options.workspace.readResult(executionId, at);
    if (offset + bytes.length >= sizeBytes) await this.#noteRead(executionId, path);
    return { value: { sizeBytes }, bytes };
  }

  /** Once every file with content has been read to its end, the results count as fetched. */
  async #noteRead(id: ExecutionId, path: string): Promise<void> {
    let unread = this.#unread.get(id);
    if (unread === undefined) {
      const files = await this.#options.workspace.listResults(id);
      // Another file may have been read to its end meanwhile.
      unread = this.#unread.get(id) ?? new Set(
        files.filter(({ kind, sizeBytes }) => kind === "file" && sizeBytes > 0).map((file) => file.path),
      );
      for (const oldest of this.#unread.keys()) {
        if (this.#unread.size < FETCHES_MAX) break;
        this.#unread.delete(oldest);
      }
      this.#unread.set(id, unread);
    }
    unread.delete(path);
    if (unread.size > 0) return;
    this.#unread.delete(id);
    this.#options.database.transaction(() =>
      this.#options.journal.setFetched(id, this.#options.lifetime.nowMs())
    );
  }

  #mustKnow(id: ExecutionId): void {
    if (this.#options.executions.find(id) === undefined && this.#options.journal.find(id) === undefined) {
      throw new AppError("not_found", `Cannot find execution "${id}" on this node`, {
        hint: "It never ran here, or it ended so long ago that it was removed",
      });
    }
  }

  #mustBePublished(id: ExecutionId): void {
    this.#mustKnow(id);
    const state = this.#options.journal.find(id)?.state;
    if (state?.phase !== "ended") {
      throw new AppError("conflict", `Cannot read results of execution "${id}": it has not ended`, {
        hint: "Wait for its end; its logs can be followed meanwhile",
      });
    }
    if (state.result === undefined) {
      throw new AppError("not_found", `Cannot read results of execution "${id}": it published none`, {
        hint: "Name a publisher in the job, such as local",
      });
    }
  }
}
