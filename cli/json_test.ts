import assert from "node:assert/strict";
import { formatJson, parseJson } from "./json.ts";

Deno.test("numbers that JavaScript cannot hold survive reading and writing", () => {
  const text =
    '{"CreateTime":1763832885123456789,"Count":3,"Ratio":0.1,"Big":1e+30,"Text":"1763832885123456789"}';
  const value = parseJson(text) as Record<string, unknown>;
  assert.equal(value.CreateTime, 1763832885123456789n);
  assert.equal(value.Count, 3);
  assert.equal(formatJson(value), text);
});

Deno.test("parseJson() throws SyntaxError for what is no JSON", () => {
  assert.throws(() => parseJson("<html>"), SyntaxError);
});
