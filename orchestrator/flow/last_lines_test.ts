import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import type { LogPiece } from "./desk.ts";
import { LastLines } from "./last_lines.ts";

const out = (text: string): LogPiece => ({ stream: "stdout", text, atMs: 0 });

function lastOf(texts: readonly string[], linesMax: number): string {
  const lines = new LastLines(linesMax);
  for (const text of texts) lines.push(out(text));
  return lines.take().map(({ text, cutBytes }) => text + (cutBytes ? `[${cutBytes} missing]` : "")).join("");
}

Deno.test("the last lines are the same however the output was cut into pieces", () => {
  const text = "one\ntwo\n\nthree\nfour";
  const lines = text.split(/(?<=\n)/);
  const cuts = [[text], [...text], lines, ["one\ntw", "o\n\nthr", "", "ee\nfour"]];
  for (const pieces of cuts) {
    for (let count = 0; count <= 7; count++) {
      const expected = count === 0 ? "" : lines.slice(-count).join("");
      assert.equal(lastOf(pieces, count), expected, `${count} of ${JSON.stringify(pieces)}`);
    }
    assert.equal(lastOf([...pieces, "\n"], 2), "three\nfour\n");
  }
  assert.equal(lastOf([], 3), "");
});

Deno.test("a line too long to keep loses its beginning, and says how much", () => {
  const piece = "x".repeat(64 * 1024);
  const text = lastOf([...new Array<string>(200).fill(piece), "end\n"], 10);
  const [, missing] = /^\[(\d+) missing\]x+end\n$/.exec(text)!;
  assert.ok(text.length < LIMITS.tailBytes);
  assert.equal(Number(missing) + text.length - `[${missing} missing]`.length, 200 * piece.length + 4);
  assert.equal(lastOf([...new Array<string>(200).fill(piece), "\n", "short\n"], 1), "short\n");
});

Deno.test("a long output costs its length, not its square", () => {
  const line = "0123456789abcdef\n";
  const startMs = performance.now();
  const lines = new LastLines(10_000);
  for (let piece = 0; piece < 300_000; piece++) lines.push(out(line));
  assert.equal(lines.take().length, 10_000);
  assert.ok(performance.now() - startMs < 5_000);
});
