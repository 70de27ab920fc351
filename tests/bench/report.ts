/** How benchmarks report: a row each, with what was aimed for, as a table and as JSON. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What was aimed for, such as `≤ 10` or `≥ 400`. */
  readonly aim?: string;
  /** How it was measured, in a few words. */
  readonly how: string;
}

/** Median of an unsorted list. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which the given share lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** Whether the value meets its aim; undefined when there is none. */
export function meets({ value, aim }: Figure): boolean | undefined {
  const match = /^([≤≥]) ([\d.,]+)/.exec(aim ?? "");
  if (match === null) return undefined;
  const bound = Number(match[2]!.replaceAll(",", ""));
  return match[1] === "≤" ? value <= bound : value >= bound;
}

/** Rows of a table: name, value, aim, and whether it is met. */
export function formatFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const met = meets(figure);
    const value = figure.value >= 100
      ? Math.round(figure.value).toLocaleString("en")
      : figure.value.toPrecision(3);
    return [
      figure.name,
      `${value} ${figure.unit}`,
      figure.aim ?? "",
      met === undefined ? "" : met ? "met" : "NOT MET",
      figure.how,
    ];
  });
  const all = [["figure", "measured", "aim", "", "how"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()).join(
    "\n",
  );
}
