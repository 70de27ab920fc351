/** `skerry job explain` */
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { ageAt, named, nodeCounts, nodeTable, reasonTable, remedies, type Shown } from "./explain_nodes.ts";
import { toggle } from "./flags.ts";
import { tintState } from "./job_list.ts";
import { JOB_OPERAND, NAMESPACE_FLAG } from "./job_operand.ts";
import { formatFacts, isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { formatTable } from "./table.ts";
import {
  asRecord,
  isTerminal,
  itemsOf,
  numberAt,
  recordAt,
  rolloutReason,
  textAt,
  type Wire,
} from "./wire.ts";
import { harmless, indent, oneLine, plural, ranges, short, span } from "./words.ts";

const FLAGS = {
  allNodes: toggle({ summary: "Tell of every node, however many there are" }),
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job explain` */
export const EXPLAIN = defineCommand({
  name: "explain",
  summary: "Say why a job waits, or where it was put and why there, node by node",
  about:
    "Nodes: fits (would start it at once), busy (into its queue), full (not even that), has it (a node gets but one), refused (it said no), not " +
    "now (passes by itself), cannot (until the job or the node changes).",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job explain sea-breeze", does: "For people" },
    { line: "skerry job explain sea-breeze --output wide", does: "With every reason of every node" },
    { line: "skerry job explain sea-breeze --all-nodes --output json", does: "All of it, for programs" },
  ],
  run,
});

/** With more nodes than that they are told by reason. */
const SHOWN_NODES = 20;
const PAGE = 1000;
const SHOWN_EXECUTIONS = 20;

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<void> {
  const client = await openClient(settings);
  const wire = await fetchExplanation(client, operands[0]!, { isWhole: flags.allNodes });
  if (isData(flags.output)) return await printData(terminal, { value: wire, output: flags.output });
  if (flags.output === "name") return terminal.print(textAt(recordAt(wire, "Job"), "ID") ?? "");
  const isWide = flags.output === "wide";
  terminal.print(describeExplanation(wire, { terminal, isWide, hasAllNodes: flags.allNodes }));
}

async function fetchExplanation(
  client: Client,
  id: string,
  { isWhole }: { isWhole: boolean },
): Promise<Wire> {
  const path = `/orchestrator/jobs/${encodeURIComponent(id)}/explain`;
  const page = async (next_token: string) =>
    asRecord(
      await client.get(path, {
        query: { namespace: client.namespace, limit: isWhole ? PAGE : SHOWN_NODES, next_token },
      }),
    );
  const first = await page("");
  if (!isWhole) return first;
  const items = [...itemsOf(first, "NodeItems")];
  for (let token = textAt(first, "NextToken"); token;) {
    const next = await page(token);
    items.push(...itemsOf(next, "NodeItems"));
    token = textAt(next, "NextToken");
  }
  return { ...first, NodeItems: items, NextToken: "" };
}

/** How an explanation is shown. */
export interface ExplanationToShow extends Shown {
  readonly hasAllNodes: boolean;
}

/** Several paragraphs. */
export function describeExplanation(wire: Wire, it: ExplanationToShow): string {
  const executions = itemsOf(recordAt(wire, "Executions"));
  return [
    facts(wire, it),
    ...executionTable(executions.filter(isOfLive), {
      ...it,
      title: "Where it is",
      count: countOf(wire, "Live"),
      wire,
    }),
    ...executionTable(executions.filter((one) => textAt(one, "State") === "completed"), {
      ...{ ...it, title: "Where it was done", wire },
      count: numberAt(recordAt(wire, "Job"), "Completed") ?? 0,
    }),
    ...attempts(executions.filter(isUnsuccessful), { ...it, count: countOf(wire, "Unsuccessful"), wire }),
    ...nodes(wire, it),
  ].join("\n\n");
}

const LIVE: ReadonlySet<unknown> = new Set(["placed", "queued", "preparing", "running", "publishing"]);
const isOfLive = (execution: unknown): boolean => LIVE.has(textAt(execution, "State"));
const isUnsuccessful = (execution: unknown): boolean =>
  !isOfLive(execution) && textAt(execution, "State") !== "completed";
const countOf = (wire: Wire, key: string): number => numberAt(recordAt(wire, "Executions"), key) ?? 0;

function facts(wire: Wire, { terminal }: ExplanationToShow): string {
  const { paint } = terminal;
  const job = recordAt(wire, "Job");
  const state = (textAt(job, "State") ?? "").toLowerCase();
  const version = numberAt(job, "Version") ?? 1;
  const timesOutMs = isTerminal(state) ? undefined : numberAt(job, "TimesOutInMs");
  const rows: [string, string][] = [
    [
      "Job",
      `${named(textAt(job, "ID") ?? "", textAt(job, "Name") ?? "")}${
        version > 1 ? `, version ${version}` : ""
      }`,
    ],
    ["State", `${tintState(state, state, paint)}, ${ageAt(job)}`],
    ["Why", state === "completed" ? "" : harmless(textAt(job, "Message") ?? "")],
    ["Hint", state === "completed" ? "" : harmless(textAt(job, "Hint") ?? "")],
    ["Version", rollout(recordAt(wire, "Rollout"))],
    ...waiting(recordAt(wire, "Waiting")),
    ["Times out", timesOutMs === undefined ? "" : `in ${span(timesOutMs)}, with all of it`],
  ];
  return formatFacts(rows, paint);
}

const ROLLOUTS: Readonly<Record<string, string>> = {
  rolling: "comes up place by place",
  good: "has come up",
  failed: "will not do",
};

/** How far the version of a job without an end has come. */
function rollout(it: Wire): string {
  const state = textAt(it, "State");
  if (state === undefined) return "";
  const good = numberAt(it, "GoodVersion");
  const from = numberAt(it, "RolledBackFrom");
  const message = rolloutReason(textAt(it, "Message"));
  return [
    `${ROLLOUTS[state] ?? state}, ${numberAt(it, "Up") ?? 0} up; since ${spanOf(it)}`,
    ...(good === undefined || state === "good" ? [] : [`the last that had come up is version ${good}`]),
    ...(from === undefined ? [] : [`it came in place of version ${from}, which will not do`]),
    ...(message ? [oneLine(message)] : []),
  ].join("; ");
}

function waiting(it: Wire): [string, string][] {
  const status = textAt(it, "Status");
  if (status === undefined) return [];
  const unplaced = numberAt(it, "Unplaced") ?? 0;
  const partitions = itemsOf(it, "Partitions").map(Number).sort((a, b) => a - b);
  const hidden = unplaced - partitions.length;
  const which = `${ranges(partitions)}${hidden > 0 ? ` and ${hidden} more` : ""}`;
  const againMs = numberAt(it, "AgainInMs");
  const failsMs = numberAt(it, "FailsInMs");
  const ahead = numberAt(it, "AheadCount") ?? 0;
  const names = itemsOf(it, "Ahead");
  const next = [
    ...(againMs === undefined ? [] : [`in ${span(againMs)}, when the pause after its last end is over`]),
    ...(status === "pausing" ? [] : [textAt(it, "NextLook") ?? ""]),
  ];
  return [
    [
      "Waits",
      unplaced === 0 ? "" : `${plural(unplaced, "partition")} without a node (${which}), for ${spanOf(it)}`,
    ],
    [
      "Ahead",
      unplaced === 0
        ? ""
        : ahead === 0
        ? "nothing that asks for the same"
        : `${plural(ahead, "job")}: ${namesOf(it, "Ahead")}${ahead > names.length ? ", …" : ""}`,
    ],
    ["Next look", next.map(oneLine).join("\n")],
    ["Gives up", failsMs === undefined ? "" : `in ${span(failsMs)}, by its queue time-out`],
  ];
}

const spanOf = (value: unknown): string => ageAt(value).replace(/ ago$/, "");

interface TableOf extends ExplanationToShow {
  readonly wire: Wire;
  readonly count: number;
}

function executionTable(items: readonly unknown[], it: TableOf & { title: string }): readonly string[] {
  if (items.length === 0) return [];
  const { terminal, title } = it;
  const version = numberAt(recordAt(it.wire, "Job"), "Version");
  const stateOf = (item: unknown) => {
    const state = textAt(item, "State") ?? "";
    const own = numberAt(item, "JobVersion");
    const older = own === version ? "" : ` (version ${own})`;
    return `${asRecord(item).IsToStop === true && isOfLive(item) ? "stopping" : state}${older}`;
  };
  const table = formatTable(byPartition(items).slice(0, SHOWN_EXECUTIONS), {
    terminal: { ...terminal, columns: terminal.columns - 2 },
    columns: [
      PARTITION,
      {
        title: "STATE",
        cell: stateOf,
        tint: (item, text) => tintState(textAt(item, "State") ?? "", text, terminal.paint),
      },
      { title: "SINCE", cell: ageAt },
      { title: "NODE", cell: nodeCell },
      { title: "WHY THERE", cell: (item) => [...behind(item), textAt(item, "Why") ?? ""].join("; ") },
    ],
  });
  return [`${terminal.paint.bold(title)}\n${indent(table)}${more(items, it)}`];
}

/** Whom it waits behind on its node: `behind 2 that run and 1 that waits: j-0123abcd (etl)`. */
function behind(item: unknown): readonly string[] {
  const it = recordAt(item, "Behind");
  const [running, waiting] = [numberAt(it, "Running") ?? 0, numberAt(it, "Waiting") ?? 0];
  const counts = [
    ...(running > 0 ? [`${running} that ${running === 1 ? "runs" : "run"}`] : []),
    ...(waiting > 0 ? [`${waiting} that ${waiting === 1 ? "waits" : "wait"}`] : []),
  ];
  if (counts.length === 0) return [];
  return [`behind ${counts.join(" and ")}: ${namesOf(it, "Jobs")}`];
}

/** The first of some jobs. */
const namesOf = (it: Wire, key: string): string =>
  itemsOf(it, key).map((job) => named(textAt(job, "ID") ?? "", textAt(job, "Name") ?? "")).join(", ");

function attempts(items: readonly unknown[], it: TableOf): readonly string[] {
  if (items.length === 0) return [];
  const { terminal } = it;
  const table = formatTable(items.slice(0, SHOWN_EXECUTIONS), {
    terminal: { ...terminal, columns: terminal.columns - 2 },
    columns: [
      PARTITION,
      { title: "ATTEMPT", cell: (item) => String((numberAt(item, "Attempt") ?? 0) + 1), isNumber: true },
      { title: "ENDED", cell: (item) => textAt(item, "State") ?? "" },
      { title: "WHEN", cell: ageAt },
      { title: "NODE", cell: nodeCell },
      { title: "WHY", cell: (item) => textAt(item, "Message") || "-" },
    ],
  });
  return [
    `${terminal.paint.bold("Attempts without a result, the latest first")}\n${indent(table)}${
      more(items, it)
    }`,
  ];
}

const PARTITION = {
  title: "PARTITION",
  cell: (item: unknown) => String(numberAt(item, "PartitionIndex") ?? 0),
  isNumber: true,
};
const nodeCell = (item: unknown): string =>
  named(textAt(item, "NodeID") ?? "", textAt(item, "NodeName") ?? "");
const byPartition = (items: readonly unknown[]): readonly unknown[] =>
  [...items].sort((a, b) => (numberAt(a, "PartitionIndex") ?? 0) - (numberAt(b, "PartitionIndex") ?? 0));

function more(items: readonly unknown[], { count, wire }: TableOf): string {
  const hidden = count - Math.min(items.length, SHOWN_EXECUTIONS);
  const id = textAt(recordAt(wire, "Job"), "ID") ?? "";
  return hidden > 0 ? `\n  and ${hidden.toLocaleString("en")} more: skerry job executions ${short(id)}` : "";
}

/** What is over asks for no node any more, unless it failed for want of one. */
function nodes(wire: Wire, it: ExplanationToShow): readonly string[] {
  const job = recordAt(wire, "Job");
  const state = (textAt(job, "State") ?? "").toLowerCase();
  const isForWant = /^not enough nodes/.test(textAt(job, "Message") ?? "");
  if (isTerminal(state) && !isForWant && !it.hasAllNodes) return [];
  const { paint, columns } = it.terminal;
  const summary = recordAt(wire, "Nodes");
  const known = numberAt(summary, "Known") ?? 0;
  const items = itemsOf(wire, "NodeItems");
  const groups = itemsOf(summary, "Groups");
  const narrow = { ...it, terminal: { ...it.terminal, columns: columns - 2 } };
  const isEach = items.length >= known;
  const title = `${paint.bold("Nodes")}: ${nodeCounts(summary)}`;
  const table = known === 0
    ? ""
    : `\n${indent(isEach ? nodeTable(items, narrow) : reasonTable(groups, narrow))}`;
  const rest = isEach
    ? ""
    : `\n  Each of them: skerry job explain ${short(textAt(job, "ID") ?? "")} --all-nodes`;
  const reasons = isEach
    ? items.flatMap((item) => itemsOf(item, "Reasons"))
    : groups.map((group) => recordAt(group, "Reason"));
  const isWaiting = isForWant || state === "queued" ||
    (numberAt(recordAt(wire, "Waiting"), "Unplaced") ?? 0) > 0;
  const changes = isWaiting ? remedies(reasons).map((line) => `  ${line}`) : [];
  return [
    `${title}${table}${rest}`,
    ...(changes.length > 0 ? [[paint.bold("What would change it"), ...changes].join("\n")] : []),
  ];
}
