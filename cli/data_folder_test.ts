import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { seededIds } from "../shared/random.ts";
import { openDataFolder } from "./data_folder.ts";

const hasCode = (code: string) => (error: unknown) =>
  error instanceof AppError && error.code === code && !!error.hint;

Deno.test("a data folder is made, has one owner at a time, and keeps its node's id", () => {
  const parent = Deno.makeTempDirSync();
  const path = `${parent}/deep/data`;
  const first = openDataFolder(path, seededIds(1));
  assert.throws(() => openDataFolder(path, seededIds(2)), hasCode("in_use"));
  first.close();
  const second = openDataFolder(path, seededIds(2));
  assert.equal(second.nodeId, first.nodeId);
  second.close();
  Deno.removeSync(parent, { recursive: true });
});

Deno.test("a folder that cannot be made, and an identity that cannot be read, say what to do", () => {
  const parent = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${parent}/file`, "");
  assert.throws(() => openDataFolder(`${parent}/file/data`, seededIds(1)), hasCode("store"));
  Deno.writeTextFileSync(`${parent}/node.json`, "{}");
  assert.throws(() => openDataFolder(parent, seededIds(1)), hasCode("store"));
  Deno.removeSync(`${parent}/node.json`);
  openDataFolder(parent, seededIds(1)).close();
  Deno.removeSync(parent, { recursive: true });
});
