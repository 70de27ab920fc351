import assert from "node:assert/strict";
import { join } from "node:path";
import { packTar } from "modern-tar";
import { AppError } from "../shared/errors.ts";
import { unpack } from "./result_unpack.ts";

type Entry = Parameters<typeof packTar>[0][number];

async function archive(folder: string, entries: readonly Entry[]): Promise<string> {
  const path = join(folder, "x.tar.gz");
  const tar = new Blob([await packTar(entries)]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(path, tar);
  return path;
}

const file = (name: string, body: string, mode = 0o600): Entry => ({
  header: { name, size: body.length, type: "file", mode },
  body,
});

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const all = () => true;

Deno.test("unpack() writes files and folders, and tells how many", () =>
  inFolder(async (folder) => {
    const path = await archive(folder, [
      file("./stdout", "hello"),
      { header: { name: "outputs/", size: 0, type: "directory" } },
      file("outputs/deep/run.sh", "#!", 0o755),
    ]);
    const told = await unpack(path, { folder: join(folder, "out"), wanted: all });
    assert.deepEqual(told, { fileCount: 2, sizeBytes: 7, skippedCount: 0 });
    assert.equal(await Deno.readTextFile(join(folder, "out/stdout")), "hello");
    assert.equal((await Deno.stat(join(folder, "out/outputs/deep/run.sh"))).mode! & 0o111, 0o111);
  }));

Deno.test("unpack() takes only what is wanted", () =>
  inFolder(async (folder) => {
    const path = await archive(folder, [
      file("stdout", "a"),
      file("outputs/x", "b"),
      file("outputs2/x", "c"),
    ]);
    const wanted = (entry: string) => entry === "outputs" || entry.startsWith("outputs/");
    assert.equal((await unpack(path, { folder: join(folder, "out"), wanted })).fileCount, 1);
    await assert.rejects(Deno.stat(join(folder, "out/stdout")));
  }));

Deno.test("unpack() refuses paths that lead out, and writes nothing outside", async () => {
  for (const name of ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil"]) {
    await inFolder(async (folder) => {
      const path = await archive(folder, [file(name, "x")]);
      await assert.rejects(
        unpack(path, { folder: join(folder, "out"), wanted: all }),
        (error: unknown) => error instanceof AppError && error.code === "forbidden",
      );
      await assert.rejects(Deno.stat(join(folder, "evil")));
    });
  }
});

Deno.test("unpack() skips links, so that no later entry is written through one", () =>
  inFolder(async (folder) => {
    const target = join(folder, "victim");
    await Deno.mkdir(target);
    const path = await archive(folder, [
      { header: { name: "outputs", size: 0, type: "symlink", linkname: target } },
      file("outputs/x", "1"),
      { header: { name: "hard", size: 0, type: "link", linkname: "/etc/passwd" } },
    ]);
    const told = await unpack(path, { folder: join(folder, "out"), wanted: all });
    assert.equal(told.skippedCount, 2);
    assert.equal(await Deno.readTextFile(join(folder, "out/outputs/x")), "1");
    assert.deepEqual([...Deno.readDirSync(target)], []);
  }));

Deno.test("unpack() tells a broken archive from a whole one", () =>
  inFolder(async (folder) => {
    const path = await archive(folder, [file("stdout", "x".repeat(5000))]);
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, bytes.length / 2));
    await assert.rejects(
      unpack(path, { folder: join(folder, "out"), wanted: all }),
      (error: unknown) => error instanceof AppError && error.code === "io",
    );
  }));
