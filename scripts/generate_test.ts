import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ERRORS } from "../shared/errors.ts";
import { errorsText, limitsText, openapiText } from "./generate.ts";

interface Operation {
  readonly summary: string;
  readonly responses: Readonly<Record<string, unknown>>;
}

Deno.test("the API's document names every route with a summary, and every reference in it is there", async () => {
  const text = await openapiText();
  const document = JSON.parse(text);
  const paths = Object.entries<Record<string, Operation>>(document.paths);
  ok(paths.length >= 20, `${paths.length} paths`);
  for (const [path, operations] of paths) {
    for (const [method, { summary, responses }] of Object.entries(operations)) {
      ok(summary.length > 5, `${method} ${path}`);
      deepEqual(Object.keys(responses).sort(), ["200", "default"]);
    }
  }
  for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/([^"]*)"/g)) {
    ok(document.components.schemas[name], `schema ${name}`);
  }
  equal(await openapiText(), text);
});

Deno.test("the page of errors has a row for every code", () => {
  const text = errorsText();
  for (const code of Object.keys(ERRORS)) match(text, new RegExp(`\\| \`${code}\` \\| .+ \\|`));
});

Deno.test("the page of limits has a value and a reason for every limit", async () => {
  const source = await Deno.readTextFile(new URL("../shared/limits.ts", import.meta.url));
  const rows = limitsText(source).split("\n").filter((line) => line.startsWith("| `"));
  for (const row of rows) match(row, /^\| `\w+` \| [\d,.]+\w* \| [A-Z`].{20,} \|$/);
});
