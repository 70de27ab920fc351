/** Every bound, with its reason and what happens there. Printed into `docs/limits.md`. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound by name. */
export const LIMITS = {
  /** Bytes of an HTTP request body: Bacalhau's limit. Beyond: 413. */
  httpBodyBytes: 10 * MIB,
  /** How long a body may take to arrive: a slow link needs it, a stuck client must not hold more. Beyond: 504. */
  httpBodyMs: 60_000,
  /** How long one answer may be held back for news, in ms: proxies cut silent connections after a minute. */
  waitMsMax: 30_000,
  /** Answers held back at the same time: each costs a connection. Beyond: 429. */
  longPollsMax: 1024,
  /** Open log sockets: each may read a file. Beyond: 429. */
  socketsMax: 256,
  /** Bytes that wait in one log socket for a slow reader; the log is read on when they are gone. */
  socketBufferBytes: MIB,
  /** Partitions whose logs are followed over one socket. Beyond: name one. */
  logPartitionsMax: 64,
  /** Last lines of an output that may be asked for. Beyond: refused, all of it can be read instead. */
  tailLinesMax: 10_000,
  /** Kept of one output while its last lines are looked for. Beyond: the older of them are left out, which is told. */
  tailBytes: 4 * MIB,
  /** Lines of a diff; longer texts are shown as replaced as a whole. */
  diffLinesMax: 2000,
  /** Partitions of one job: bounds one evaluation's memory. Beyond: refused at submission. */
  jobCountMax: 100_000,
  /** Nesting of a job spec: far above any real one, below what recursion survives. Beyond: refused. */
  specDepthMax: 32,
  /** Values in a job spec, content of inline inputs not counted. Beyond: refused. */
  specValuesMax: 20_000,
  /** Characters of one name, key or label. Beyond: refused. */
  nameCharsMax: 256,
  /** Characters of one argument, value or text of a job spec: Linux's limit for one argument. Beyond: refused. */
  textCharsMax: 128 * KIB,
  /** Characters of one path or URL in a job spec: Linux's limit for a path. Beyond: refused. */
  pathCharsMax: 4 * KIB,
  /** Bytes of a job spec as JSON once large content is stored by digest: two of them fit a sync batch. Beyond: refused. */
  specBytesMax: 256 * KIB,
  /** Bytes of inline content that stay in one job spec together. What is beyond is stored by digest. */
  inlineTotalBytes: 64 * KIB,
  /** Inputs, result paths and domains of one task: each costs a mount. Beyond: refused. */
  inputsMax: 256,
  /** Ports of one task: each is a process of the Docker Engine's. Beyond: refused. */
  portsMax: 64,
  /** Constraints of one job, and values of one constraint: every node is compared with them. Beyond: refused. */
  constraintsMax: 64,
  constraintValuesMax: 256,
  /** Labels over which one job is spread: each is a factor in the number of groups. Beyond: refused. */
  spreadMax: 8,
  /** Priority of a job: Bacalhau's clients send small numbers. Beyond: refused. */
  priorityMax: 1_000_000,
  /** New attempts for each partition: bounds the executions of a job that always fails. Beyond: refused. */
  retryAttemptsMax: 100,
  /** Pauses between attempts, and how long a new version may come no further. Beyond: refused. */
  retryDelayMsMax: 86_400_000,
  /** The interval in which starts in place are counted. Beyond: refused. */
  restartIntervalMsMax: 30 * 86_400_000,
  /** Cores, bytes and devices of one task, and time-outs of ten years: above any machine, below where sums lose digits. */
  cpuMillisMax: 100_000_000,
  memoryBytesMax: 1024 ** 5,
  diskBytesMax: 4 * 1024 ** 5,
  gpuCountMax: 4096,
  timeoutMsMax: 3650 * 86_400_000,
  /** Between stop signal and kill: a stop that takes longer looks like one that does not work. Beyond: refused. */
  stopGraceMsMax: 3_600_000,
  /** Problems of one job spec that are told at once. The others are counted. */
  problemsShownMax: 30,
  /** Content above this is stored by digest at admission; orders carry the digest. Keeps rows and messages small. */
  inlineBytes: 16 * KIB,
  /** Bytes of one chunk of content, logs or results over the bus: a NATS message holds 1 MiB at most. */
  chunkBytes: 256 * KIB,
  /** Placements of one plan: keeps a scheduling tick near 20 ms. The evaluation stays due for the rest. */
  placementsPerPlan: 200,
  /** Nodes that are judged for an explanation before others have their turn: a few ms. */
  nodesJudgedPerStep: 1000,
  /** Reasons that an explanation tells one by one. The others are counted by filter. */
  reasonsShownMax: 20,
  /** Executions of each kind that an explanation tells one by one. The others are counted. */
  executionsExplainedMax: 50,
  /** Executions that a plan looks for a place for. The others are counted. */
  plannedMax: 2000,
  /** Evaluations worked on in one tick, in one transaction. */
  evaluationsPerTick: 64,
  /** How long one tick goes on to plan: the API waits meanwhile, and on many nodes each evaluation takes ms. Beyond: the next tick. */
  planMs: 20,
  /** Deadlines acted on in one transaction: keeps a tick short. */
  deadlinesPerTick: 256,
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
  /** Executions that may wait in an agent's queue: homes leave the rest where they are. Beyond: refused as busy. */
  agentQueueMax: 1024,
  /** Executions that an agent runs at once, whatever little they ask for: each is a thread of a process. Beyond: they wait. */
  agentRunningMax: 1024,
  /** Requests for output that an agent keeps open until there is more. Beyond: answered at once with nothing, and asked again a second later. */
  logWaitersMax: 256,
  /** How long an ended execution's logs and fetched results are kept on its node while it runs, unless the settings say otherwise. On a disk that gets full: less. */
  executionKeptMs: 7 * 86_400_000,
  /** How long results are kept at least once they have been read, on a full disk too: the download may have broken. */
  resultsFetchedKeptMs: 600_000,
  /** Ended executions removed, or weighed, in one transaction: keeps a tick short. */
  executionsRemovedPerTick: 64,
  /** Ended executions marked as recorded by their homes in one transaction: keeps a tick short. */
  executionsConfirmedPerTick: 1024,
  /** How long an ended job is kept with its history, unless the settings say otherwise. Beyond: forgotten. */
  jobKeptMs: 30 * 86_400_000,
  /** Ended jobs that are kept, unless the settings say otherwise. Beyond: the oldest are forgotten. */
  endedJobsMax: 100_000,
  /** Executions and events of forgotten jobs that are removed in one transaction: keeps a tick short. */
  rowsRemovedPerTick: 1_000,
  /** Contents and unpacked archives that no execution uses: kept for the next one up to this. Oldest go first. */
  contentCacheBytes: 1024 * MIB,
  /** Bytes and files of an inline archive once unpacked: a small archive must not fill a disk. Beyond: the input fails. */
  archiveBytes: 256 * MIB,
  archiveFilesMax: 10_000,
  /** How long content is asked for again when its home does not answer. Beyond: the input fails, and is retried elsewhere. */
  contentWaitMs: 600_000,
  /** Silence after which a node is shown as disconnected: three missed signs of life. */
  nodeSilentMs: 35_000,
  /** Silence after which a node's executions are given up and placed anew; late results are still accepted. */
  nodeLostMs: 600_000,
  /** How long batch and ops work may go on where a node is drained, unless told otherwise: Nomad's amount. Beyond: stopped. */
  drainMs: 3_600_000,
  /** Namespaces with a weight, defaults or bounds of their own: all are kept in memory. Beyond: refused. */
  namespacesMax: 10_000,
  /** Weights of namespaces: beyond these one would never, or always, have its turn. */
  weightMin: 0.01,
  weightMax: 1000,
  /** Between an agent's signs of life. */
  heartbeatMs: 10_000,
  /** Rows of one page of a list. */
  pageMax: 1000,
} as const;
