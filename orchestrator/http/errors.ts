/** One envelope for every failure. */
import { AppError, ERRORS } from "../../shared/errors.ts";
import type { Log } from "../../shared/log.ts";
import type { Answers } from "./answer.ts";

/** What every failed request is answered with. */
export interface Envelope {
  readonly Status: number;
  readonly Message: string;
  readonly RequestID: string;
  /** Bacalhau's name; our own code is in `Details.code`. */
  readonly Code: string;
  readonly Component: string;
  readonly Hint?: string;
  readonly Details?: Readonly<Record<string, string>>;
}

const STORE_CODES: ReadonlySet<string> = new Set(["not_found", "ambiguous"]);
/** Bacalhau's words. */
const UNKNOWN_ROUTE = "The requested resource/URL was not found.";

/** The envelope of an error. What is not an `AppError`, or is internal, says nothing of itself. */
export function envelopeOf(error: unknown, requestId: string): Envelope {
  if (!(error instanceof AppError) || error.code === "internal") {
    return {
      Status: 500,
      Message: "Internal server error",
      RequestID: requestId,
      Code: ERRORS.internal.wireCode,
      Component: "APIServer",
      Details: { code: "internal" },
    };
  }
  return {
    Status: error.kind.status,
    Message: error.message,
    RequestID: requestId,
    Code: error.kind.wireCode,
    Component: STORE_CODES.has(error.code) && error.message !== UNKNOWN_ROUTE ? "JobStore" : "APIServer",
    ...(error.hint && { Hint: error.hint }),
    Details: { ...error.details, code: error.code },
  };
}

/** Answers with the envelope. What clients are not told goes to the log. */
export function answerError(
  error: unknown,
  { requestId, answers, log, query }: {
    requestId: string;
    answers: Answers;
    log: Log;
    query: URLSearchParams;
  },
): Response {
  const envelope = envelopeOf(error, requestId);
  if (envelope.Status >= 500) {
    // Clients try again and again while the disk is full: that must not fill it further.
    const isExpected = error instanceof AppError && error.kind.isRetryable;
    log[isExpected ? "debug" : "error"]("Request failed", { requestId, error });
  }
  return answers.json({ requestId, query }, envelope, envelope.Status);
}

/** The error of a path that is not served. */
export function unknownRoute(): AppError {
  return new AppError("not_found", UNKNOWN_ROUTE, {
    hint: "The API is described at /api/v1/openapi.json",
  });
}
