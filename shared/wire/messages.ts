/**
 * What peers say to each other, and on which subjects. Old versions are decoded for ever: fields are only added, and
 * unknown ones ignored.
 */
import { z } from "zod";
import { ExecutionId } from "../model/ids.ts";
import { HistoryEvent } from "../model/history.ts";
import { NodeLoad } from "../model/node.ts";

/** One end of a sync pair: a role on a node, such as `n-1234…/agent`. */
export type PeerId = string;

/** `state` goes first: orders, and the newest report of each execution. `history`: events. */
export const Lane = z.enum(["state", "history"]);
export type Lane = z.infer<typeof Lane>;
/** In the order in which they are served. */
export const LANES: readonly Lane[] = ["state", "history"];

/** How far one lane of one peer has come: `seq` is the highest applied, `hash` the chain's value there. */
export const Mark = z.object({ epoch: z.number().int(), seq: z.number().int(), hash: z.string() });
export type Mark = Readonly<z.infer<typeof Mark>>;

/** One numbered message. `ageMs` is how long ago it was written, by the sender's uptime. */
export const Entry = z.object({
  seq: z.number().int().positive(),
  kind: z.string(),
  about: z.string(),
  ageMs: z.number(),
  body: z.unknown(),
});
export type Entry = Readonly<z.infer<typeof Entry>>;

const Between = z.object({ from: z.string(), to: z.string() });

/** Where the sender stands: what it has applied of the receiver's lanes. Also the sign of life. */
export const Hello = Between.extend({
  type: z.literal("hello"),
  applied: z.record(Lane, Mark),
  /** The sender's own lanes: their epochs and last numbers. */
  own: z.record(Lane, Mark),
  /** Made with the sender's store: another one than before means that it has lost what it was told. */
  store: z.string().optional(),
  wantsAnswer: z.boolean(),
  /** To be repeated in the answer, which then is known to be younger than the question. */
  question: z.string().optional(),
  answers: z.string().optional(),
  load: NodeLoad.optional(),
});
export type Hello = z.infer<typeof Hello>;

/** Entries after `prev`, in order; numbers may have gaps where a newer report replaced an older one. */
export const Batch = Between.extend({
  type: z.literal("batch"),
  lane: Lane,
  prev: Mark,
  /** The mark after the last entry, gaps included. */
  last: Mark,
  entries: z.array(Entry),
});
export type Batch = z.infer<typeof Batch>;

/** Everything up to the mark has been applied, durably. */
export const Ack = Between.extend({ type: z.literal("ack"), lane: Lane, applied: Mark });
export type Ack = z.infer<typeof Ack>;

/** Anything that sync sends. */
export const SyncMessage = z.discriminatedUnion("type", [Hello, Batch, Ack]);
export type SyncMessage = z.infer<typeof SyncMessage>;

/** Agent → home, history lane: something happened to an execution. */
export const ExecutionHappened = z.object({ executionId: ExecutionId, event: HistoryEvent });
export type ExecutionHappened = Readonly<z.infer<typeof ExecutionHappened>>;

/** Every execution the home still wants something of: sent first after a lost or restored store. */
export const Census = z.object({ executionIds: z.array(ExecutionId) });
export type Census = Readonly<z.infer<typeof Census>>;

/** Asks the home for a piece of content that an order names by digest. */
export const ContentRequest = z.object({ digest: z.string(), offset: z.number().int().nonnegative() });
/** Asks an agent for output of an execution, from a cursor of an earlier answer on. */
export const LogRequest = z.object({
  executionId: ExecutionId,
  cursor: z.string(),
  /** Wait this long for more before answering with nothing. */
  waitMs: z.number().int().nonnegative(),
});
/** Records of an engine's output. `isComplete`: the execution has ended and this is the last of it. */
export const LogAnswer = z.object({
  pieces: z.array(z.object({
    stream: z.enum(["stdout", "stderr"]),
    text: z.string(),
    atMs: z.number(),
    cutBytes: z.number().optional(),
  })),
  cursor: z.string(),
  isComplete: z.boolean(),
});
export type LogAnswer = Readonly<z.infer<typeof LogAnswer>>;
/** Asks an agent for the files of a published result. */
export const ResultListRequest = z.object({ executionId: ExecutionId });
/** Its files and folders. */
export const ResultListAnswer = z.object({
  entries: z.array(z.object({ path: z.string(), kind: z.enum(["file", "folder"]), sizeBytes: z.number() })),
});
/** Asks an agent for a piece of one file of a published result. */
export const ResultReadRequest = z.object({
  executionId: ExecutionId,
  path: z.string(),
  offset: z.number().int().nonnegative(),
});

/** What an agent holds that may go. */
export const PruneKind = z.enum(["results", "logs", "contents", "images"]);
export type PruneKind = z.infer<typeof PruneKind>;
/** How many, and how much. */
export const Amount = z.object({ count: z.number().int(), bytes: z.number() });
export type Amount = Readonly<z.infer<typeof Amount>>;
/** Asks an agent to remove what it may, or with `isDry` what that would be. */
export const PruneRequest = z.object({
  kinds: z.array(z.string()),
  /** Of results and logs: ended so long ago, by the agent's lifetime. */
  olderThanMs: z.number().nonnegative(),
  isDry: z.boolean(),
});
export type PruneRequest = Readonly<z.infer<typeof PruneRequest>>;
/** What is there, what of it may go, what went, and why the rest stays. */
export const PruneItem = z.object({
  kind: z.string(),
  held: Amount,
  mayGo: Amount,
  gone: Amount,
  /** In words for users. */
  stays: z.array(z.string()),
});
export type PruneItem = Readonly<z.infer<typeof PruneItem>>;
/** `isMore`: one answer does a bounded amount; ask again. */
export const PruneAnswer = z.object({
  items: z.array(PruneItem),
  isMore: z.boolean(),
  storeBytes: z.number(),
  diskFreeBytes: z.number(),
});
export type PruneAnswer = Readonly<z.infer<typeof PruneAnswer>>;
