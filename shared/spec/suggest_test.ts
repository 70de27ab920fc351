import { equal } from "node:assert/strict";
import { nearest } from "./suggest.ts";

Deno.test("nearest() finds a mistyped word, and nothing where no word is near", () => {
  const words = ["Name", "Namespace", "Tasks", "Count"];
  equal(nearest("naem", words), "Name");
  equal(nearest("Task", words), "Tasks");
  equal(nearest("namspace", words), "Namespace");
  equal(nearest("zzzz", words), undefined);
  equal(nearest("x".repeat(100_000), words), undefined);
});
