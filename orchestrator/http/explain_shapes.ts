/** Shapes of explanations and plans for the API's document: Skerry's own. */
import { z } from "zod";
import { Job as WrittenJob } from "../../shared/spec/job_schema.ts";
import { VERDICTS } from "../core/explain.ts";

const Time = z.string().describe("RFC 3339");
const Age = { AgeMs: z.number(), ObservedAt: Time };
const Strings = z.array(z.string());
const Verdict = z.enum(VERDICTS).describe(
  "fits: at once; busy: into the node's queue; full: neither; has_it: the node has the one execution that it gets; refused: the node said no; not_now: a filter says no " +
    "that may pass by itself; cannot: one that does not",
);

const Reason = z.strictObject({
  Filter: z.string(),
  Reason: z.string(),
  IsLasting: z.boolean(),
  Remedy: z.string().describe("What would change it"),
});

const NodeGroup = z.strictObject({
  Verdict,
  Reason: Reason.optional(),
  NodeCount: z.number(),
  NodeIDs: Strings.describe("The first of them"),
  ReasonCount: z.number().describe("More than 1: reasons of one filter that are not told one by one"),
});

const ExplainedNode = z.strictObject({
  NodeID: z.string(),
  Name: z.string(),
  Verdict,
  Reasons: z.array(Reason),
  LeftAloneMs: z.number().optional().describe("It refused for want of room: it gets nothing for so long"),
  ...Age,
});

const NamedJobs = z.array(z.strictObject({ ID: z.string(), Name: z.string() })).describe("The first of them");

const ExplainedExecution = z.strictObject({
  ID: z.string(),
  JobVersion: z.number(),
  PartitionIndex: z.number(),
  Attempt: z.number(),
  NodeID: z.string(),
  NodeName: z.string(),
  State: z.string(),
  IsToStop: z.boolean(),
  Message: z.string(),
  Hint: z.string(),
  Why: z.string().describe("Why this node"),
  Behind: z.strictObject({
    Running: z.number(),
    Waiting: z.number().describe("Of higher priority, or of the same and there before it"),
    Jobs: NamedJobs,
  }).optional().describe("Of one that waits on its node: what of this server is there before it"),
  PlacedAt: Time,
  ...Age,
});

const Waiting = z.strictObject({
  Unplaced: z.number().describe("Executions that have no node yet"),
  Partitions: z.array(z.number()).describe("The first of them"),
  Status: z.enum(["due", "blocked", "over_quota", "pausing"]),
  NextLook: z.string(),
  AgainInMs: z.number().optional(),
  FailsInMs: z.number().optional().describe("When its queue time-out passes"),
  AheadCount: z.number(),
  Ahead: NamedJobs,
  ...Age,
});

const Nodes = z.strictObject({
  Known: z.number(),
  Fit: z.number().describe("Nodes that would take one more execution, at once or into their queue"),
  Groups: z.array(NodeGroup),
});

/** Why a job waits, or where it was put. */
export const JobExplanation = z.strictObject({
  Job: z.strictObject({
    ID: z.string(),
    Name: z.string(),
    Namespace: z.string(),
    Type: z.string(),
    Version: z.number(),
    Count: z.number(),
    Completed: z.number(),
    State: z.string(),
    Message: z.string(),
    Hint: z.string(),
    TimesOutInMs: z.number().optional(),
    ...Age,
  }),
  Waiting: Waiting.optional(),
  Rollout: z.strictObject({
    State: z.enum(["rolling", "good", "failed"]),
    Up: z.number().describe("Places where it is up, or was when it became good or failed"),
    GoodVersion: z.number().optional(),
    RolledBackFrom: z.number().optional(),
    Message: z.string().describe("Why it, or the version before it, would not do"),
    ...Age,
  }).optional().describe("How far the version of a job without an end has come"),
  Executions: z.strictObject({
    Live: z.number(),
    Unsuccessful: z.number(),
    Items: z.array(ExplainedExecution),
  }),
  Nodes: Nodes.optional().describe("On the first page only"),
  NodeItems: z.array(ExplainedNode),
  NextToken: z.string(),
});

/** A submission that is only looked at. */
export const PlanBody = z.object({
  Job: WrittenJob.describe("Keys match in any casing. Fields that the server sets are ignored"),
  Force: z.boolean().optional().describe("A new version also when nothing changed"),
});

/** What a submission would change, and where it would go. */
export const SubmissionPlan = z.strictObject({
  Action: z.enum(["create", "update", "none"]),
  Name: z.string(),
  Namespace: z.string(),
  Type: z.string(),
  Version: z.number().describe("That it would be, or is"),
  Known: z.strictObject({ ID: z.string(), Version: z.number(), State: z.string(), ...Age }).optional()
    .describe(
      "The job of that name as it is",
    ),
  Diff: z.string().describe("Line by line, as of /orchestrator/jobs/diff; empty: no change"),
  Warnings: Strings,
  Executions: z.number().describe("How many would be placed, if there was room"),
  Places: z.array(z.strictObject({
    PartitionIndex: z.number(),
    NodeID: z.string(),
    NodeName: z.string(),
    Verdict,
    Reasons: z.array(Reason),
    Why: z.string().describe("Why this node"),
  })),
  Untried: z.number().describe("Beyond the bound of a plan: nobody looked where they would go"),
  Unplaced: z.strictObject({
    Count: z.number(),
    Message: z.string(),
    Hint: z.string(),
    WouldFail: z.boolean().describe("The job would fail at once, instead of waiting"),
    IsBehindOthers: z.boolean().describe("Others that ask for the same wait already"),
  }).optional(),
  Stays: z.number().describe("Executions that go on as the new version's, as their task is the same"),
  AtATime: z.number().optional().describe(
    "Of a job without an end: what makes way does so, so many at a time",
  ),
  Stops: z.strictObject({
    Count: z.number(),
    Items: z.array(z.strictObject({
      ID: z.string(),
      JobVersion: z.number(),
      PartitionIndex: z.number(),
      NodeID: z.string(),
      NodeName: z.string(),
      State: z.string(),
      ...Age,
    })).describe("The first of them"),
  }).describe("Executions that would make way"),
  Nodes: Nodes.optional(),
});
