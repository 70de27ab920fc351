import { deepEqual, equal } from "node:assert/strict";
import { LogLines } from "./log_lines.ts";

/** What is sent for pieces of one stream, a number standing for so many missing bytes. */
function sentOf(isMixed: boolean, pieces: readonly (string | number)[]): string[] {
  const lines = new LogLines({ isMixed });
  return pieces.map((it) =>
    lines.take(
      typeof it === "number"
        ? { stream: "stdout", text: "", cutBytes: it }
        : { stream: "stdout", text: it, cutBytes: undefined },
    )
  );
}

Deno.test("the output of one execution is sent as it comes, of several by whole lines", () => {
  deepEqual(sentOf(false, ["a\nb", "c\n"]), ["a\nb", "c\n"]);
  deepEqual(sentOf(true, ["a\nb", "c\n", "d"]), ["a\n", "bc\n", ""]);
});

Deno.test("that output is missing is said on a line of its own", () => {
  const notice = "[5 bytes of output are missing here]\n";
  deepEqual(sentOf(false, ["a\nb", 5, "c"]), ["a\nb", `\n${notice}`, "c"]);
  deepEqual(sentOf(false, ["a\n", 5]), ["a\n", notice]);
  deepEqual(sentOf(false, [5, "a", 5]), [notice, "a", `\n${notice}`]);
  deepEqual(sentOf(true, ["a\nb", 5, "c\n"]), ["a\n", `b\n${notice}`, "c\n"]);
});

Deno.test("the other stream does not end a line", () => {
  const lines = new LogLines({ isMixed: false });
  lines.take({ stream: "stderr", text: "x" });
  equal(lines.take({ stream: "stdout", text: "", cutBytes: 1 }), "[1 bytes of output are missing here]\n");
});

Deno.test("the last line of a mixed output is ended", () => {
  const lines = new LogLines({ isMixed: true });
  lines.take({ stream: "stdout", text: "a\nb" });
  deepEqual([lines.end("stdout"), lines.end("stdout"), lines.end("stderr")], ["b\n", "", ""]);
});
