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

Deno.test("lastLines() says which part of the output it is", () => {
  const titlesOf = (part: "beginning" | "end" | "so far", stdout = "a\n") =>
    lastLines({ partition: 2, stdout, stderr: "", part }, options(3));
  assert.deepEqual(titlesOf("end"), ["End of stdout of partition 2:", "  a"]);
  assert.deepEqual(titlesOf("so far"), ["stdout of partition 2 so far:", "  a"]);
  const long = "x\n".repeat(20);
  assert.match(titlesOf("so far", long)[0]!, /^Last 12 lines of stdout/);
  const [title, text] = titlesOf("beginning", long);
  assert.match(title!, /^Beginning of stdout of partition 2 \(its end could not be had in time\)/);
  assert.equal(text, `${"  x\n".repeat(12).trimEnd()}…`);
});
