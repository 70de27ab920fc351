import assert from "node:assert/strict";
import { lastLines } from "./last_output.ts";
import { colours } from "./paint.ts";

const options = (count: number) => ({ count, paint: colours(false) });

Deno.test("lastLines() shows the end of each stream that has something", () => {
  const long = Array.from({ length: 20 }, (_, at) => `line ${at}\n`).join("");
  const lines = lastLines({ partition: 3, stdout: long, stderr: "" }, options(5));
  assert.equal(lines[0], "Last 12 lines of stdout of partition 3:");
  assert.equal(lines[1]!.split("\n").length, 12);
  assert.ok(lines[1]!.endsWith("line 19"));
  assert.deepEqual(lastLines({ partition: 0, stdout: "a\n", stderr: "b" }, options(1)), [
    "stdout:",
    "  a",
    "stderr:",
    "  b",
  ]);
});
