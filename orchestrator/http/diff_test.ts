import { equal } from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { diffTexts } from "./diff.ts";

Deno.test("diffTexts() shows lines that went, came and stayed", () => {
  equal(diffTexts("a\nb\nc", "a\nx\nc\nd"), "  a\n- b\n+ x\n  c\n+ d\n");
  equal(diffTexts("a", "a"), "");
  equal(diffTexts("", "a\nb"), "+ a\n+ b\n");
});

Deno.test("diffTexts() shows texts beyond the limit as replaced", () => {
  const long = "x\n".repeat(LIMITS.diffLinesMax + 1);
  equal(diffTexts("x", long).split("\n")[0], "- x");
});
