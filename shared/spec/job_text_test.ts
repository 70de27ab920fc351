import { deepEqual, ok, throws } from "node:assert/strict";
import { readJobText } from "./job_text.ts";

Deno.test("readJobText() reads YAML and JSON, and knows where each field stands", () => {
  const { value, locate } = readJobText("name: x\ntasks:\n  - engine:\n      type: wasm\n");
  deepEqual(value, { name: "x", tasks: [{ engine: { type: "wasm" } }] });
  deepEqual(locate(["Name"]), { line: 1, column: 1 });
  deepEqual(locate(["Tasks", 0, "Engine", "Type"]), { line: 4, column: 7 });
  deepEqual(locate(["Tasks", 0, "Publisher"]), { line: 3, column: 5 });
  deepEqual(readJobText('{"Name": "x"}').value, { Name: "x" });
});

Deno.test("readJobText() reads as many keys as a file can hold, in a time that grows with their number", () => {
  const keys = Array.from({ length: 100_000 }, (_, at) => `"k${at}": 1`);
  const startedAtMs = performance.now();
  readJobText(`{${keys.join(",")}}`);
  ok(performance.now() - startedAtMs < 10_000);
  throws(
    () => readJobText(`{${keys.join(",")},\n"k7": 1}`),
    /line 2, column 1: the key "k7" must be given once/,
  );
});

const BAD: readonly (readonly [text: string, why: RegExp])[] = [
  ["", /it is empty/],
  ["# nothing\n", /nothing but comments/],
  ["a: 1\na: 2\n", /line 2, column 1: the key "a" must be given once/],
  ["\x7fELF\0\0", /it is no text/],
  ["a: 1\n---\nb: 2\n", /line 2, column 1: there must be one document/],
  ["a: b: c\n", /line 1, column 4/],
  ["[".repeat(30_000), /nested too deep/],
  ["a: !!js/function 'x'\n", /line 1, column 4: Unresolved tag/],
  ["a: *nowhere\n", /anchor/],
  [
    "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]\n",
    /aliases/,
  ],
  ["x".repeat(11 * 1024 * 1024), /at most/],
];

for (const [text, why] of BAD) {
  Deno.test(`readJobText() refuses ${JSON.stringify(text.slice(0, 24))}: ${why.source}`, () => {
    throws(
      () => readJobText(text),
      (error: Error & { code?: string }) => error.code === "invalid" && why.test(error.message),
    );
  });
}
