import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { waitUntil } from "../../tests/support/wait_until.ts";
import { Folders } from "./folders.ts";
import { readOutputPage } from "./output.ts";

async function withFolders(body: (folders: Folders, root: string) => Promise<void>) {
  const root = await Deno.makeTempDir({ prefix: "skerry-folders-" });
  try {
    await body(new Folders(`${root}/executions`, { readOutput: readOutputPage }), root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const read = (folders: Folders, path: string, offset = 0, bytesMax = 100) =>
  folders.readResult("e-1", { path, offset, bytesMax });

Deno.test("results are the streams, the exit code and a folder for each result path; not the engine's files", () =>
  withFolders(async (folders) => {
    const { path, resultPaths } = await folders.create("e-1", ["outputs", "more"]);
    assert.deepEqual(await folders.create("e-1", ["outputs", "more"]), { path, resultPaths });
    for (const name of ["stdout", "stderr", "exitCode", "log.index", ".engine"]) {
      await Deno.writeTextFile(`${path}/${name}`, name);
    }
    await Deno.mkdir(`${resultPaths[0]}/deep`);
    await Deno.writeTextFile(`${resultPaths[0]}/deep/file`, "12345");
    assert.deepEqual(await folders.listResults("e-1"), [
      { path: "exitCode", kind: "file", sizeBytes: 8 },
      { path: "more", kind: "folder", sizeBytes: 0 },
      { path: "outputs", kind: "folder", sizeBytes: 0 },
      { path: "outputs/deep", kind: "folder", sizeBytes: 0 },
      { path: "outputs/deep/file", kind: "file", sizeBytes: 5 },
      { path: "stderr", kind: "file", sizeBytes: 6 },
      { path: "stdout", kind: "file", sizeBytes: 6 },
    ]);
  }));

Deno.test("a stream that nothing was printed to is an empty result", () =>
  withFolders(async (folders) => {
    const { path } = await folders.create("e-1", []);
    await Deno.writeTextFile(`${path}/exitCode`, "0");
    await Deno.writeTextFile(`${path}/stderr`, "oh");
    assert.deepEqual(await folders.listResults("e-1"), [
      { path: "exitCode", kind: "file", sizeBytes: 1 },
      { path: "stderr", kind: "file", sizeBytes: 2 },
      { path: "stdout", kind: "file", sizeBytes: 0 },
    ]);
    assert.deepEqual(await read(folders, "stdout"), { bytes: new Uint8Array(), sizeBytes: 0 });
  }));

Deno.test("a result is read in pieces by offset, empty at the end", () =>
  withFolders(async (folders) => {
    const { resultPaths } = await folders.create("e-1", ["outputs"]);
    await Deno.writeTextFile(`${resultPaths[0]}/file`, "0123456789");
    const first = await read(folders, "outputs/file", 0, 4);
    assert.deepEqual([text(first.bytes), first.sizeBytes], ["0123", 10]);
    assert.equal(text((await read(folders, "outputs/file", 8, 4)).bytes), "89");
    assert.equal((await read(folders, "outputs/file", 10, 4)).bytes.length, 0);
    assert.equal((await read(folders, "outputs/file", 99, 4)).bytes.length, 0);
  }));

Deno.test("no path leads out of the results: not by .., not by a link, not to the engine's files", () =>
  withFolders(async (folders, root) => {
    const { path, resultPaths } = await folders.create("e-1", ["outputs"]);
    await Deno.writeTextFile(`${root}/secret`, "hush");
    await Deno.writeTextFile(`${path}/.engine`, "mine");
    await Deno.symlink(`${root}/secret`, `${resultPaths[0]}/link`);
    await Deno.symlink(root, `${resultPaths[0]}/folder`);
    const hostile = [
      ...["../../secret", "outputs/../../../secret", "/etc/passwd", "outputs//link", ".", "", "outputs/."],
      ...["outputs/link", "outputs/folder/secret", ".engine", "log.index", "outputs", "outputs/\0"],
    ];
    for (const each of hostile) await assert.rejects(read(folders, each), { code: "not_found" }, each);
    const listed = (await folders.listResults("e-1")).map((entry) => entry.path);
    assert.deepEqual(listed, ["outputs"]);
  }));

Deno.test("a preview is the beginning of each stream, and never half a character", () =>
  withFolders(async (folders) => {
    const { path } = await folders.create("e-1", []);
    await Deno.writeTextFile(`${path}/stdout`, "a" + "é".repeat(LIMITS.outputPreviewBytes));
    const preview = folders.readPreview("e-1", 3);
    assert.equal(preview.stdout, "a" + "é".repeat(LIMITS.outputPreviewBytes / 2 - 1));
    assert.deepEqual(
      [preview.stdoutIsTruncated, preview.stderr, preview.stderrIsTruncated, preview.exitCode],
      [true, "", false, 3],
    );
  }));

Deno.test("an execution that never had a folder has no results, no output, and is removed without complaint", () =>
  withFolders(async (folders) => {
    assert.deepEqual(await folders.listResults("e-9"), []);
    assert.deepEqual((await folders.readOutput("e-9", "")).pieces, []);
    assert.equal(folders.readPreview("e-9", -1).stdout, "");
    await folders.remove("e-9");
  }));

Deno.test("what is removed is out of reach at once, also when the removal is cut short; the next start ends it", () =>
  withFolders(async (folders, root) => {
    const { path } = await folders.create("e-1", ["outputs"]);
    await Deno.writeTextFile(`${path}/stdout`, "out");
    // As a kill between the two steps leaves it.
    await Deno.rename(path, `${root}/executions/.removing-e-1`);
    assert.deepEqual(await folders.listResults("e-1"), []);
    new Folders(`${root}/executions`, { readOutput: readOutputPage });
    await waitUntil("it is gone", () => [...Deno.readDirSync(`${root}/executions`)].length === 0);
    await folders.create("e-2", []);
    await folders.remove("e-2");
    await folders.remove("e-2");
    assert.deepEqual([...Deno.readDirSync(`${root}/executions`)], []);
  }));

Deno.test("the size of what was left is that of all files, links not followed; nothing weighs nothing", () =>
  withFolders(async (folders) => {
    const { path, resultPaths } = await folders.create("e-1", ["outputs"]);
    await Deno.writeTextFile(`${path}/stdout`, "12345");
    await Deno.mkdir(`${resultPaths[0]}/deep`);
    await Deno.writeTextFile(`${resultPaths[0]}/deep/file`, "123");
    await Deno.symlink("/etc", `${resultPaths[0]}/etc`);
    assert.equal(await folders.sizeOf("e-1"), 8);
    assert.equal(await folders.sizeOf("e-2"), 0);
  }));
