import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { mergeResults } from "./result_merge.ts";

type Tree = Readonly<Record<string, string>>;

/** Merges partitions given as path → content; answers the merged folder in the same way. */
async function merge(
  partitions: Readonly<Record<number, Tree>>,
  count = 100,
): Promise<{ tree: Tree; kept: readonly string[] }> {
  const root = await Deno.makeTempDir();
  try {
    for (const [partition, tree] of Object.entries(partitions)) {
      for (const [path, text] of Object.entries(tree)) {
        await Deno.mkdir(dirname(join(root, partition, path)), { recursive: true });
        await Deno.writeTextFile(join(root, partition, path), text);
      }
    }
    const folders = Object.keys(partitions).map((at) => ({ partition: Number(at), folder: join(root, at) }));
    const { kept } = await mergeResults(folders.reverse(), { folder: join(root, "merged"), count });
    return { tree: await read(join(root, "merged")), kept };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function read(folder: string, below = ""): Promise<Tree> {
  const tree: Record<string, string> = {};
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) tree[below + name] = await Deno.readTextFile(join(folder, name));
    else Object.assign(tree, await read(join(folder, name), `${below}${name}/`));
  }
  return tree;
}

const own = (partition: number, exitCode = "0"): Tree => ({
  stdout: `out ${partition}\n`,
  stderr: `err ${partition}\n`,
  exitCode,
});

Deno.test("a job of one partition is left as it is", async () => {
  const { tree } = await merge({ 0: { ...own(0), "outputs/a": "1" } }, 1);
  assert.deepEqual(tree, { ...own(0), "outputs/a": "1" });
});

Deno.test("the only partition of several that has results keeps its folder", async () => {
  const { tree } = await merge({ 3: { ...own(3), "outputs/a": "1" } });
  assert.equal(tree["partition-3/stdout"], "out 3\n");
  assert.deepEqual([tree.stdout, tree["outputs/a"]], ["out 3\n", "1"]);
});

Deno.test("several partitions: streams in order, exit codes apart, result paths together", async () => {
  const { tree, kept } = await merge({
    0: { ...own(0), "outputs/a": "0" },
    2: { ...own(2, "7"), "outputs/deep/c": "2" },
    10: { ...own(10, "9"), "outputs/deep/b": "10" },
  });
  assert.deepEqual(kept, []);
  assert.equal(tree.stdout, "out 0\nout 2\nout 10\n");
  assert.equal(tree.exitCode, "7");
  assert.equal(tree["partition-10/exitCode"], "9");
  assert.deepEqual(
    Object.keys(tree).filter((path) => path.startsWith("outputs")).sort(),
    ["outputs/a", "outputs/deep/b", "outputs/deep/c"],
  );
});

Deno.test("files of the same name are never lost: then each partition keeps its own", async () => {
  const { tree, kept } = await merge({
    0: { ...own(0), "outputs/same": "0", "outputs/only0": "x", "other/a": "1" },
    1: { ...own(1), "outputs/same": "1", "other/b": "2" },
  });
  assert.deepEqual(kept, ["outputs"]);
  assert.equal(tree["partition-0/outputs/same"], "0");
  assert.equal(tree["partition-1/outputs/same"], "1");
  assert.equal(tree["partition-0/outputs/only0"], "x");
  assert.equal(tree["other/a"], "1");
  assert.equal(tree["other/b"], "2");
});

Deno.test("a file where another partition has a folder is a collision too", async () => {
  for (const [first, second] of [["outputs/x", "outputs/x/y"], ["outputs/x/y", "outputs/x"]] as const) {
    const { tree, kept } = await merge({ 0: { [first]: "0" }, 1: { [second]: "1" } });
    assert.deepEqual(kept, ["outputs"]);
    assert.deepEqual(tree, { [`partition-0/${first}`]: "0", [`partition-1/${second}`]: "1" });
  }
});
