/** Shapes of requests and answers for the API's document. Golden tests hold real answers against them. */
import { z } from "zod";
import { Job as WrittenJob } from "../../shared/spec/job_schema.ts";

const Texts = z.record(z.string(), z.string());
const Strings = z.array(z.string());
const Time = z.string().describe("RFC 3339");
const Nanos = z.number().describe("Nanoseconds since 1970; digits beyond 2^53 are exact in the text");
const Age = { AgeMs: z.number(), ObservedAt: Time };

const Typed = z.strictObject({ Type: z.string(), Params: z.record(z.string(), z.unknown()).nullable() });

const JobState = z.strictObject({
  StateType: z.enum(["Pending", "Queued", "Running", "Completed", "Failed", "Stopped"]),
  Message: z.string(),
  Details: Texts,
});

const Ports = z.array(z.strictObject({
  Name: z.string(),
  Static: z.number().optional(),
  Target: z.number().optional(),
  HostNetwork: z.string().optional(),
}));

const Task = z.strictObject({
  Name: z.string(),
  Engine: Typed,
  Publisher: Typed,
  Env: Texts,
  Meta: Texts,
  InputSources: z.array(z.strictObject({ Source: Typed, Alias: z.string(), Target: z.string() })),
  ResultPaths: z.array(z.strictObject({ Name: z.string(), Path: z.string() })),
  Resources: z.strictObject({
    CPU: z.string().optional(),
    Memory: z.string().optional(),
    Disk: z.string().optional(),
    GPU: z.string().optional(),
  }),
  Network: z.strictObject({ Type: z.string(), Domains: Strings.optional(), Ports: Ports.optional() }),
  Timeouts: z.strictObject({
    ExecutionTimeout: z.number().optional(),
    QueueTimeout: z.number().optional(),
    TotalTimeout: z.number().optional(),
  }),
});

/** A job with its state. */
export const Job = z.strictObject({
  ID: z.string(),
  Name: z.string(),
  Namespace: z.string(),
  Type: z.string(),
  Priority: z.number(),
  Count: z.number(),
  Constraints: z.array(z.strictObject({ Key: z.string(), Operator: z.string(), Values: Strings })),
  Meta: Texts,
  Labels: Texts,
  Tasks: z.array(Task),
  Retry: z.strictObject({
    Attempts: z.number(),
    LostAttempts: z.number(),
    Delay: z.string().optional(),
    MaxDelay: z.string().optional(),
    On: z.array(z.union([z.string(), z.number()])).optional(),
    Node: z.string().optional(),
  }).optional(),
  Update: z.strictObject({ MaxParallel: z.number(), AutoRollback: z.boolean(), ProgressDeadline: z.string() })
    .optional(),
  Restart: z.strictObject({
    Attempts: z.number(),
    Interval: z.string(),
    Delay: z.string(),
    MaxDelay: z.string(),
    Mode: z.enum(["fail", "delay"]),
  }).optional(),
  OnAgentRestart: z.string().optional(),
  StopSignal: z.string().optional(),
  Health: z.strictObject({
    MinHealthyTime: z.string(),
    StartPeriod: z.string(),
    Interval: z.string(),
    Timeout: z.string(),
    Retries: z.number(),
    HTTP: z.strictObject({ Port: z.union([z.number(), z.string()]), Path: z.string() }).optional(),
    Exec: z.strictObject({ Command: Strings }).optional(),
  }).optional(),
  SuccessExitCodes: z.array(z.number()).optional(),
  StopGrace: z.string().optional(),
  Spread: Strings.optional(),
  State: JobState,
  Version: z.number(),
  Revision: z.number(),
  CreateTime: Nanos,
  ModifyTime: Nanos,
});

const Amounts = z.strictObject({
  CPU: z.number().optional(),
  Memory: z.number().optional(),
  Disk: z.number().optional(),
  GPU: z.number().optional(),
});
const NodeAmounts = Amounts.extend({
  GPUs: z.array(z.strictObject({
    Index: z.number(),
    Name: z.string(),
    Vendor: z.string(),
    Memory: z.number().optional().describe("MiB"),
    PCIAddress: z.string().optional(),
    UUID: z.string(),
  })).optional(),
});

/** An execution. Its states are numbers: Bacalhau's clients read nothing else here. */
export const Execution = z.strictObject({
  ID: z.string(),
  Namespace: z.string(),
  EvalID: z.string(),
  Name: z.string(),
  NodeID: z.string(),
  JobID: z.string(),
  JobVersion: z.number(),
  AllocatedResources: z.strictObject({ Tasks: z.record(z.string(), Amounts) }),
  DesiredState: z.strictObject({
    StateType: z.number().describe("0 Pending, 1 Running, 2 Stopped"),
    Message: z.string(),
  }),
  ComputeState: z.strictObject({
    StateType: z.number().describe(
      "2 AskForBid, 5 BidAccepted, 6 Running, 7 Publishing, 8 BidRejected, 9 Completed, 10 Failed, 11 Cancelled",
    ),
    Message: z.string(),
    Details: Texts,
  }),
  PublishedResult: Typed,
  Image: z.strictObject({
    Name: z.string(),
    Digest: z.string().optional(),
    ID: z.string().optional(),
    Platforms: Strings.optional(),
  }).optional().describe("What the name of a container's image stood for"),
  RunOutput: z.strictObject({
    Stdout: z.string(),
    StdoutTruncated: z.boolean(),
    stderr: z.string(),
    StderrTruncated: z.boolean(),
    ExitCode: z.number(),
    ErrorMsg: z.string(),
  }).nullable(),
  PreviousExecution: z.string(),
  NextExecution: z.string(),
  FollowupEvalID: z.string(),
  PartitionIndex: z.number().optional(),
  Revision: z.number(),
  CreateTime: Nanos,
  ModifyTime: Nanos,
  Attempt: z.number(),
  Ports: Ports.optional(),
  Explanation: z.strictObject({
    nodesKnown: z.number(),
    nodesFit: z.number(),
    rejectedBy: z.record(z.string(), z.number()),
    scores: z.record(z.string(), z.number()),
  }),
  ...Age,
});

const HistoryItem = z.strictObject({
  SeqNum: z.number(),
  Type: z.enum(["JobLevel", "ExecutionLevel"]),
  JobID: z.string(),
  JobVersion: z.number(),
  ExecutionID: z.string().optional(),
  Event: z.strictObject({
    Message: z.string(),
    Topic: z.string(),
    Timestamp: Time,
    Details: Texts.optional(),
  }),
  Time,
});

const page = (item: z.ZodType) => z.strictObject({ NextToken: z.string(), Items: z.array(item) });

/** A page of jobs. */
export const Jobs = page(Job);
/** A page of executions. */
export const Executions = page(Execution);
/** A page of events. */
export const History = page(HistoryItem);
/** One execution. */
export const ExecutionAnswer = z.strictObject({ Execution });
/** One job, with what was asked for beside it. */
export const JobAnswer = z.strictObject({
  Job,
  History: History.optional(),
  Executions: Executions.optional(),
  ...Age,
});

const AnyJob = WrittenJob.describe("Keys match in any casing. Fields that the server sets are ignored");

/** A submission. */
export const SubmitBody = z.object({
  Job: AnyJob,
  IdempotencyToken: z.string().optional(),
  Force: z.boolean().optional().describe("A new version also when nothing changed"),
});
/** What became of a submission. */
export const Submitted = z.strictObject({ JobID: z.string(), EvaluationID: z.string(), Warnings: Strings });
/** A job to compare. */
export const DiffBody = z.object({ Job: AnyJob });
/** Lines that would change. */
export const Diff = z.strictObject({ Diff: z.string().describe("Empty: no change"), Warnings: Strings });
/** Why a job is stopped. */
export const StopBody = z.object({ reason: z.string().optional() });
/** Which version to run again, and why. */
export const RerunBody = z.object({
  JobVersion: z.number().optional().describe("0: the current one"),
  Reason: z.string().optional(),
  Namespace: z.string().optional(),
});
/** The version that a rerun made. */
export const Rerun = z.strictObject({
  EvaluationID: z.string(),
  JobID: z.string(),
  JobVersion: z.number(),
  Warnings: z.array(z.string()),
});
/** What became of a stop. */
export const Stopped = z.strictObject({ EvaluationID: z.string().describe("Empty: it was stopped already") });

/** Where results are. */
export const Results = page(z.strictObject({
  Type: z.string(),
  Params: z.record(z.string(), z.unknown()),
  ExecutionID: z.string(),
  PartitionIndex: z.number(),
  ...Age,
}));

const Release = {
  Major: z.string(),
  Minor: z.string(),
  GitVersion: z.string(),
  GitCommit: z.string(),
  BuildDate: z.string(),
  GOOS: z.string(),
  GOARCH: z.string(),
};

const NullableStrings = Strings.nullable();

/** What a node says of itself. */
export const NodeInfo = z.strictObject({
  NodeID: z.string(),
  NodeType: z.enum(["Requester", "Compute"]),
  Labels: Texts,
  SupportedProtocols: Strings,
  ComputeNodeInfo: z.strictObject({
    ExecutionEngines: NullableStrings,
    Publishers: NullableStrings,
    StorageSources: NullableStrings,
    MaxCapacity: NodeAmounts,
    QueueCapacity: Amounts.describe("What waits in the node's queue"),
    AvailableCapacity: Amounts,
    MaxJobRequirements: Amounts,
    RunningExecutions: z.number(),
    EnqueuedExecutions: z.number(),
    address: z.string(),
  }),
  BacalhauVersion: z.strictObject(Release),
  SkerryVersion: z.string(),
  Networks: Strings.optional().describe("Networks that containers may have there"),
  Absent: Texts.optional().describe("Adapters that the node does not offer, and why"),
});

/** A node as its hub knows it. */
export const Node = z.strictObject({
  Info: NodeInfo,
  Membership: z.enum(["PENDING", "APPROVED", "REJECTED"]),
  Connection: z.enum(["CONNECTED", "DISCONNECTED"]),
  ConnectionState: z.strictObject({
    Status: z.enum(["CONNECTED", "DISCONNECTED"]),
    LastHeartbeat: Time,
    ConnectedSince: Time,
    DisconnectedSince: Time,
    LastError: z.string().optional(),
  }),
  Drain: z.strictObject({
    State: z.enum(["cordoned", "draining", "drained"]),
    Since: Time,
    DeadlineLeftMs: z.number().optional().describe("0: what is there is being stopped; absent: no deadline"),
    Reason: z.string().optional(),
  }).optional().describe("Only of a node that gets nothing new"),
  ...Age,
});
/** All nodes; the list has a name of its own here. */
export const Nodes = z.strictObject({ NextToken: z.string(), Nodes: z.array(Node) });
/** What is to be done with a node. */
export const NodeActionBody = z.object({
  Action: z.enum(["drain", "cordon", "uncordon"]),
  Message: z.string().optional().describe("Why"),
  DeadlineMs: z.number().optional().describe("Of `drain`: 0 is at once, -1 is none, absent is an hour"),
});
/** What became of it. */
export const NodeActed = z.strictObject({ Success: z.literal(true), Node });
/** Bounds: absent is none. */
const Bounds = z.strictObject({
  CPU: z.number().optional(),
  Memory: z.number().optional(),
  Disk: z.number().optional(),
  GPU: z.number().optional(),
});
/** A namespace, and what it holds now. */
export const Namespace = z.strictObject({
  Name: z.string(),
  Weight: z.number().describe(
    "Beside others of the same priority it gets so many times what one with weight 1 gets",
  ),
  Defaults: Bounds.describe("What a task gets that does not ask"),
  Maxima: Bounds.describe("The most that one task may ask for"),
  Quota: Bounds.describe("The most that all its live executions hold together"),
  MaxJobs: z.number().optional().describe("The most jobs that have not ended"),
  Held: Amounts,
  Share: z.number().describe("The largest part of all nodes that it holds in one dimension"),
  Jobs: z.number().describe("Jobs that have not ended"),
  ModifiedAt: Time.optional().describe("Absent: nobody has set it up"),
});
/** Namespaces. */
export const Namespaces = page(Namespace);
/** One namespace. */
export const NamespaceAnswer = z.strictObject({ Namespace });
/** It has no bounds any more. */
export const NamespaceDeleted = z.strictObject({ Success: z.literal(true) });
const BoundsBody = z.object({
  CPU: z.union([z.string(), z.number(), z.null()]).optional(),
  Memory: z.union([z.string(), z.number(), z.null()]).optional(),
  Disk: z.union([z.string(), z.number(), z.null()]).optional(),
  GPU: z.union([z.string(), z.number(), z.null()]).optional(),
}).optional();
/** What to set. */
export const NamespaceBody = z.object({
  Weight: z.number().optional(),
  Defaults: BoundsBody,
  Maxima: BoundsBody,
  Quota: BoundsBody,
  MaxJobs: z.number().nullable().optional(),
});
/** One node. */
export const NodeAnswer = z.strictObject({ Node });

/** The server answers. */
export const Alive = z.strictObject({ Status: z.literal("OK") });
/** The release. */
export const Version = z.strictObject({ ...Release, SkerryVersion: z.string() });
/** The configuration. */
export const Config = z.strictObject({ config: z.record(z.string(), z.unknown()) });
/** How users sign on. */
export const AuthConfig = z.strictObject({ Version: z.string(), Config: z.strictObject({}) });
/** Facts by component. */
export const Debug = z.record(z.string(), z.record(z.string(), z.unknown()));

const AuthMethod = z.strictObject({
  type: z.literal("challenge"),
  params: z.strictObject({
    InputPhrase: z.string().describe("base64; to be signed with RSA PKCS#1 v1.5, SHA-256"),
  }),
});
/** Ways to say who one is. */
export const AuthMethods = z.strictObject({
  NextToken: z.string(),
  Methods: z.record(z.string(), AuthMethod),
});
/** One way to say who one is. */
export const AuthMethodAnswer = AuthMethod;
/** The answer to a challenge. */
export const AuthBody = z.object({
  Name: z.string().optional(),
  MethodData: z.string().describe("base64 of JSON with PhraseSignature and PublicKey"),
});
/** A token, or why not. */
export const Authenticated = z.strictObject({
  Authentication: z.strictObject({ success: z.boolean(), reason: z.string(), token: z.string() }),
});

/** Every failure. */
export const ErrorEnvelope = z.strictObject({
  Status: z.number(),
  Message: z.string(),
  RequestID: z.string(),
  Code: z.string(),
  Component: z.string(),
  Hint: z.string().optional(),
  Details: Texts.optional(),
});
