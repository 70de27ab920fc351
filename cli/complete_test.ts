import assert from "node:assert/strict";
import { offersOf, placeOf } from "./complete.ts";
import { NOUNS } from "./nouns.ts";

const nouns = await Promise.all(NOUNS.map((noun) => noun.load()));
const values = (...words: string[]) => placeOf(words, nouns).offers.map(({ value }) => value);
const completes = (...words: string[]) => placeOf(words, nouns).completes;

Deno.test("words are completed by their place", () => {
  assert.ok(values("").includes("wasm"));
  assert.ok(values("job", "").includes("describe"));
  assert.ok(values("--api", "http://x", "node", "").includes("list"));
  assert.deepEqual(values("completion", ""), ["bash", "zsh", "fish"]);
  assert.ok(values("help", "").includes("exit-codes"));
});

Deno.test("flags and their values are completed", () => {
  assert.ok(values("job", "list", "--").includes("--state"));
  assert.ok(values("job", "run", "--").includes("--no-wait"));
  assert.ok(values("job", "list", "--output", "").includes("yaml"));
  assert.ok(values("job", "list", "-o", "").includes("yaml"));
  assert.ok(values("job", "list", "--output=").includes("--output=yaml"));
});

Deno.test("operands say what completes them, also behind flags with values", () => {
  assert.equal(completes("job", "describe", ""), "job");
  assert.equal(completes("job", "stop", "j-1", "j-"), "job");
  assert.equal(completes("job", "logs", "--tail", "5", ""), "job");
  assert.equal(completes("job", "run", ""), "file");
  assert.equal(completes("namespace", "describe", ""), "namespace");
  assert.equal(completes("job", "list", "--namespace", ""), "namespace");
  assert.equal(completes("job", "get", "--output-dir", ""), "folder");
  assert.equal(completes("job", "describe", "j-1", ""), undefined);
  assert.equal(completes("wasm", "run", "x.wasm", "--", ""), undefined);
});

Deno.test("jobs are offered by name and by ID, names that are several words by ID only", () => {
  const id = "j-0123abcd-0000-4000-8000-000000000000";
  const valuesOf = (name: string) => offersOf([{ id, name, state: "running" }]).map(({ value }) => value);
  assert.deepEqual(valuesOf("etl-2"), ["etl-2", "j-0123abcd"]);
  assert.deepEqual(valuesOf(id), ["j-0123abcd"]);
  for (const name of ["my job", "a;rm", "$x", "a\tb"]) assert.deepEqual(valuesOf(name), ["j-0123abcd"]);
});
