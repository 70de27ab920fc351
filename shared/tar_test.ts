import assert from "node:assert/strict";
import { packTar } from "modern-tar";
import { innerPath, tarEntries } from "./tar.ts";

Deno.test("innerPath() is relative, without dots and doubled slashes", () => {
  assert.equal(innerPath("./a//b/./c/"), "a/b/c");
  assert.equal(innerPath("."), "");
});

Deno.test("innerPath() tells what leads out", () => {
  for (const name of ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "a\0b", "a/".repeat(3000)]) {
    assert.equal(innerPath(name), undefined, name);
  }
});

Deno.test("an entry that is not written is left out, and the next one follows", async () => {
  const folder = await Deno.makeTempDir();
  const bytes = await packTar([
    { header: { name: "left/", type: "directory", size: 0 } },
    { header: { name: "left/out", size: 3, mode: 0o600 }, body: "one" },
    { header: { name: "../evil", size: 4 }, body: "evil" },
    { header: { name: "kept", size: 3, mode: 0o755 }, body: "two" },
  ]);
  const found: unknown[] = [];
  for await (
    const { path, type, sizeBytes, mode, writeTo } of tarEntries(new Blob([bytes as BlobPart]).stream())
  ) {
    found.push([path, type, sizeBytes]);
    if (path === "kept") await writeTo(`${folder}/deep/kept`, { mode });
  }
  assert.deepEqual(found, [["left", "directory", 0], ["left/out", "file", 3], [undefined, "file", 4], [
    "kept",
    "file",
    3,
  ]]);
  assert.equal(await Deno.readTextFile(`${folder}/deep/kept`), "two");
  await Deno.remove(folder, { recursive: true });
});
