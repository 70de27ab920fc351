/** `skerry system prune` */
import { EXIT } from "../shared/errors.ts";
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { confirm } from "./confirm.ts";
import { duration, toggle } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { formatFacts, isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { asRecord, itemsOf, numberAt, recordAt, textAt, type Wire } from "./wire.ts";
import { amountOfBytes, harmless, indent, oneLine, plural, span } from "./words.ts";

const FLAGS = {
  olderThan: duration({
    placeholder: "DURATION",
    summary: "Only jobs, results and logs that ended so long ago, in time that the node ran",
  }),
  jobs: toggle({ summary: "Ended jobs, with their executions, history and content" }),
  results: toggle({ summary: "Results on the node that have been fetched, or whose job is forgotten" }),
  logs: toggle({ summary: "Output of executions that left no results on the node" }),
  contents: toggle({
    summary: "Modules and inputs by digest that no execution uses: they come again when needed",
  }),
  images: toggle({
    summary: "Images that the node has fetched and that no container uses; others are never touched",
  }),
  dryRun: toggle({ summary: "Only show what takes how much, and what would go" }),
  yes: toggle({ summary: "Remove it without asking", short: "y" }),
  ...OUTPUT_FLAGS,
};

const KINDS = ["jobs", "results", "logs", "contents", "images"] as const;
/** What goes when nothing is named: what was delivered, or comes again. A job's history is gone for good. */
const USUAL = ["results", "logs", "contents"] as const;

/** `skerry system prune` */
export const PRUNE = defineCommand({
  name: "prune",
  summary: "Show what takes how much on the node that answers, and remove what is over",
  about:
    "Without --jobs, --results, --logs, --contents or --images: results, logs and contents. What runs or waits, what its " +
    "job's server has not recorded, and results that nobody has fetched always stay.",
  operands: [],
  flags: FLAGS,
  examples: [
    { line: "skerry system prune --dry-run", does: "What takes how much" },
    {
      line: "skerry system prune --older-than 2d",
      does: "Remove what ended two days ago or before, after asking",
    },
    { line: "skerry system prune --jobs --results --older-than 7d --yes", does: "For scripts" },
  ],
  run,
});

async function run({ flags, settings, terminal }: Call<typeof FLAGS>): Promise<number> {
  const client = await openClient(settings);
  const named = KINDS.filter((kind) => flags[kind]);
  const kinds: readonly string[] = named.length > 0 ? named : USUAL;
  const asked = { Kinds: kinds, OlderThanMs: flags.olderThan ?? 0 };
  const isTold = flags.output === "table" || flags.output === "wide";
  // What is there is told of every kind, also of those that stay.
  const before = await ask(client, { ...asked, Kinds: flags.dryRun ? KINDS : kinds, DryRun: true });
  if (isTold) terminal.print(describeHeld(before, { terminal, kinds, olderThanMs: flags.olderThan }));
  if (flags.dryRun) {
    if (!isTold) {
      await printData(terminal, { value: before, output: isData(flags.output) ? flags.output : "json" });
    }
    return EXIT.ok;
  }
  const going = itemsOf(before, "Items").filter((item) =>
    (numberAt(recordAt(item, "MayGo"), "Count") ?? 0) > 0
  );
  const isWithJobs = kinds.includes("results") && going.some((item) => textAt(item, "Kind") === "jobs");
  const also = isWithJobs ? ", and the results of those jobs" : "";
  if (going.length > 0 && !flags.yes && !confirm(terminal, `Remove ${sumOf(going, "MayGo")}${also}?`)) {
    terminal.note("Nothing was removed");
    return EXIT.ok;
  }
  const gone = going.length > 0 ? await removeAll(client, asked, terminal) : [];
  if (!isTold) {
    await printData(terminal, {
      value: { Items: gone },
      output: isData(flags.output) ? flags.output : "json",
    });
  } else terminal.print(gone.length > 0 ? `Removed ${sumOf(gone, "Gone")}` : "There is nothing to remove");
  return EXIT.ok;
}

const ask = async (client: Client, body: unknown, signal?: AbortSignal): Promise<Wire> =>
  asRecord(await client.put("/agent/prune", { body, signal, heldMs: HELD_MS }));

/** What one call may take beyond the usual time. */
const HELD_MS = 60_000;

/** Call after call until nothing is left; answers what went, one item for each kind. */
async function removeAll(client: Client, asked: Wire, terminal: Terminal): Promise<readonly Wire[]> {
  using interrupt = onInterrupt();
  const gone = new Map<string, { Count: number; Bytes: number }>();
  const told = () => [...gone].filter(([, { Count }]) => Count > 0).map(([Kind, Gone]) => ({ Kind, Gone }));
  for (let isMore = true; isMore && !interrupt.signal.aborted;) {
    const answer = await ask(client, asked, interrupt.signal);
    for (const item of itemsOf(answer, "Items")) {
      const kind = textAt(item, "Kind") ?? "";
      const { Count, Bytes } = gone.get(kind) ?? { Count: 0, Bytes: 0 };
      const now = recordAt(item, "Gone");
      gone.set(kind, {
        Count: Count + (numberAt(now, "Count") ?? 0),
        Bytes: Bytes + (numberAt(now, "Bytes") ?? 0),
      });
    }
    isMore = answer.IsMore === true;
    if (isMore && told().length > 0) terminal.progress(`Removed ${sumOf(told(), "Gone")} so far`);
  }
  terminal.progress();
  return told();
}

const NOUNS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  jobs: ["job", "jobs"],
  results: ["execution's results", "executions' results"],
  logs: ["execution's logs", "executions' logs"],
  contents: ["content", "contents"],
  images: ["image", "images"],
};

/** `3 jobs, 2 executions' results: 1.5 GB` */
function sumOf(items: readonly unknown[], key: "MayGo" | "Gone"): string {
  const words = items.map((item) => {
    const [one, many] = NOUNS[textAt(item, "Kind") ?? ""] ?? ["thing", "things"];
    return plural(numberAt(recordAt(item, key), "Count") ?? 0, one, many);
  });
  const bytes = items.reduce((sum: number, item) => sum + (numberAt(recordAt(item, key), "Bytes") ?? 0), 0);
  return `${words.join(", ")}${bytes > 0 ? `: ${amountOfBytes(bytes)}` : ""}`;
}

/** What takes how much, and what of it would go. */
export function describeHeld(
  wire: Wire,
  { terminal, kinds, olderThanMs }: {
    terminal: Pick<Terminal, "paint" | "columns">;
    kinds: readonly string[];
    olderThanMs?: number;
  },
): string {
  const isAsked = (item: unknown) => kinds.includes(textAt(item, "Kind") ?? "");
  const amount = (item: unknown, key: string) => recordAt(item, key);
  const count = (item: unknown, key: string) =>
    (numberAt(amount(item, key), "Count") ?? 0).toLocaleString("en");
  const size = (item: unknown, key: string) =>
    textAt(item, "Kind") === "jobs" ? "-" : amountOfBytes(numberAt(amount(item, key), "Bytes") ?? 0);
  const items = itemsOf(wire, "Items");
  const isGoingWithJobs = kinds.includes("jobs") && kinds.includes("results") &&
    items.some((item) => textAt(item, "Kind") === "jobs" && count(item, "MayGo") !== "0");
  const table = formatTable(items, {
    terminal,
    columns: [
      { title: "WHAT", cell: (item) => textAt(item, "Kind") ?? "" },
      { title: "HELD", cell: (item) => count(item, "Held"), isNumber: true },
      { title: "SIZE", cell: (item) => size(item, "Held"), isNumber: true },
      { title: "WOULD GO", cell: (item) => isAsked(item) ? count(item, "MayGo") : "-", isNumber: true },
      { title: "SIZE", cell: (item) => isAsked(item) ? size(item, "MayGo") : "-", isNumber: true },
      {
        title: "STAYS",
        cell: (item) =>
          [
            ...(isAsked(item) ? [] : [`not asked for (--${textAt(item, "Kind")})`]),
            ...itemsOf(item, "Stays").map((why) => oneLine(String(why))),
            ...(isGoingWithJobs && textAt(item, "Kind") === "results"
              ? ["but those of the jobs that go, go with them"]
              : []),
          ].join("; ") || "-",
      },
    ],
  });
  const free = numberAt(wire, "DiskFreeBytes");
  const stores = [
    `${amountOfBytes(numberAt(wire, "StoreBytes") ?? 0)} (jobs and history)`,
    ...("AgentStoreBytes" in wire
      ? [`${amountOfBytes(numberAt(wire, "AgentStoreBytes") ?? 0)} (the agent's journal)`]
      : []),
  ];
  const facts = formatFacts([
    ["Databases", `${stores.join(", ")}; what is removed from them is used again, the files stay as large`],
    ["Free", free === undefined ? "" : `${amountOfBytes(free)} on the disk`],
    ["Only", olderThanMs === undefined ? "" : `what ended ${span(olderThanMs)} ago or before`],
  ], terminal.paint);
  return `${harmless(indent(table, ""))}\n\n${facts}`;
}
