/** `/agent/prune`: making room on the node that answers. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import type { PruneItem } from "../../shared/wire/messages.ts";
import type { Pruned } from "../flow/prune.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./prune_shapes.ts";

const OlderThanMs = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
const Kinds = z.array(z.enum(shapes.PRUNE_KINDS)).min(1);

/** The routes of making room. */
export function pruneRoutes(door: Door, answers: Answers): Route[] {
  const prune = {
    path: "/agent/prune",
    tag: "agent",
    summary: "Remove what is over: ended jobs, results, output, cached contents. Skerry's own",
    description:
      "One call does a bounded amount; ask again while IsMore is true. With DryRun nothing is removed.",
    body: shapes.PruneBody,
    answer: shapes.Pruned,
    handle: (call: Call) => handle(door, answers, call),
  } as const;
  return [{ method: "put", ...prune }, { method: "post", ...prune }];
}

async function handle(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const kinds = read(
    Kinds,
    fieldOf(body, "Kinds"),
    `Kinds must be a list of ${shapes.PRUNE_KINDS.join(", ")}`,
  );
  const olderThanMs = read(
    OlderThanMs,
    fieldOf(body, "OlderThanMs") ?? 0,
    "OlderThanMs must be a number >= 0",
  );
  const isDry = read(z.boolean(), fieldOf(body, "DryRun") ?? false, "DryRun must be true or false");
  return answers.json(call, formatPruned(await door.desk.prune({ kinds, olderThanMs, isDry })));
}

function read<Schema extends z.ZodType>(schema: Schema, value: unknown, must: string): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AppError("invalid", `Cannot make room: ${must}`);
}

const formatPruned = ({ items, isMore, storeBytes, agent }: Pruned) => ({
  Items: items.map(formatItem),
  IsMore: isMore,
  StoreBytes: storeBytes,
  ...(agent && { AgentStoreBytes: agent.storeBytes, DiskFreeBytes: agent.diskFreeBytes }),
});

const formatItem = ({ kind, held, mayGo, gone, stays }: PruneItem) => ({
  Kind: kind,
  Held: formatAmount(held),
  MayGo: formatAmount(mayGo),
  Gone: formatAmount(gone),
  Stays: stays,
});

const formatAmount = ({ count, bytes }: PruneItem["held"]) => ({ Count: count, Bytes: bytes });
