import assert from "node:assert/strict";
import { livesTable } from "./lives.ts";

/** Cells of the row that begins so. */
const row = (name: string) =>
  livesTable().split("\n").find((line) => line.startsWith(`| ${name} |`))!.split("|").slice(2, 6)
    .map((text) => text.trim());

Deno.test("the table says of each type what reconcile answers", () => {
  assert.deepEqual(row("nothing has run yet"), [
    "place one, place one",
    "place one on here, place one on there",
    "place one, place one",
    "place one on here, place one on there",
  ]);
  assert.deepEqual(row("its program failed, none is left"), [
    "stop one, job **failed**",
    "·",
    "again after a pause",
    "again after a pause",
  ]);
  assert.deepEqual(row("another node matches"), ["·", "place one on new", "·", "place one on new"]);
  assert.deepEqual(row("a new version, all of the earlier one run").slice(2), ["stop one", "stop one"]);
  assert.deepEqual(row("the job was stopped"), ["stop both", "stop both", "stop both", "stop both"]);
});
