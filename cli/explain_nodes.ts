/** What nodes would say to a job, for people: node by node, or by reason. Shared by `job explain` and `job plan`. */
import { type Column, formatTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { itemsOf, numberAt, recordAt, textAt } from "./wire.ts";
import { oneLine, plural, short, span } from "./words.ts";

/** Where a page of people's reading ends. */
export interface Shown {
  readonly terminal: Pick<Terminal, "paint" | "columns">;
  /** Every reason, and not only the one that decides. */
  readonly isWide: boolean;
}

/** Verdicts in the words of people, in the order in which they are shown. */
const VERDICTS: Readonly<Record<string, string>> = {
  fits: "fits",
  busy: "busy",
  full: "full",
  has_it: "has it",
  refused: "refused",
  not_now: "not now",
  cannot: "cannot",
};
const ORDER = Object.keys(VERDICTS);

const verdictOf = (value: unknown): string => textAt(value, "Verdict") ?? "";
const rank = (value: unknown): number => ORDER.indexOf(verdictOf(value));

function tintVerdict(verdict: string, text: string, { paint }: Shown["terminal"]): string {
  if (verdict === "fits") return paint.good(text);
  return verdict === "cannot" || verdict === "refused" ? paint.bad(text) : paint.warn(text);
}

const verdictColumn = ({ terminal }: Shown): Column<unknown> => ({
  title: "VERDICT",
  cell: (row) => VERDICTS[verdictOf(row)] ?? verdictOf(row),
  tint: (row, text) => tintVerdict(verdictOf(row), text, terminal),
});

/** How long ago what is told was seen, by the server's own clock. */
export function ageAt(value: unknown): string {
  const ageMs = numberAt(value, "AgeMs");
  return ageMs === undefined ? "unknown" : `${span(ageMs)} ago`;
}

/** `(pier-7)` where a node or a job has a name of its own. */
export const named = (id: string, name: string): string =>
  name === "" || name === id ? short(id) : `${short(id)} (${oneLine(name)})`;

function whyOf(item: unknown, { isWide }: Shown): string {
  const reasons = itemsOf(item, "Reasons").map((reason) => textAt(reason, "Reason") ?? "");
  const aloneMs = numberAt(item, "LeftAloneMs");
  const alone = aloneMs
    ? [`it refused for want of room, and is asked again in ${span(aloneMs)} at the earliest`]
    : [];
  const told = [...reasons.slice(0, isWide ? undefined : 1), ...alone];
  if (told.length === 0) return verdictOf(item) === "fits" ? "would start it at once" : "-";
  const hidden = reasons.length - 1;
  return `${told.join("; ")}${!isWide && hidden > 0 ? ` (and ${plural(hidden, "more reason")})` : ""}`;
}

/** A row for each node, those that fit first. */
export function nodeTable(items: readonly unknown[], shown: Shown): string {
  const sorted = [...items].sort((a, b) => rank(a) - rank(b));
  return formatTable(sorted, {
    terminal: shown.terminal,
    columns: [
      { title: "NODE", cell: (item) => short(textAt(item, "NodeID") ?? "") },
      { title: "NAME", cell: (item) => textAt(item, "Name") || "-" },
      { title: "SEEN", cell: ageAt },
      verdictColumn(shown),
      { title: "WHY", cell: (item) => whyOf(item, shown) },
    ],
  });
}

function groupWhy(group: unknown): string {
  const ids = itemsOf(group, "NodeIDs").map((id) => short(String(id)));
  const count = numberAt(group, "NodeCount") ?? 0;
  const who = count > ids.length ? `${ids.join(", ")}, …` : ids.join(", ");
  const why = textAt(recordAt(group, "Reason"), "Reason") ?? "would start it at once";
  const alike = (numberAt(group, "ReasonCount") ?? 1) - 1;
  return `${why}${alike > 0 ? ` (and ${plural(alike, "reason")} like it)` : ""} [${who}]`;
}

/** A row for each reason. */
export function reasonTable(groups: readonly unknown[], shown: Shown): string {
  return formatTable(groups, {
    terminal: shown.terminal,
    columns: [
      {
        title: "NODES",
        cell: (group) => (numberAt(group, "NodeCount") ?? 0).toLocaleString("en"),
        isNumber: true,
      },
      verdictColumn(shown),
      { title: "WHY", cell: groupWhy },
    ],
  });
}

/** What would change each reason, the most frequent first: `size: Ask for less …`. */
export function remedies(reasons: readonly unknown[]): readonly string[] {
  const byFilter = new Map<string, string>();
  for (const reason of reasons) {
    const filter = textAt(reason, "Filter");
    const remedy = textAt(reason, "Remedy");
    if (filter && remedy && !byFilter.has(filter)) byFilter.set(filter, remedy);
  }
  return [...byFilter].map(([filter, remedy]) => `${oneLine(filter)}: ${oneLine(remedy)}`);
}

/** `5 known, 2 would take one more` */
export function nodeCounts(nodes: unknown): string {
  const known = numberAt(nodes, "Known") ?? 0;
  const fit = numberAt(nodes, "Fit") ?? 0;
  if (known === 0) return "none is known";
  return `${known.toLocaleString("en")} known, ${
    fit === 0 ? "none" : fit.toLocaleString("en")
  } would take one more`;
}
