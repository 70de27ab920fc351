import assert from "node:assert/strict";
import { colours } from "./paint.ts";
import { cut, formatTable, widthOf } from "./table.ts";

const terminal = (columns: number, hasColours = false) => ({ columns, paint: colours(hasColours) });
const COLUMNS = [
  { title: "NAME", cell: ({ name }: Row) => name },
  { title: "N", cell: ({ count }: Row) => String(count), isNumber: true },
  { title: "TEXT", cell: ({ text }: Row) => text },
];
type Row = { name: string; count: number; text: string };

Deno.test("formatTable() aligns columns by what a terminal shows, not by characters", () => {
  const rows = [{ name: "日本", count: 7, text: "x" }, { name: "abcdef", count: 123, text: "y" }];
  const table = formatTable(rows, { columns: COLUMNS, terminal: terminal(Infinity) });
  assert.equal(table, "NAME      N  TEXT\n日本      7  x\nabcdef  123  y");
});

Deno.test("formatTable() cuts the last column to the terminal, and only there", () => {
  const rows = [{ name: "a", count: 1, text: "0123456789".repeat(3) }];
  const narrow = formatTable(rows, { columns: COLUMNS, terminal: terminal(24) }).split("\n")[1]!;
  assert.equal(widthOf(narrow), 24);
  assert.ok(narrow.endsWith("…"));
  assert.ok(!formatTable(rows, { columns: COLUMNS, terminal: terminal(Infinity) }).includes("…"));
});

Deno.test("formatTable() keeps hostile text on its line and without control characters", () => {
  const rows = [{ name: "a\x1b[2Jb", count: 1, text: "x\ny" }];
  const table = formatTable(rows, { columns: COLUMNS, terminal: terminal(Infinity) });
  assert.equal(table.split("\n").length, 2);
  assert.ok(!table.includes("\x1b"));
});

Deno.test("colours do not change widths", () => {
  const rows = [{ name: "a", count: 1, text: "x" }, { name: "bcd", count: 2, text: "y" }];
  const columns = COLUMNS.map((column) => ({
    ...column,
    tint: (_: Row, text: string) => `\x1b[31m${text}\x1b[39m`,
  }));
  const tinted = formatTable(rows, { columns, terminal: terminal(Infinity) });
  // deno-lint-ignore no-control-regex
  const plain = tinted.replace(/\x1b\[\d+m/g, "");
  assert.equal(plain, formatTable(rows, { columns: COLUMNS, terminal: terminal(Infinity) }));
});

Deno.test("cut() never cuts a wide character in two", () => {
  assert.equal(cut("日本語", 10), "日本語");
  assert.equal(widthOf(cut("日本語", 4)) <= 4, true);
});
