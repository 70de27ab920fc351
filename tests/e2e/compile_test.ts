/** The one file that `deno task compile` makes, on a machine that has nothing else of ours: no Deno, no cache, no source. */
import assert from "node:assert/strict";
import { compileBase } from "../../scripts/setup.ts";
import { VERSION } from "../../shared/version.ts";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { waitUntil } from "../support/wait_until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PARTITIONS = 12;

/** The executable in a folder of its own, with an environment in which only the system's programs are found. */
interface Compiled extends AsyncDisposable {
  readonly folder: string;
  readonly executable: string;
  readonly env: Record<string, string>;
}

async function compile(): Promise<Compiled> {
  await compileBase();
  const folder = await Deno.makeTempDir({ prefix: "skerry-compiled-" });
  const executable = `${folder}/bin/skerry`;
  await Deno.mkdir(`${folder}/bin`);
  await Deno.mkdir(`${folder}/home`);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", "--output", executable],
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.ok(success, text + new TextDecoder().decode(stderr));
  assert.ok(text.includes(executable), text);
  await copyFolder(`${ROOT}examples/sea_breeze`, `${folder}/sea_breeze`);
  return {
    folder,
    executable,
    env: {
      PATH: `${folder}/bin`,
      HOME: `${folder}/home`,
      DENO_DIR: `${folder}/home/none`,
      XDG_CONFIG_HOME: "",
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

Deno.test({
  name: "one file without Deno is node and command line, runs a job to its results, and survives kill -9",
  ignore: Deno.env.has("SKERRY_NO_COMPILE"),
  async fn(t) {
    await using compiled = await compile();
    const { folder, executable, env } = compiled;
    const run = (args: readonly string[], api = "") =>
      skerry(args, { executable, cwd: folder, env: { ...env, ...(api !== "" && { SKERRY_API: api }) } });
    const start = () =>
      startNodeProcess({
        dataDir: `${folder}/data`,
        flags: ["--allow-path", `${folder}/sea_breeze`],
        executable,
        env,
      });
    const jobFile = `${folder}/job.yaml`;
    const job = await Deno.readTextFile(`${folder}/sea_breeze/job.yaml`);
    await Deno.writeTextFile(jobFile, job.replaceAll("{{.root}}", `${folder}/sea_breeze`));

    await t.step("it tells what it is", async () => {
      const help = await run(["--help"]);
      assert.equal(help.code, 0, help.stderr);
      assert.match(help.stdout, /skerry .*serve/s);
      const version = await run(["--version"]);
      assert.deepEqual([version.code, version.stdout.trim()], [0, VERSION]);
      const long = await run(["version"]);
      assert.match(long.stdout, new RegExp(`client: ${VERSION.replaceAll(".", "\\.")}`));
      const validated = await run(["job", "validate", jobFile]);
      assert.equal(validated.code, 0, validated.stderr);
      const completion = await run(["completion", "bash"]);
      assert.equal(completion.code, 0, completion.stderr);
    });

    await t.step("it runs the demo's job, and hands out its results", async () => {
      await using node = await start();
      const ran = await run(["job", "run", "--wait-timeout", "120s", jobFile], node.url);
      assert.equal(ran.code, 0, ran.stdout + ran.stderr + node.log());
      const got = await run(["job", "get", "sea-breeze", "--output-dir", `${folder}/results`], node.url);
      assert.equal(got.code, 0, got.stderr);
      assertResults(`${folder}/results`);
      const logs = await run(["job", "logs", "sea-breeze", "--partition", "5", "--tail", "1"], node.url);
      assert.match(logs.stdout, /2013-06/);
    });

    await t.step("killed while it runs one, it brings it to its end at the next start", async () => {
      const again = `${folder}/again.yaml`;
      await Deno.writeTextFile(
        again,
        (await Deno.readTextFile(jobFile)).replace("sea-breeze", "sea-breeze-again"),
      );
      const killed = await start();
      const submitted = await run(["job", "run", "--wait=false", again], killed.url);
      assert.equal(submitted.code, 0, submitted.stderr);
      await waitUntil("some partitions run", async () => (await phases(killed)).get("running"));
      assert.equal(await killed.end("SIGKILL"), 137);
      await using node = await start();
      const waited = await run(["job", "wait", "sea-breeze-again"], node.url);
      assert.equal(waited.code, 0, waited.stdout + waited.stderr + node.log());
      assert.equal((await phases(node)).get("completed"), PARTITIONS, "one result of each partition");
      const got = await run(
        ["job", "get", "sea-breeze-again", "--output-dir", `${folder}/results2`],
        node.url,
      );
      assert.equal(got.code, 0, got.stderr);
      assertResults(`${folder}/results2`);
    });
  },
});

/** How many executions of the second job are in each phase. */
async function phases(node: NodeProcess): Promise<Map<string, number>> {
  const path = "/api/v1/orchestrator/jobs/sea-breeze-again/executions?limit=100";
  const { Items } = await (await fetch(node.url + path)).json();
  return new Map(
    Object.entries(Object.groupBy(Items as { ComputeState: { Details?: { Phase?: string } } }[], phaseOf))
      .map(([phase, items]) => [phase, items!.length]),
  );
}

const phaseOf = (item: { ComputeState: { Details?: { Phase?: string } } }) =>
  item.ComputeState.Details?.Phase ?? "";

/** Two files of each month, merged, and what each partition printed. */
function assertResults(folder: string): void {
  const files = [...walk(folder)];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    assert.equal(Deno.readTextFileSync(`${folder}/partition-${partition}/exitCode`).trim(), "0");
    const month = String(partition + 1).padStart(2, "0");
    for (const table of ["hours", "intervals"]) {
      const path = `${folder}/outputs/2013-${month}-${table}.csv`;
      assert.ok(files.includes(path) && Deno.statSync(path).size > 100, `${path} of ${files.join("\n")}`);
    }
  }
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}
