/** Shapes of explanations and plans for the API's document: Skerry's own. */
import { z } from "zod";
import { VERDICTS } from "../core/explain.ts";

const Time = z.string().describe("RFC 3339");
const Age = { AgeMs: z.number(), ObservedAt: Time };
const Strings = z.array(z.string());
const Verdict = z.enum(VERDICTS).describe(
  "fits: at once; busy: into the node's queue; full: neither; refused: the node said no; not_now: a filter says no " +
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
  PlacedAt: Time,
  ...Age,
});

const Waiting = z.strictObject({
  Unplaced: z.number().describe("Executions that have no node yet"),
  Partitions: z.array(z.number()).describe("The first of them"),
  Status: z.enum(["due", "blocked", "pausing"]),
  NextLook: z.string(),
  AgainInMs: z.number().optional(),
  FailsInMs: z.number().optional().describe("When its queue time-out passes"),
  AheadCount: z.number(),
  Ahead: z.array(z.strictObject({ ID: z.string(), Name: z.string() })).describe("The first of them"),
  ...Age,
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
  Executions: z.strictObject({
    Live: z.number(),
    Unsuccessful: z.number(),
    Items: z.array(ExplainedExecution),
  }),
  Nodes: z.strictObject({
    Known: z.number(),
    Fit: z.number(),
    Groups: z.array(NodeGroup),
  }).optional().describe("On the first page only"),
  NodeItems: z.array(ExplainedNode),
  NextToken: z.string(),
});
