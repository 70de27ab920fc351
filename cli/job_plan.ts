/** `skerry job plan` */
import { EXIT } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { ageAt, named, nodeCounts, reasonTable, remedies, type Shown } from "./explain_nodes.ts";
import { toggle } from "./flags.ts";
import { FILE_FLAGS, FILE_OPERAND, readJobFile } from "./job_file.ts";
import { formatFacts, isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { formatTable } from "./table.ts";
import { asRecord, itemsOf, numberAt, recordAt, textAt, type Wire } from "./wire.ts";
import { harmless, indent, oneLine, plural } from "./words.ts";

const FLAGS = {
  ...FILE_FLAGS,
  force: toggle({ summary: "Plan a new version of a job with this name also when nothing has changed" }),
  detailedExitcode: toggle({ summary: "Exit with 8 when something would change, with 0 when nothing would" }),
  ...OUTPUT_FLAGS,
};

/** `skerry job plan` */
export const PLAN = defineCommand({
  name: "plan",
  summary: "Say what submitting a job file would change and where it would go, and submit nothing",
  about: "Looks at nodes and at what waits as they are now: what comes meanwhile may change where it goes.",
  operands: [FILE_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job plan job.yaml", does: "Before `skerry job run job.yaml`" },
    {
      line: "skerry job plan job.yaml --detailed-exitcode",
      does: "For scripts: 8 when it would change something",
    },
  ],
  run,
});

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<number> {
  const { wire: Job } = await readJobFile(operands[0]!, { namespace: flags.namespace, settings });
  const client = await openClient(settings);
  const body = { Job, ...(flags.force && { Force: true }) };
  const wire = asRecord(await client.put("/orchestrator/jobs/plan", { body }));
  const { output } = flags;
  if (isData(output)) await printData(terminal, { value: wire, output });
  else if (output === "name") terminal.print(textAt(wire, "Action") ?? "");
  else terminal.print(describePlan(wire, { terminal, isWide: output === "wide" }));
  for (const warning of isData(output) ? [] : itemsOf(wire, "Warnings")) {
    terminal.note(`${terminal.paintNote.warn("Warning:")} ${harmless(String(warning))}`);
  }
  return flags.detailedExitcode && textAt(wire, "Action") !== "none" ? EXIT.changes : EXIT.ok;
}

const SHOWN = 20;

/** Several paragraphs. */
export function describePlan(wire: Wire, it: Shown): string {
  return [
    facts(wire, it),
    ...difference(wire, it),
    ...places(wire, it),
    ...stops(wire, it),
    ...unplaced(wire, it),
    it.terminal.paint.dim(`${inShort(wire)}. Nothing was submitted`),
  ].join("\n\n");
}

function facts(wire: Wire, { terminal }: Shown): string {
  const known = recordAt(wire, "Known");
  const action = textAt(wire, "Action");
  const name = textAt(wire, "Name") ?? "";
  const version = numberAt(wire, "Version") ?? 1;
  const is = "ID" in known
    ? `${named(textAt(known, "ID") ?? "", name)}, version ${numberAt(known, "Version")}, ${
      (textAt(known, "State") ?? "").toLowerCase()
    } (${ageAt(known)})`
    : name === ""
    ? "a new one without a name"
    : `${quote(name)}, a new one`;
  const change = action === "none"
    ? "nothing: it is there with the same specification (--force would make a new version)"
    : action === "update"
    ? `makes version ${version}`
    : "makes the job";
  const namespace = textAt(wire, "Namespace") ?? "";
  return formatFacts([
    ["Job", harmless(is)],
    ["Namespace", namespace === "default" ? "" : harmless(namespace)],
    ["Changes", change],
  ], terminal.paint);
}

/** Of a new job everything would be new. Unchanged lines are shown around changed ones only. */
function difference(wire: Wire, { terminal }: Shown): readonly string[] {
  if (textAt(wire, "Action") !== "update") return [];
  const lines = harmless(textAt(wire, "Diff") ?? "").trimEnd().split("\n");
  const isChange = (line: string | undefined) => line !== undefined && /^[+-] /.test(line);
  const shown: string[] = [];
  lines.forEach((line, at) => {
    if (lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(isChange)) shown.push(line);
    else if (shown.length > 0 && shown.at(-1) !== GAP) shown.push(GAP);
  });
  if (shown.at(-1) === GAP) shown.pop();
  if (shown.length === 0) return [];
  const { paint } = terminal;
  const tinted = shown.map((line) =>
    line.startsWith("+ ") ? paint.good(line) : line.startsWith("- ") ? paint.bad(line) : line
  );
  return [`${paint.bold("Difference")}\n${indent(tinted.join("\n"))}`];
}

const CONTEXT = 2;
const GAP = "  …";

function places(wire: Wire, { terminal, isWide }: Shown): readonly string[] {
  const items = itemsOf(wire, "Places");
  if (items.length === 0) return [];
  const isBusy = (item: unknown) => textAt(item, "Verdict") !== "fits";
  const narrow = { ...terminal, columns: terminal.columns - 2 };
  const nodeOf = (item: unknown) => named(textAt(item, "NodeID") ?? "", textAt(item, "NodeName") ?? "");
  if (items.length > SHOWN && !isWide) {
    const byNode = [...Map.groupBy(items, nodeOf)].sort(([, a], [, b]) => b.length - a.length);
    const table = formatTable(byNode.slice(0, SHOWN), {
      terminal: narrow,
      columns: [
        { title: "NODE", cell: ([node]) => node },
        { title: "EXECUTIONS", cell: ([, own]) => own.length.toLocaleString("en"), isNumber: true },
        {
          title: "AT ONCE",
          cell: ([, own]) => String(own.filter((one) => !isBusy(one)).length),
          isNumber: true,
        },
      ],
    });
    const hidden = byNode.length - SHOWN;
    const more = hidden > 0
      ? `\n  and ${plural(hidden, "more node")}: --output wide tells each execution`
      : "";
    return [`${terminal.paint.bold("Would go to")}\n${indent(table)}${more}`];
  }
  const table = formatTable(items, {
    terminal: narrow,
    columns: [
      { title: "PARTITION", cell: (item) => String(numberAt(item, "PartitionIndex") ?? 0), isNumber: true },
      { title: "NODE", cell: nodeOf },
      {
        title: "STARTS",
        cell: (item) => isBusy(item) ? "waits there" : "at once",
        tint: (item, text) => isBusy(item) ? terminal.paint.warn(text) : terminal.paint.good(text),
      },
      { title: "WHY", cell: (item) => [...reasonsOf(item), textAt(item, "Why") ?? ""].join("; ") },
    ],
  });
  return [`${terminal.paint.bold("Would go to")}\n${indent(table)}`];
}

const reasonsOf = (item: unknown): readonly string[] =>
  itemsOf(item, "Reasons").slice(0, 1).map((reason) => textAt(reason, "Reason") ?? "");

function stops(wire: Wire, { terminal }: Shown): readonly string[] {
  const count = numberAt(recordAt(wire, "Stops"), "Count") ?? 0;
  if (count === 0) return [];
  const items = itemsOf(recordAt(wire, "Stops")).slice(0, SHOWN);
  const table = formatTable(items, {
    terminal: { ...terminal, columns: terminal.columns - 2 },
    columns: [
      { title: "VERSION", cell: (item) => String(numberAt(item, "JobVersion") ?? 1), isNumber: true },
      { title: "PARTITION", cell: (item) => String(numberAt(item, "PartitionIndex") ?? 0), isNumber: true },
      { title: "STATE", cell: (item) => textAt(item, "State") ?? "" },
      { title: "SINCE", cell: ageAt },
      { title: "NODE", cell: (item) => named(textAt(item, "NodeID") ?? "", textAt(item, "NodeName") ?? "") },
    ],
  });
  const hidden = count - items.length;
  const more = hidden > 0 ? `\n  and ${hidden.toLocaleString("en")} more` : "";
  const atATime = numberAt(wire, "AtATime");
  const title = atATime === undefined
    ? "Would stop, to make way"
    : `Would stop, place by place, at most ${atATime} at a time`;
  return [`${terminal.paint.bold(title)}\n${indent(table)}${more}`];
}

function unplaced(wire: Wire, it: Shown): readonly string[] {
  const left = recordAt(wire, "Unplaced");
  const count = numberAt(left, "Count") ?? 0;
  if (count === 0) return [];
  const { paint, columns } = it.terminal;
  const nodes = recordAt(wire, "Nodes");
  const groups = itemsOf(nodes, "Groups");
  const title = left.WouldFail === true
    ? paint.bad("Would fail at once")
    : paint.warn(`Would wait: ${plural(count, "execution")}`);
  const behind = left.IsBehindOthers === true
    ? ["  Others that ask for the same wait already, and go first"]
    : [];
  const lines = [
    title,
    ...behind,
    indent(harmless((textAt(left, "Message") ?? "").trim())),
    `  ${paint.accent("Hint:")} ${oneLine(textAt(left, "Hint") ?? "")}`,
  ];
  const narrow = { ...it, terminal: { ...it.terminal, columns: columns - 2 } };
  const table = groups.length > 0 ? `\n${indent(reasonTable(groups, narrow))}` : "";
  const changes = remedies(groups.map((group) => recordAt(group, "Reason"))).map((line) => `  ${line}`);
  return [
    lines.join("\n"),
    `${paint.bold("Nodes")}: ${nodeCounts(nodes)}${table}`,
    ...(changes.length > 0 ? [[paint.bold("What would change it"), ...changes].join("\n")] : []),
  ];
}

/** `Plan: a new job; 3 executions, 2 of them at once; 1 would wait; 2 would stop` */
function inShort(wire: Wire): string {
  const action = textAt(wire, "Action");
  if (action === "none") return "Plan: no changes";
  const items = itemsOf(wire, "Places");
  const atOnce = items.filter((item) => textAt(item, "Verdict") === "fits").length;
  const left = numberAt(recordAt(wire, "Unplaced"), "Count") ?? 0;
  const untried = numberAt(wire, "Untried") ?? 0;
  const stopped = numberAt(recordAt(wire, "Stops"), "Count") ?? 0;
  const all = numberAt(wire, "Executions") ?? 0;
  const stays = numberAt(wire, "Stays") ?? 0;
  return [
    `Plan: ${action === "create" ? "a new job" : "a new version"} of ${plural(all + stays, "execution")}`,
    ...(stays > 0 ? [`${stays.toLocaleString("en")} would go on as they are`] : []),
    ...(atOnce > 0 ? [`${atOnce.toLocaleString("en")} would start at once`] : []),
    ...(items.length > atOnce
      ? [`${(items.length - atOnce).toLocaleString("en")} would wait on a node`]
      : []),
    ...(left > 0 ? [`${left.toLocaleString("en")} would find no node`] : []),
    ...(untried > 0 ? [`${untried.toLocaleString("en")} more were not looked at`] : []),
    ...(stopped > 0 ? [`${stopped.toLocaleString("en")} would be stopped`] : []),
  ].join(", ");
}
