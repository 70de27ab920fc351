/** Shapes of making room for the API's document: Skerry's own. */
import { z } from "zod";
import { PruneKind } from "../../shared/wire/messages.ts";

/** What may be asked to go. */
export const PRUNE_KINDS = ["jobs", ...PruneKind.options] as const;

const Amount = z.strictObject({ Count: z.number(), Bytes: z.number() });

/** What should go. */
export const PruneBody = z.object({
  Kinds: z.array(z.enum(PRUNE_KINDS)),
  OlderThanMs: z.number().optional().describe(
    "Jobs, results and logs that ended so long ago, while the node ran",
  ),
  DryRun: z.boolean().optional().describe("Only say what there is, and what of it may go"),
});

/** What is there, and what went. */
export const Pruned = z.strictObject({
  Items: z.array(z.strictObject({
    Kind: z.enum(PRUNE_KINDS),
    Held: Amount.describe("All that is there, after what went"),
    MayGo: Amount.describe("Of it, what may go"),
    Gone: Amount.describe("What this call removed"),
    Stays: z.array(z.string()).describe("Why some of it stays"),
  })),
  IsMore: z.boolean().describe("Ask again"),
  StoreBytes: z.number().describe(
    "Of the orchestrator's database; its room is used again, the file stays as large",
  ),
  AgentStoreBytes: z.number().optional(),
  DiskFreeBytes: z.number().optional(),
});
