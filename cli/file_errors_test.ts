import assert from "node:assert/strict";
import { reasonOf } from "./file_errors.ts";

const reasonFor = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return reasonOf(error);
  }
  return "nothing failed";
};

Deno.test("reasonOf() tells people what the system means", async () => {
  const file = await Deno.makeTempFile();
  assert.equal(reasonFor(() => Deno.readFileSync("/nowhere/x")), "there is no such file or folder");
  assert.equal(reasonFor(() => Deno.readFileSync("/")), "it is a folder");
  assert.equal(
    reasonFor(() => Deno.mkdirSync(`${file}/x`)),
    "a part of its path is a file, not a folder",
  );
  assert.equal(
    reasonFor(() => Deno.writeFileSync(`/tmp/${"x".repeat(300)}`, new Uint8Array())),
    "its name is too long",
  );
  assert.equal(reasonOf(new Error("No space left on device (os error 28)")), "the disk is full");
  assert.equal(
    reasonOf(new Deno.errors.AlreadyExists("File exists (os error 17)")),
    "there is a file in its place",
  );
  assert.equal(reasonOf(new Error("Odd thing (os error 99): mkdir '/x'")), "Odd thing");
  assert.equal(reasonOf("odd"), "odd");
  await Deno.remove(file);
});
