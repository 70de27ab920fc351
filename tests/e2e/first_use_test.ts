/** What people do with a node that they have just met, and what they read then. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { skerry, skerryCommand, startNodeProcess } from "../support/node_process.ts";
import { waitUntil } from "../support/wait_until.ts";
import { command, printing, wasmOf } from "../support/wasm_modules.ts";

Deno.test("the command line, by hand", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-first-use-" });
  // One core: a job of several partitions takes them one by one.
  await using node = await startNodeProcess({
    flags: ["--cpu", "1", "--allow-path", folder, "--allow-path", "/nowhere"],
  });
  const run = (...args: string[]) => skerry(args, { env: { SKERRY_API: node.url }, cwd: folder });
  const moduleOf = async (name: string, wat: string) => {
    await Deno.writeFile(join(folder, name), await wasmOf(wat));
    return join(folder, name);
  };
  const hello = await moduleOf("hello.wasm", printing("hello\n"));
  const slow = await moduleOf("slow.wasm", command("(call $sleep (i64.const 4000))"));

  await t.step("a name that looks like a job's ID hides no job", async () => {
    const { stdout: id } = await run("wasm", "run", hello, "--id-only");
    const { code, stderr } = await run("wasm", "run", hello, "--name", id.slice(0, 10), "--no-wait");
    assert.equal(code, 2);
    assert.match(stderr, /Name must not look like an ID/);
    assert.match((await run("job", "describe", id.slice(0, 10))).stdout, new RegExp(id.trim()));
  });

  await t.step("a plain path with a target, and a file URI with a space, are inputs", async () => {
    await Deno.mkdir(join(folder, "in put"));
    for (const input of [`${folder}/in put:/target`, `file://${folder}/in%20put:/target`]) {
      assert.equal((await run("wasm", "run", hello, "-i", input)).code, 0, input);
    }
  });

  await t.step(
    "results of a job that was stopped half-way say which partitions have none, and why",
    async () => {
      await run("wasm", "run", slow, "--count", "3", "--cpu", "1", "--name", "half", "--no-wait");
      await waitUntil(
        "a partition has completed",
        async () => (await run("job", "describe", "half")).stdout.includes("1 completed"),
      );
      await run("job", "stop", "half");
      await run("job", "wait", "half");
      const { code, stderr } = await run("job", "get", "half", "--output-dir", "half");
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^partition 0 of 3, 3 files/);
      assert.match(stderr, /No results of partitions 1-2: stopped \(/);
      assert.equal(await Deno.readTextFile(join(folder, "half", "partition-0", "exitCode")), "0");
      assert.equal((await run("job", "get", "half/partition-0", "--output-dir", "zero")).code, 0);
      const names = (path: string) =>
        [...Deno.readDirSync(join(folder, path))].map(({ name }) => name).sort();
      assert.deepEqual(names("zero"), ["partition-0"]);
      assert.deepEqual(names("zero/partition-0"), ["exitCode", "stderr", "stdout"]);
    },
  );

  await t.step("results of an earlier version can be fetched", async () => {
    const other = await moduleOf("other.wasm", printing("other\n"));
    for (const module of [hello, other]) await run("wasm", "run", module, "--name", "twice");
    for (const [folderName, flags] of [["now", []], ["before", ["-v", "1"]]] as const) {
      const { code, stderr } = await run("job", "get", "twice", "--output-dir", folderName, ...flags);
      assert.equal(code, 0, stderr);
    }
    assert.equal(await Deno.readTextFile(join(folder, "now", "stdout")), "other\n");
    assert.equal(await Deno.readTextFile(join(folder, "before", "stdout")), "hello\n");
  });

  await t.step("a path that the node does not allow is the reason, said once", async () => {
    const { code, stderr } = await run(
      "wasm",
      "run",
      hello,
      "-i",
      "/nope:/in",
      "--count",
      "3",
      "--cpu",
      "100m",
    );
    assert.equal(code, 6);
    assert.match(stderr, /Failed after .*\n {2}• Node n-\w{8}: does not allow the path "\/nope"\n/);
    assert.match(stderr, /Hint: Let its owner start it with --allow-path \/nope\n/);
    assert.equal(stderr.match(/does not allow/g)?.length, 1, stderr);
    assert.doesNotMatch(stderr, /queue/);
  });

  await t.step("a module that is too large to be sent names the limit", async () => {
    const large = join(folder, "large.wasm");
    await Deno.copyFile(hello, large);
    await Deno.truncate(large, 7_667_713);
    const { code, stderr } = await run("wasm", "run", large);
    assert.equal(code, 2);
    assert.match(stderr, /must have at most 7667712 bytes to be sent with its job, and has 7667713/);
    // As large as it may be: the server takes it, and the module itself is what is wrong with it.
    await Deno.truncate(large, 7_667_712);
    assert.match((await run("wasm", "run", large)).stderr, /^Submitted/);
  });

  await t.step("a node warns of an allowed path that is not there", () => {
    assert.match(node.log(), /^Warning: --allow-path \/nowhere: there is no such folder/m);
    assert.doesNotMatch(node.log(), /first-use/);
  });

  await t.step("what does not exist is said in words, with the exit code for it", async () => {
    await run("wasm", "run", hello, "--count", "2", "--cpu", "100m", "--name", "two");
    const logs = await run("job", "logs", "two", "--execution-id", "e-nope");
    assert.deepEqual([logs.code, /Hint: .*job executions/.test(logs.stderr)], [3, true], logs.stderr);
    const below = await run("job", "get", "two", "--output-dir", join(hello, "x"));
    assert.match(below.stderr, /a part of its path is a file, not a folder\nHint: .*--output-dir/);
    assert.match((await run("job", "list", "--namespace", "none")).stderr, /No jobs in the namespace "none"/);
  });

  await t.step("output that cannot be written is said in words", async () => {
    const [command, args] = skerryCommand(undefined, ["version", "--client"]);
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" > /dev/full', "sh", command, ...args],
      stderr: "piped",
    });
    const { code, stderr } = await child.output();
    assert.deepEqual(
      [code, new TextDecoder().decode(stderr).split("\n")[0]],
      [1, "Error: Cannot write the output: the disk is full"],
    );
  });

  await Deno.remove(folder, { recursive: true });
});
