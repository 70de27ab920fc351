/** What a job asks for, as text for people: the part of `job describe` that only `-o wide` shows. */
import { formatConstraint, type Operator } from "../shared/model/constraint.ts";
import {
  asRecord,
  formatPort,
  itemsOf,
  type JobView,
  numberAt,
  recordAt,
  textAt,
  type Wire,
} from "./wire.ts";
import { amountOfBytes, harmless, span } from "./words.ts";

/** Titles and values, several lines each; those without a value say nothing. */
export function taskRows(job: JobView): readonly [title: string, value: string][] {
  const task = asRecord(itemsOf(job.wire, "Tasks")[0]);
  const engine = recordAt(task, "Engine");
  const params = Object.entries(recordAt(engine, "Params")).filter(([key]) => key !== "Parameters");
  const rows: [string, string][] = [
    ["Task", textAt(task, "Name") ?? ""],
    ["Engine", lines([textAt(engine, "Type") ?? "", ...params.flatMap(([key, value]) => named(key, value))])],
    ["Arguments", words(recordAt(engine, "Params").Parameters)],
    ["Variables", pairs(recordAt(task, "Env"))],
    ["Inputs", lines(itemsOf(task, "InputSources").map(inputLine))],
    [
      "Results",
      lines(itemsOf(task, "ResultPaths").map((it) => `${textAt(it, "Name")}: ${textAt(it, "Path")}`)),
    ],
    ["Publisher", typed(recordAt(task, "Publisher"))],
    ["Resources", inline(recordAt(task, "Resources"))],
    ["Network", network(recordAt(task, "Network"))],
    ["Time-outs", timeouts(recordAt(task, "Timeouts"))],
    ["Nodes", lines(itemsOf(job.wire, "Constraints").map(constraint))],
    ["Spread", itemsOf(job.wire, "Spread").map(String).join(", ")],
    ["Retry", inline(recordAt(job.wire, "Retry"))],
    ["Success", itemsOf(job.wire, "SuccessExitCodes").map(String).join(", ")],
    ["Restart", inline(recordAt(job.wire, "Restart"))],
    ["On agent restart", textAt(job.wire, "OnAgentRestart") ?? ""],
    ["Health", health(recordAt(job.wire, "Health"))],
    ["Stop signal", textAt(job.wire, "StopSignal") ?? ""],
    ["Stop grace", textAt(job.wire, "StopGrace") ?? ""],
    ["Meta", pairs({ ...recordAt(job.wire, "Meta"), ...recordAt(task, "Meta") })],
  ];
  return rows.filter(([, value]) => value !== "").map(([title, value]) => [title, harmless(value)]);
}

/** What is asked, then how often and how long. */
function health({ HTTP, Exec, ...rest }: Wire): string {
  const http = asRecord(HTTP);
  const command = asRecord(Exec).Command;
  return lines([
    http.Port === undefined ? "" : `GET ${http.Path} on port ${http.Port}`,
    command === undefined ? "" : words(command),
    inline(rest),
  ]);
}

const lines = (texts: readonly string[]): string => texts.filter((text) => text !== "").join("\n");

const pairs = (map: Wire): string => lines(Object.entries(map).map(([key, value]) => `${key}=${value}`));

const inline = (map: Wire): string => Object.entries(map).map(([key, value]) => `${key} ${value}`).join(", ");

/** As a shell would take them. */
function words(value: unknown): string {
  const texts = Array.isArray(value) ? value.map(String) : [];
  return texts.map((text) => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)
    .join(
      " ",
    );
}

function named(key: string, value: unknown): readonly string[] {
  const text = Array.isArray(value) ? words(value) : typeof value === "object" ? "" : String(value);
  return text === "" ? [] : [`${key}: ${text}`];
}

function inputLine(input: unknown): string {
  return `${textAt(input, "Target")} from ${typed(recordAt(input, "Source"))}`;
}

/** `local /srv/data`, `inline, 12 kB` */
function typed(adapter: Wire): string {
  const type = textAt(adapter, "Type") ?? "";
  const params = recordAt(adapter, "Params");
  const url = textAt(params, "URL") ?? "";
  if (type === "inline") {
    const sizeBytes = numberAt(params, "SizeBytes");
    return sizeBytes === undefined ? type : `${type}, ${amountOfBytes(sizeBytes)}`;
  }
  const where = textAt(params, "SourcePath") ?? url;
  const rest = Object.entries(params).filter(([key]) => key !== "SourcePath" && key !== "URL");
  const more = rest.length ? ` (${rest.map(([key, value]) => `${key} ${value}`).join(", ")})` : "";
  return `${type}${where === "" ? "" : ` ${where}`}${more}`;
}

function network(wire: Wire): string {
  const domains = itemsOf(wire, "Domains").map(String).join(", ");
  const ports = itemsOf(wire, "Ports").map(formatPort);
  return lines([
    `${textAt(wire, "Type") ?? ""}${domains ? `: ${domains}` : ""}`,
    ...ports.map((it) => `port ${it}`),
  ]);
}

function timeouts(wire: Wire): string {
  const parts = [["execution", "ExecutionTimeout"], ["queue", "QueueTimeout"], ["total", "TotalTimeout"]];
  return parts.flatMap(([name, key]) => {
    const seconds = numberAt(wire, key!);
    return seconds ? [`${name} ${span(seconds * 1000)}`] : [];
  }).join(", ");
}

/** `region in (eu,us)`, `!old` */
function constraint(it: unknown): string {
  return formatConstraint({
    key: textAt(it, "Key") ?? "",
    operator: (textAt(it, "Operator") ?? "") as Operator,
    values: itemsOf(it, "Values").map(String),
  });
}
