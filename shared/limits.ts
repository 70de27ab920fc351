/** Every bound, with its reason and what happens there. Printed into `docs/limits.md`. */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Bytes of an HTTP request body: Bacalhau's limit. Beyond: 413. */
  httpBodyBytes: 10 * MIB,
  /** Partitions of one job: bounds one evaluation's memory. Beyond: refused at submission. */
  jobCountMax: 100_000,
  /** Nesting of a job spec: far above any real one, below what recursion survives. Beyond: refused. */
  specDepthMax: 32,
  /** Values in a job spec, content of inline inputs not counted. Beyond: refused. */
  specValuesMax: 20_000,
  /** Characters of one name, key or label. Beyond: refused. */
  nameCharsMax: 256,
  /** Content above this is stored by digest at admission; orders carry the digest. Keeps rows and messages small. */
  inlineBytes: 16 * KIB,
  /** Bytes of one chunk of content, logs or results over the bus: a NATS message holds 1 MiB at most. */
  chunkBytes: 256 * KIB,
  /** Placements of one plan: keeps a scheduling tick near 20 ms. The evaluation stays due for the rest. */
  placementsPerPlan: 200,
  /** Evaluations worked on in one tick, in one transaction. */
  evaluationsPerTick: 64,
  /** Submissions committed together: shares one fsync without making anyone wait long. */
  submissionsPerTick: 256,
  /** Submissions that may wait for their commit. Beyond: 429. */
  submissionsWaitingMax: 4096,
  /** Entries of one sync batch, and their bytes: keeps a tick short and a message below the bus's limit. */
  batchEntries: 256,
  batchBytes: 512 * KIB,
  /** Unacknowledged bytes in flight to one peer and lane. */
  windowBytes: 2 * MIB,
  /** Kept of each of stdout and stderr in the execution's record: Bacalhau's amount. */
  outputPreviewBytes: 2 * KIB,
  /** Kept of each of stdout and stderr on disk. Beyond: dropped, and the cut is shown. */
  logBytes: 256 * MIB,
  /** What a task may write when it names no disk. */
  diskBytesDefault: 1024 * MIB,
  /** Free bytes below which new work is refused, so that state can always be recorded. */
  diskReserveBytes: 256 * MIB,
  /** Executions that may wait in an agent's queue. Beyond: refused as busy. */
  agentQueueMax: 1024,
  /** Rows of one page of a list. */
  pageMax: 1000,
} as const;
