/** Jobs of all four lives on a real node, through the command line: they come up, change, roll back, and survive kill -9. */
import assert from "node:assert/strict";
import { skerry, startNodeProcess } from "../support/node_process.ts";
import { command, printing, wasmOf } from "../support/wasm_modules.ts";

const FOREVER = command("(call $sleep (i64.const 100000000))");

Deno.test("ops, service and daemon, from submission to stop", async (t) => {
  const dataDir = await Deno.makeTempDir({ prefix: "skerry-lives-" });
  const modules = await Deno.makeTempDir({ prefix: "skerry-modules-" });
  await Deno.writeFile(`${modules}/forever.wasm`, await wasmOf(FOREVER));
  await Deno.writeFile(`${modules}/crash.wasm`, await wasmOf(printing("no config\n", 3)));
  const flags = ["--cpu", "8", "--allow-path", modules, "--log-level", "warn"];
  let node = await startNodeProcess({ dataDir, flags });
  const run = (...args: string[]) => skerry(args, { env: { SKERRY_API: node.url } });
  const jobFile = async (name: string, job: Record<string, unknown>, module: string) => {
    const task = {
      Name: "main",
      Engine: { Type: "wasm", Params: { EntryModule: `/app/${module}` } },
      InputSources: [{
        Source: { Type: "local", Params: { SourcePath: `${modules}/${module}` } },
        Target: `/app/${module}`,
      }],
      Resources: { CPU: "100m", Memory: "32Mb" },
    };
    const health = { Health: { MinHealthyTime: "200ms" } };
    await Deno.writeTextFile(
      `${modules}/${name}.json`,
      JSON.stringify({ Name: name, ...health, ...job, Tasks: [task] }),
    );
    return `${modules}/${name}.json`;
  };
  const runningOf = async (name: string): Promise<string[]> => {
    const { stdout } = await run("job", "executions", name, "-o", "json");
    const items = JSON.parse(stdout) as { ID: string; ComputeState: { Details: { Phase: string } } }[];
    return items.filter(({ ComputeState }) => ComputeState.Details.Phase === "running").map(({ ID }) => ID)
      .sort();
  };
  let first: string[] = [];

  await t.step("a service comes up, and that is the end of waiting for it", async () => {
    const { code, stderr } = await run(
      "job",
      "run",
      await jobFile("web", { Type: "service", Count: 2 }, "forever.wasm"),
    );
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Version 1 is up: 2 of 2/);
    first = await runningOf("web");
    assert.equal(first.length, 2);
  });
  await t.step("a version that crashes is rolled back, and what it has not reached runs on", async () => {
    const restart = { Attempts: 0 };
    const bad = await jobFile("web", { Type: "service", Count: 2, Restart: restart }, "crash.wasm");
    const { code, stderr } = await run("job", "run", bad);
    assert.equal(code, 6, stderr);
    assert.match(stderr, /Version 3 is up: 2 of 2.*\nIt came back in place of version 2: .*exit code 3/);
    assert.match(stderr, /\n {2}Last of it: e-\w+: Failed.* exit code 3/);
    assert.match(stderr, /Next: .*skerry job logs j-\w+ -v 2/);
    const now = await runningOf("web");
    assert.equal(now.filter((id) => first.includes(id)).length, 1, "one place was never touched");
    assert.match((await run("job", "history", "web")).stdout, /Rolled back to version 1, because version 2/);
  });
  await t.step("what became of the bad version is shown", async () => {
    const described = (await run("job", "describe", "web", "--job-version", "2")).stdout;
    assert.match(described, /\(version 2\)\nName: +web\nState: +stopped/);
    assert.match(described, /failed: .*exit code 3/);
    assert.doesNotMatch(described, /is up/);
    assert.match((await run("job", "executions", "web", "-v", "2")).stdout, /failed/);
    const all = await run("job", "executions", "web", "--all-job-versions");
    assert.match(all.stdout, /VERSION[^]*\s1\s[^]*\s2\s.*failed[^]*\s3\s/);
    assert.match((await run("job", "history", "web", "-v", "2")).stdout, /exit code 3/);
    assert.match(
      (await run("job", "history", "web", "--all-job-versions")).stdout,
      /Version 1 is up[^]*Rolled/,
    );
    const logs = await run("job", "logs", "web", "-v", "2", "--follow");
    assert.match(logs.stdout, /no config/);
    for (const verb of ["logs", "executions", "history", "describe"]) {
      const { code, stderr } = await run("job", verb, "web", "-v", "9");
      assert.deepEqual([code, /has no version 9\nHint: .*job versions/.test(stderr)], [3, true], verb);
    }
    assert.match(
      (await run("job", "executions", "web", "--partition", "7")).stderr,
      /Cannot find partition 7/,
    );
  });
  await t.step("a change of the count keeps what runs", async () => {
    const before = await runningOf("web");
    const { code } = await run(
      "job",
      "run",
      await jobFile("web", { Type: "service", Count: 3 }, "forever.wasm"),
    );
    assert.equal(code, 0);
    const after = await runningOf("web");
    assert.deepEqual([after.length, before.every((id) => after.includes(id))], [3, true]);
  });
  await t.step("a daemon has one on the node, ops runs there once", async () => {
    const daemon = await run("job", "run", await jobFile("sidecar", { Type: "daemon" }, "forever.wasm"));
    assert.match(daemon.stderr, /on every node that matches\nVersion 1 is up: 1 of 1/);
    const ops = await run("job", "run", await jobFile("once", { Type: "ops" }, "crash.wasm"));
    assert.match(ops.stderr, /once on every node that matches\nCompleted/);
  });
  await t.step("kill -9 and another start: the same executions run on", async () => {
    const before = [...await runningOf("web"), ...await runningOf("sidecar")];
    await node.end("SIGKILL");
    node = await startNodeProcess({ dataDir, flags });
    assert.deepEqual([...await runningOf("web"), ...await runningOf("sidecar")], before);
    const { code } = await run("job", "wait", "--timeout", "20s", "web");
    assert.equal(code, 0);
  });
  await t.step("stop ends them", async () => {
    for (const name of ["web", "sidecar"]) {
      assert.equal((await run("job", "stop", name)).code, 0);
      const { code, stderr } = await run("job", "wait", "--timeout", "30s", name);
      assert.equal(code, 6, stderr);
    }
  });
  await node.end("SIGTERM");
  for (const folder of [dataDir, modules]) await Deno.remove(folder, { recursive: true });
});
