import assert from "node:assert/strict";
import { resultNameProblem } from "./result_name.ts";

Deno.test("resultNameProblem() refuses what is no folder beside the engine's files", () => {
  const bad = ["", ".", "..", "a/b", "a\\b", "a\0b", "a\nb", "stdout", "EXITCODE", ".engine", "log.index"];
  for (const name of [...bad, "x".repeat(256), "é".repeat(128)]) {
    assert.equal(typeof resultNameProblem(name), "string", name);
  }
  for (const name of ["outputs", ".hidden", "a b", "é".repeat(127), "stdout.txt", "x".repeat(255)]) {
    assert.equal(resultNameProblem(name), undefined, name);
  }
});
