/** Explaining, planning and making room, as an operator does it on a real node. */
import assert from "node:assert/strict";
import { EXIT } from "../../shared/errors.ts";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { tinyJob } from "../support/tiny_module.ts";
import { waitUntil } from "../support/wait_until.ts";

const on = (node: NodeProcess) => (...args: string[]) =>
  skerry(args, { env: { SKERRY_API: node.url, SKERRY_CONFIG: "/nowhere/config.yaml" } });

async function write(path: string, job: unknown): Promise<string> {
  await Deno.writeTextFile(path, JSON.stringify(job));
  return path;
}

Deno.test("a job is planned, explained where it ran and why it cannot, and its traces are removed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-explain-" });
  try {
    await using node = await startNodeProcess({
      flags: ["--docker-socket", "none", "--cpu", "2", "--name", "pier"],
    });
    const ask = on(node);
    const file = await write(`${folder}/job.json`, { ...tinyJob({ count: 2 }), Name: "tiny" });

    const before = await ask("job", "plan", file, "--detailed-exitcode");
    assert.equal(before.code, EXIT.changes, before.stderr);
    assert.match(
      before.stdout,
      /Plan: a new job of 2 executions, 2 would start at once\. Nothing was submitted\n$/,
    );
    assert.equal((await ask("job", "list", "-o", "json")).stdout.trim(), "[]");
    assert.equal((await ask("job", "run", file)).code, EXIT.ok);
    assert.equal((await ask("job", "plan", file, "--detailed-exitcode")).code, EXIT.ok);
    const done = await ask("job", "explain", "tiny");
    assert.match(done.stdout, /^State: +completed, \d+s ago$/m);
    assert.match(
      done.stdout,
      /0 +completed +\d+s ago +n-[0-9a-f]{8} \(pier\) +the only node that fitted, of 1 known: /,
    );

    const huge = await write(`${folder}/huge.json`, { ...tinyJob({ cpu: "9" }), Name: "huge" });
    const planned = await ask("job", "plan", huge);
    assert.equal(planned.code, EXIT.ok);
    assert.match(
      planned.stdout,
      /Would fail at once\n[^]*job requires more CPU \(9\) than the maximum available \(2\)/,
    );
    assert.equal((await ask("job", "run", huge)).code, EXIT.jobFailed);
    const why = await ask("job", "explain", "huge");
    assert.match(
      why.stdout,
      /pier +\d+s ago +cannot +job requires more CPU \(9\) than the maximum available \(2\)/,
    );
    assert.match(why.stdout, /What would change it\n +size: /);

    const results = () => ask("system", "prune", "--dry-run", "-o", "json");
    const { Items } = JSON.parse((await results()).stdout);
    assert.deepEqual(Items.map(({ Kind }: { Kind: string }) => Kind), [
      "jobs",
      "results",
      "logs",
      "contents",
      "images",
    ]);
    // The newest job stays, so that its number is not given to another.
    const pruned = await waitUntil("jobs and results are at rest", async () => {
      const { stdout, stderr, code } = await ask("system", "prune", "--jobs", "--results", "--yes");
      assert.equal(code, EXIT.ok, stderr);
      return /Removed/.test(stdout) ? stdout : undefined;
    });
    assert.match(pruned, /Removed 1 job, 2 executions' results: [\d.]+ k?B\n$/);
    assert.equal((await ask("job", "explain", "tiny")).code, EXIT.notFound);
    assert.deepEqual([...Deno.readDirSync(`${node.dataDir}/agent/executions`)], []);
    assert.doesNotMatch(node.log(), /error/i);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
