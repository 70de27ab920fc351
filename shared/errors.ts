/**
 * The one table of errors: what each code means to HTTP, to retries, to the command line, and to Bacalhau's
 * clients. A released code keeps its meaning.
 */

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  tryAgain: 5,
  jobFailed: 6,
  timedOut: 7,
  changes: 8,
  interrupted: 130,
} as const;

/** How a code behaves at every edge. `wireCode` is Bacalhau's name for it in the error envelope. */
export interface ErrorKind {
  readonly status: number;
  readonly isRetryable: boolean;
  readonly exit: number;
  readonly wireCode: string;
  /** What the code means, in one sentence: the text of `docs/errors.md`. */
  readonly meaning: string;
}

const kind = (
  status: number,
  wireCode: string,
  exit: number,
  meaning: string,
  isRetryable = false,
): ErrorKind => ({
  status,
  wireCode,
  exit,
  meaning,
  isRetryable,
});

/** Code → behaviour. */
export const ERRORS = {
  bad_request: kind(
    400,
    "BadRequest",
    EXIT.usage,
    "The request cannot be read: wrong syntax, type or header.",
  ),
  invalid: kind(
    400,
    "ValidationError",
    EXIT.usage,
    "The request was read, and a value in it is not allowed.",
  ),
  unauthorized: kind(401, "Unauthorized", EXIT.refused, "Who asks could not be told."),
  forbidden: kind(
    403,
    "Forbidden",
    EXIT.refused,
    "Who asks may not do this, or the request comes from a web page.",
  ),
  not_found: kind(404, "NotFound", EXIT.notFound, "The named thing does not exist here."),
  wrong_method: kind(405, "BadRequest", EXIT.usage, "The path is known, the HTTP method is not."),
  ambiguous: kind(409, "MultipleJobsFound", EXIT.usage, "The given prefix fits several things."),
  conflict: kind(
    409,
    "ConflictJobState",
    EXIT.refused,
    "The thing is in a state in which this cannot be done.",
  ),
  in_use: kind(
    409,
    "ResourceInUse",
    EXIT.refused,
    "Something else holds what is needed, such as a port or a data folder.",
  ),
  no_changes: kind(409, "NoChanges", EXIT.refused, "The job exists already with the same specification."),
  too_large: kind(413, "BadRequest", EXIT.usage, "The request is larger than the limit."),
  unsupported: kind(501, "NotImplemented", EXIT.refused, "This version cannot do this."),
  exhausted: kind(429, "ResourceExhausted", EXIT.tryAgain, "A limit or a queue is full at the moment.", true),
  disk_full: kind(507, "ResourceExhausted", EXIT.tryAgain, "The disk is too full to take new work.", true),
  unavailable: kind(
    503,
    "ServiceUnavailable",
    EXIT.tryAgain,
    "The other side cannot answer at the moment.",
    true,
  ),
  unreachable: kind(503, "NetworkFailure", EXIT.tryAgain, "The server could not be reached.", true),
  timed_out: kind(504, "TimeOut", EXIT.timedOut, "No answer came in time.", true),
  config: kind(500, "ConfigurationError", EXIT.usage, "The configuration has an error."),
  store: kind(
    500,
    "DatastoreFailure",
    EXIT.failed,
    "The local store cannot be used: corrupt, read-only or of a newer version.",
  ),
  io: kind(500, "IOError", EXIT.failed, "A file or device could not be read or written."),
  internal: kind(500, "InternalError", EXIT.failed, "Something that should not happen did."),

  // Why an execution did not end as its user wished. They are stored, shown and drive retries.
  engine_missing: kind(422, "InternalError", EXIT.jobFailed, "The node does not have the engine."),
  input_refused: kind(422, "InternalError", EXIT.jobFailed, "An input may not be used on this node."),
  input_failed: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "An input could not be fetched or prepared.",
    true,
  ),
  module_invalid: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The module cannot be loaded: not WebAssembly, not WASI, or an import is missing.",
  ),
  module_trapped: kind(422, "InternalError", EXIT.jobFailed, "The module ended by a trap."),
  image_missing: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The image is not on the node and the registry does not give it.",
  ),
  image_unreachable: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The image is not on the node and its registry cannot be reached.",
    true,
  ),
  platform_mismatch: kind(422, "InternalError", EXIT.jobFailed, "The image is for another platform."),
  start_failed: kind(422, "InternalError", EXIT.jobFailed, "The container could not be started."),
  memory_exceeded: kind(422, "InternalError", EXIT.jobFailed, "The task used more memory than it asked for."),
  disk_exceeded: kind(422, "InternalError", EXIT.jobFailed, "The task wrote more than it asked for."),
  execution_timed_out: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The execution ran longer than its time-out.",
  ),
  queue_timed_out: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The job waited longer than its queue time-out.",
  ),
  job_timed_out: kind(422, "InternalError", EXIT.jobFailed, "The job took longer than its total time-out."),
  program_failed: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The program ended with an exit code that the job does not accept.",
  ),
  unhealthy: kind(422, "InternalError", EXIT.jobFailed, "The execution no longer passed its health check."),
  interrupted: kind(
    422,
    "InternalError",
    EXIT.jobFailed,
    "The execution ended because the node or its agent stopped.",
    true,
  ),
  node_lost: kind(422, "InternalError", EXIT.jobFailed, "The node went away.", true),
  refused: kind(422, "InternalError", EXIT.jobFailed, "The node refused the execution.", true),
  publish_failed: kind(422, "InternalError", EXIT.jobFailed, "The results could not be published.", true),
  stopped: kind(
    409,
    "ConflictJobState",
    EXIT.jobFailed,
    "A user, or the end of its job, stopped the execution.",
  ),
  not_enough_nodes: kind(422, "InternalError", EXIT.jobFailed, "No known node could ever run the job."),
} as const satisfies Record<string, ErrorKind>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/** What an `AppError` carries beside code and message. */
export interface AppErrorOptions {
  readonly hint?: string;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, string>>;
}

/** An operation failed in a way that its caller should hear of. Message: capital, no full stop, action first. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  get kind(): ErrorKind {
    return ERRORS[this.code];
  }
}

/** Any thrown value as an `AppError`; a foreign error becomes `internal` with itself as the cause. */
export function asAppError(error: unknown, code: ErrorCode = "internal"): AppError {
  if (error instanceof AppError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new AppError(code, text, { cause: error });
}
