/** One way for every command to print what it found: a table, JSON, YAML or names. */
import { choice } from "./flags.ts";
import { formatJson } from "./json.ts";
import type { Paint } from "./paint.ts";
import { type Column, formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { harmless, indent } from "./words.ts";

/** Forms in which a command prints what it found. */
export const OUTPUTS = ["table", "wide", "json", "yaml", "name"] as const;
/** One of `OUTPUTS`. */
export type Output = typeof OUTPUTS[number];

const OUTPUT = {
  placeholder: "FORMAT",
  summary: "How to print",
  choices: OUTPUTS,
  initial: "table" as Output,
};

/** `-o, --output` */
export const OUTPUT_FLAGS = { output: choice<Output>({ ...OUTPUT, short: "o" }) };
/** `--format`: for commands whose `-o` names a result path. */
export const FORMAT_FLAGS = { format: choice<Output>(OUTPUT) };

/** Whether a program reads it. */
export const isData = (output: Output): boolean => output === "json" || output === "yaml";

/** Prints a value as JSON, or as YAML. */
export async function printData(
  terminal: Terminal,
  { value, output }: { value: unknown; output: Output },
): Promise<void> {
  if (output !== "yaml") return terminal.print(formatJson(value, 2));
  const { stringify } = await import("yaml");
  terminal.print(stringify(value, { lineWidth: 0 }).trimEnd());
}

/** Rows, and how each form shows them. */
export interface ListToPrint<Row> {
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly output: Output;
  /** What `json` and `yaml` show. */
  readonly wireOf: (row: Row) => unknown;
  readonly nameOf: (row: Row) => string;
  /** Said on stderr when there are no rows. */
  readonly empty: string;
}

/** Prints a list in the form that was asked for. */
export async function printList<Row>(terminal: Terminal, list: ListToPrint<Row>): Promise<void> {
  const { rows, output, columns } = list;
  if (isData(output)) return await printData(terminal, { value: rows.map(list.wireOf), output });
  if (rows.length === 0) return terminal.note(list.empty);
  if (output === "name") return terminal.print(rows.map(list.nameOf).map(harmless).join("\n"));
  const shown = columns.filter(({ isWide }) => output === "wide" || !isWide);
  terminal.print(formatTable(rows, { columns: shown, terminal }));
}

/** A few facts: aligned lines, or as data. */
export async function printRecord(
  terminal: Terminal,
  { record, output, wire = record }: {
    record: Readonly<Record<string, string>>;
    output: Output;
    wire?: unknown;
  },
): Promise<void> {
  if (isData(output)) return await printData(terminal, { value: wire, output });
  const width = Math.max(...Object.keys(record).map((key) => key.length));
  const lines = Object.entries(record).map(([key, value]) =>
    `${terminal.paint.dim(`${key}:`.padEnd(width + 1))} ${harmless(value)}`
  );
  terminal.print(lines.join("\n"));
}

const FACT_COLUMNS = 12;

/** Titles with their values beside them; a value may have several lines, and an empty one is left out. */
export function formatFacts(
  rows: readonly (readonly [title: string, value: string])[],
  paint: Paint,
): string {
  return rows.filter(([, value]) => value !== "").map(([title, value]) =>
    `${paint.dim(`${title}:`.padEnd(FACT_COLUMNS))}${indent(value, " ".repeat(FACT_COLUMNS)).trimStart()}`
  ).join("\n");
}
