/** Tables of plain columns. On a terminal the last column is cut so that a row stays on its line. */
import getWidth from "fast-string-truncated-width";
import type { Terminal } from "./terminal.ts";
import { oneLine } from "./words.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Coloured after its width is known. */
  readonly tint?: (row: Row, text: string) => string;
  readonly isNumber?: boolean;
  /** Only in `--output wide`. */
  readonly isWide?: boolean;
}

const GAP = "  ";

/** Rows under their titles, without a line break at the end. */
export function formatTable<Row>(
  rows: readonly Row[],
  options: { columns: readonly Column<Row>[]; terminal: Pick<Terminal, "columns" | "paint"> },
): string {
  const { columns, terminal } = options;
  const cells = rows.map((row) => columns.map(({ cell }) => oneLine(cell(row))));
  const widths = columns.map(({ title }, at) =>
    Math.max(widthOf(title), ...cells.map((line) => widthOf(line[at] ?? "")))
  );
  const others = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = Math.max(8, terminal.columns - others);
  const lines = cells.map((line, row) =>
    columns.map((column, at) => {
      const isLast = at === columns.length - 1;
      const text = isLast ? cut(line[at] ?? "", room) : line[at] ?? "";
      const padding = " ".repeat(Math.max(0, (widths[at] ?? 0) - widthOf(text)));
      const shown = column.tint?.(rows[row]!, text) ?? text;
      if (column.isNumber) return `${padding}${shown}`;
      return isLast ? shown : `${shown}${padding}`;
    }).join(GAP).trimEnd()
  );
  const titles = columns.map(({ title, isNumber }, at) => {
    if (isNumber) return title.padStart(widths[at] ?? 0);
    return at === columns.length - 1 ? title : title.padEnd(widths[at] ?? 0);
  });
  return [terminal.paint.bold(titles.join(GAP)), ...lines].join("\n");
}

/** Columns that a terminal takes for the text. */
export function widthOf(text: string): number {
  return getWidth(text).width;
}

/** At most so many columns wide, with `…` where something is missing. */
export function cut(text: string, columns: number): string {
  if (!Number.isFinite(columns)) return text;
  const { index, ellipsed } = getWidth(text, { limit: columns, ellipsis: "…" });
  return ellipsed ? `${text.slice(0, index)}…` : text.slice(0, index);
}
