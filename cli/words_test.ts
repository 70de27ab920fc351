import assert from "node:assert/strict";
import { age, amountOfBytes, harmless, moment, oneLine, plural, ranges, short, span } from "./words.ts";

Deno.test("span() shows the largest unit and what still matters below it", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [999, "0s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [200_000, "3m20s"],
    [600_000, "10m"],
    [3_599_000, "59m"],
    [7_500_000, "2h5m"],
    [86_400_000 * 5 + 3_600_000, "5d"],
  ];
  for (const [ms, text] of cases) assert.equal(span(ms), text);
});

Deno.test("age() of a moment in the future is now, of no moment unknown", () => {
  assert.equal(age(5000, 4000), "0s ago");
  assert.equal(age(1000, 13_000), "12s ago");
  assert.equal(age(0, 13_000), "unknown");
  assert.equal(moment(0), "unknown");
  assert.equal(moment(1_700_000_000_123), "2023-11-14T22:13:20Z");
});

Deno.test("harmless() leaves nothing that a terminal would obey", () => {
  assert.equal(harmless("a\x1b[31mb\x07\r\nc\td"), "a\\u001b[31mb\\u0007\nc\td");
  assert.equal(harmless("\u202egpj.exe\u200b\u009b"), "\\u202egpj.exe\\u200b\\u009b");
  assert.equal(oneLine(" a\n  b\t c "), "a b c");
});

Deno.test("amounts, plurals and ids are short", () => {
  assert.equal(amountOfBytes(999), "999 B");
  assert.equal(amountOfBytes(1500), "1.5 kB");
  assert.equal(amountOfBytes(999_600), "1 MB");
  assert.equal(amountOfBytes(20_400_000_000), "20 GB");
  assert.equal(plural(1, "partition"), "1 partition");
  assert.equal(plural(1200, "partition"), "1,200 partitions");
  assert.equal(short("j-0123abcd-0000-4000-8000-000000000000"), "j-0123abcd");
  assert.equal(short("my-job"), "my-job");
});

Deno.test("ranges() joins neighbours, and counts what it does not show", () => {
  assert.equal(ranges([]), "");
  assert.equal(ranges([0]), "0");
  assert.equal(ranges([0, 1, 2, 5, 7, 8]), "0-2, 5, 7-8");
  assert.equal(ranges([1, 3, 5, 6, 7, 9], { shownMax: 2 }), "1, 3 and 4 more");
});
