/** `skerry job describe` */
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { whole } from "./flags.ts";
import { columns as historyColumns } from "./job_history.ts";
import { tintState } from "./job_list.ts";
import { JOB_OPERAND, NAMESPACE_FLAG } from "./job_operand.ts";
import { fetchLastOutput, lastLines, type LastOutput } from "./last_output.ts";
import { livesColumns } from "./lives_columns.ts";
import { exitLines } from "./outcome.ts";
import { formatFacts, isData, OUTPUT_FLAGS, printData } from "./output.ts";
import {
  badExits,
  countStates,
  currentOf,
  extentOf,
  fetchExecutions,
  rolloutLine,
  untold,
  whoOf,
  whyItWaits,
} from "./partitions.ts";
import { formatTable } from "./table.ts";
import { taskRows } from "./task_describe.ts";
import type { Terminal } from "./terminal.ts";
import {
  asRecord,
  type EventView,
  type ExecutionView,
  isTerminal,
  itemsOf,
  type JobView,
  readEvent,
  readJob,
  recordAt,
  textAt,
} from "./wire.ts";
import { age, harmless, indent, moment, oneLine, plural, short } from "./words.ts";

const FLAGS = {
  jobVersion: whole({
    placeholder: "N",
    short: "v",
    summary: "The job as it was submitted in this version, and what became of that",
    least: 1,
  }),
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job describe` */
export const DESCRIBE = defineCommand({
  name: "describe",
  summary: "Show all about one job: its state, partitions, output, and what to do next",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job describe j-0123abcd", does: "For people" },
    {
      line: "skerry job describe j-0123abcd -o wide",
      does: "With what it asks for: arguments, inputs, resources…",
    },
    {
      line: "skerry job describe sea-breeze --output yaml",
      does: "The job as the server has it, by its name",
    },
  ],
  run,
});

/** Partitions that are shown one by one; with more, those that need a look come first. */
const SHOWN_PARTITIONS = 20;
const SHOWN_EVENTS = 5;
const EVENTS_PAGE = 1000;

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<void> {
  const client = await openClient(settings);
  const path = `/orchestrator/jobs/${encodeURIComponent(operands[0]!)}`;
  const query = {
    namespace: client.namespace,
    job_version: flags.jobVersion,
    include: "history",
    limit: EVENTS_PAGE,
  };
  const answer = await client.get(path, { query });
  const job = readJob(recordAt(answer, "Job"));
  if (flags.output === "name") return terminal.print(job.id);
  const executions = await fetchExecutions(client, job.id, { version: flags.jobVersion });
  if (isData(flags.output)) {
    const value = {
      ...asRecord(answer),
      Executions: { NextToken: "", Items: executions.map(({ wire }) => wire) },
    };
    return await printData(terminal, { value, output: flags.output });
  }
  const events = itemsOf(recordAt(answer, "History")).map(readEvent);
  const last = await fetchLastOutput(client, { job, current: currentOf(executions) });
  const isWide = flags.output === "wide";
  const { jobVersion } = flags;
  const nowMs = client.nowMs();
  terminal.print(describeJob({ job, executions, events, last, terminal, isWide, nowMs, jobVersion }));
}

/** A job with all that is told of it. */
export interface JobToDescribe {
  readonly job: JobView;
  readonly executions: readonly ExecutionView[];
  readonly events: readonly EventView[];
  readonly last?: LastOutput;
  readonly terminal: Pick<Terminal, "paint" | "columns">;
  readonly nowMs: number;
  /** The version that was asked for; absent: the current one. */
  readonly jobVersion?: number;
  /** Also what it asks for. */
  readonly isWide?: boolean;
}

/** Several paragraphs. */
export function describeJob(it: JobToDescribe): string {
  const current = currentOf(it.executions);
  return [
    facts(it, current),
    ...(it.isWide ? [formatFacts(taskRows(it.job), it.terminal.paint)] : []),
    ...partitions(it, current),
    ...failures(it, current),
    ...output(it),
    ...recent(it),
    next(it, current),
  ].join("\n\n");
}

function facts(
  { job, terminal, nowMs, executions }: JobToDescribe,
  current: readonly ExecutionView[],
): string {
  const { paint } = terminal;
  const task = asRecord(itemsOf(job.wire, "Tasks")[0]);
  const counts = countStates(job, current).map(([state, count]) => `${count} ${state}`).join(", ");
  const since = `${age(job.modifiedAtMs, nowMs)}`;
  const replaced = executions.length - current.length;
  const labels = Object.entries(job.labels).map(([key, value]) => `${key}=${value}`).join(", ");
  const rows: [string, string][] = [
    ["Job", `${job.id}${job.version > 1 ? ` (version ${job.version})` : ""}`],
    ["Name", job.name === job.id ? "" : job.name],
    ["State", job.state],
    ["Why", job.state === "completed" ? "" : job.message || whyItWaits(job, current)],
    ["Hint", job.state === "completed" ? hintsOf(badExits(job, current)) : job.hint],
    ["Created", `${age(job.createdAtMs, nowMs)} (${moment(job.createdAtMs)})`],
    ["Type", job.type === "batch" ? "" : job.type],
    ["Runs", `${textAt(recordAt(task, "Engine"), "Type") ?? "unknown"}, ${extentOf(job)}`],
    ["Version", rolloutLine(job, nowMs)],
    ["Image", [...new Set(current.map(({ image }) => image))].filter((it) => it !== "").join("\n")],
    ["Partitions", counts],
    ["Exit codes", exitLines(job, badExits(job, current)).join("\n")],
    [
      "Attempts",
      replaced > 0 ? `${plural(executions.length, "execution")}, ${replaced} of them replaced` : "",
    ],
    ["Namespace", job.namespace === "default" ? "" : job.namespace],
    ["Priority", job.priority ? String(job.priority) : ""],
    ["Labels", labels],
  ];
  const shown = rows.map(([title, value]): [string, string] => [
    title,
    title === "State" ? `${tintState(value, value, paint)}, ${since}` : harmless(value),
  ]);
  return formatFacts(shown, paint);
}

/** What exit codes may come from, each hint once. */
const hintsOf = (bad: readonly ExecutionView[]): string =>
  [...new Set(bad.map(({ hint }) => hint))].filter((hint) => hint !== "").join("\n");

function partitions(
  { job, terminal, nowMs }: JobToDescribe,
  current: readonly ExecutionView[],
): readonly string[] {
  if (current.length === 0) return [];
  const { paint } = terminal;
  const bad = new Set(badExits(job, current).map(({ id }) => id));
  const needsLook = (it: ExecutionView) => bad.has(it.id) || !["completed", "running"].includes(it.state);
  const sorted = current.length <= SHOWN_PARTITIONS
    ? current
    : [...current].sort((a, b) => Number(needsLook(b)) - Number(needsLook(a)) || a.partition - b.partition);
  const table = formatTable(sorted.slice(0, SHOWN_PARTITIONS), {
    terminal: { ...terminal, columns: terminal.columns - 2 },
    columns: [
      { title: "PARTITION", cell: ({ partition }) => String(partition), isNumber: true },
      {
        title: "STATE",
        cell: ({ state }) => state,
        tint: ({ state }, text) => tintState(state, text, paint),
      },
      { title: "SINCE", cell: ({ modifiedAtMs }) => age(modifiedAtMs, nowMs) },
      {
        title: "EXIT",
        cell: ({ exitCode }) => exitCode === undefined ? "-" : String(exitCode),
        tint: ({ id }, text) => bad.has(id) ? paint.bad(text) : text,
        isNumber: true,
      },
      ...livesColumns(sorted, paint),
      { title: "NODE", cell: ({ nodeId }) => short(nodeId) },
      ...current.some(({ ports }) => ports.length > 0)
        ? [{ title: "PORTS", cell: ({ ports }: ExecutionView) => ports.join(", ") || "-" }]
        : [],
      { title: "EXECUTION", cell: ({ id }) => short(id) },
    ],
  });
  const hidden = current.length - SHOWN_PARTITIONS;
  const more = hidden > 0
    ? `\n  and ${plural(hidden, "more partition")}: skerry job executions ${short(job.id)}`
    : "";
  return [`${paint.bold("Partitions")}\n${indent(table)}${more}`];
}

function failures({ job, terminal }: JobToDescribe, current: readonly ExecutionView[]): readonly string[] {
  const { paint } = terminal;
  const states = ["failed", "lost", "refused", "stopped"];
  const rank = ({ state }: ExecutionView) => states.indexOf(state);
  const groups = untold(job, current.filter((it) => rank(it) >= 0));
  if (groups.length === 0) return [];
  const sorted = [...groups].sort(([a], [b]) => rank(a!) - rank(b!));
  const lines = sorted.slice(0, SHOWN_EVENTS).flatMap((alike) => {
    const { message, hint, state } = alike[0]!;
    return [
      `  ${job.count === 1 ? "" : `${whoOf(job, alike)} `}${paint.bad(state)}: ${oneLine(message)}`,
      ...(hint ? [`    ${paint.accent("Hint:")} ${oneLine(hint)}`] : []),
    ];
  });
  return [[paint.bold("Failures"), ...lines].join("\n")];
}

function output({ job, terminal, last }: JobToDescribe): readonly string[] {
  const lines = last ? lastLines(last, { count: job.count, paint: terminal.paint }) : [];
  return lines.length ? [`${terminal.paint.bold("Output")}\n${indent(lines.join("\n"))}`] : [];
}

function recent({ events, terminal, nowMs }: JobToDescribe): readonly string[] {
  if (events.length === 0) return [];
  const shown = events.slice(-SHOWN_EVENTS);
  const table = formatTable(shown, {
    terminal: { ...terminal, columns: terminal.columns - 2 },
    columns: historyColumns(nowMs, { hasHints: false }).filter((column) => !("isWide" in column)),
  });
  const title = events.length > shown.length ? `Last ${SHOWN_EVENTS} of ${events.length} events` : "Events";
  return [`${terminal.paint.bold(title)}\n${indent(table)}`];
}

function next({ job, terminal, jobVersion }: JobToDescribe, current: readonly ExecutionView[]): string {
  const hasResults = current.some(({ wire }) => textAt(recordAt(wire, "PublishedResult"), "Type"));
  const verbs = isTerminal(job.state)
    ? ["logs", ...(hasResults ? ["get"] : []), "history"]
    : ["wait", "logs --follow", "stop"];
  const about = `${harmless(short(job.id))}${jobVersion && isTerminal(job.state) ? ` -v ${jobVersion}` : ""}`;
  return terminal.paint.dim(`Next: ${verbs.map((verb) => `skerry job ${verb} ${about}`).join(" · ")}`);
}
