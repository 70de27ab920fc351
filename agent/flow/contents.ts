/** Pulls contents that orders name by digest from their home: in pieces, resumable, verified, once for everybody. */
import type { Bus } from "../../shared/bus/bus.ts";
import { type Clock, pause } from "../../shared/clock.ts";
import { AppError, asAppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { decodeAnswer, encodeMessage } from "../../shared/wire/envelope.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import type { ContentStore } from "../host/host.ts";

const REQUEST_MS = 30_000;
const PAUSE_MS = 500;
const PAUSE_MAX_MS = 15_000;

interface Pull {
  readonly done: Promise<string>;
  readonly abort: AbortController;
  users: number;
}

/** Contents of jobs on this node. */
export class Contents {
  readonly #bus: Bus;
  readonly #store: ContentStore;
  readonly #clock: Clock;
  readonly #pulls = new Map<string, Pull>();

  constructor(options: { bus: Bus; store: ContentStore; clock: Clock }) {
    this.#bus = options.bus;
    this.#store = options.store;
    this.#clock = options.clock;
  }

  /** Path of the content on this host. Errors: `input_failed`, also when its home did not answer for too long. */
  async fetch(
    home: PeerId,
    content: { readonly digest: string; readonly sizeBytes: number },
    signal: AbortSignal,
  ): Promise<string> {
    const { digest } = content;
    const found = this.#store.find(digest);
    if (found !== undefined) return found;
    let pull = this.#pulls.get(digest);
    if (pull === undefined) {
      const abort = new AbortController();
      pull = { done: this.#pull(home, content, abort.signal), abort, users: 0 };
      this.#pulls.set(digest, pull);
    }
    pull.users++;
    try {
      return await orAborted(pull.done, signal);
    } finally {
      if (--pull.users === 0) this.#end(digest, pull);
    }
  }

  /** The last one that wanted it has gone: what is here already stays, and the next one goes on from there. */
  #end(digest: string, pull: Pull): void {
    pull.abort.abort();
    if (this.#pulls.get(digest) === pull) this.#pulls.delete(digest);
  }

  async #pull(
    home: PeerId,
    { digest, sizeBytes }: { digest: string; sizeBytes: number },
    signal: AbortSignal,
  ): Promise<string> {
    let offset = this.#store.partialBytes(digest);
    if (offset > sizeBytes) throw failed(digest, "more of it is here than there should be");
    let pauseMs = PAUSE_MS;
    let progressAtMs = this.#clock.uptimeMs();
    while (offset < sizeBytes) {
      try {
        const bytes = await this.#request(home, digest, offset);
        // Somebody else may be pulling it by now.
        if (signal.aborted) throw failed(digest, "nobody wants it any more");
        if (bytes.length === 0 || offset + bytes.length > sizeBytes) {
          throw failed(digest, "its size is another one");
        }
        this.#store.append(digest, bytes);
        offset += bytes.length;
        pauseMs = PAUSE_MS;
        progressAtMs = this.#clock.uptimeMs();
      } catch (error) {
        const { kind, message } = asAppError(error, "input_failed");
        const isLate = this.#clock.uptimeMs() - progressAtMs > LIMITS.contentWaitMs;
        const isFinal = asAppError(error).code === "input_failed" || !kind.isRetryable || isLate;
        if (isFinal) throw failed(digest, message, error);
        await pause(this.#clock, pauseMs, signal);
        if (signal.aborted) throw failed(digest, "nobody wants it any more");
        pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
      }
    }
    return this.#store.finish(digest);
  }

  async #request(home: PeerId, digest: string, offset: number): Promise<Uint8Array> {
    const subject = serveSubject(home, "content");
    const answer = await this.#bus.request(subject, encodeMessage({ digest, offset }), {
      timeoutMs: REQUEST_MS,
    });
    return decodeAnswer(answer).bytes;
  }
}

function failed(digest: string, why: string, cause?: unknown): AppError {
  return new AppError("input_failed", `Cannot fetch content "${digest.slice(0, 19)}": ${why}`, {
    hint: "The orchestrator keeps it as long as the job: look whether it can be reached",
    cause,
  });
}

function orAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new AppError("stopped", "Fetching an input was broken off"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
