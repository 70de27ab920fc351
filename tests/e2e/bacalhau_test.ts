/** The unmodified Bacalhau 1.9.3 command line against a real node. */
import assert from "node:assert/strict";
import { bacalhauClient } from "../../scripts/setup.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { type NodeProcess, startNodeProcess } from "../support/node_process.ts";
import { waitUntil } from "../support/wait_until.ts";
import { printing, wasmOf } from "../support/wasm_modules.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A client with a fresh home, talking to the node. */
async function openClient(node: NodeProcess) {
  const binary = await bacalhauClient();
  const folder = await Deno.makeTempDir({ prefix: "skerry-bacalhau-" });
  const { hostname, port } = new URL(node.url);
  const env = {
    HOME: folder,
    XDG_CONFIG_HOME: `${folder}/config`,
    BACALHAU_DIR: `${folder}/dir`,
    BACALHAU_API_HOST: hostname,
    BACALHAU_API_PORT: port,
    BACALHAU_UPDATECONFIG_INTERVAL: "0s", // it must not look for newer versions
    NO_COLOR: "1",
  };
  await Deno.mkdir(env.BACALHAU_DIR);
  return {
    folder,
    async run(...args: string[]): Promise<Ran> {
      const { code, stdout, stderr } = await new Deno.Command(binary, {
        args,
        cwd: folder,
        env,
        clearEnv: true,
        stdin: "null",
        signal: AbortSignal.timeout(60_000),
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      return { code, out: out!, err: err! };
    },
    async ok(...args: string[]): Promise<string> {
      const { code, out, err } = await this.run(...args);
      assert.equal(code, 0, `bacalhau ${args.join(" ")}: ${out}\n${err}`);
      return out;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const idOf = (out: string): string => /j-[0-9a-f-]{36}/.exec(out)![0];

Deno.test("an unmodified Bacalhau command line works against a node", async (t) => {
  await using node = await startNodeProcess();
  await using client = await openClient(node);
  await Deno.writeFile(`${client.folder}/hello.wasm`, await wasmOf(printing("hello from a module\n", 0)));
  await Deno.writeFile(`${client.folder}/three.wasm`, await wasmOf(printing("three\n", 3)));
  await Deno.writeTextFile(`${client.folder}/job.yaml`, LOOPING_JOB(await endlessModule()));
  let id = "";

  await t.step("wasm run waits for the end and says how to go on", async () => {
    const out = await client.ok("wasm", "run", "hello.wasm", "-p", "local", "--", "an argument");
    id = idOf(out);
    assert.match(out, /Job successfully submitted\. Job ID: j-/);
    assert.match(out, /Completed successfully/);
    assert.match(out, /To get more details about the run, execute:/);
  });
  await t.step("wasm run --follow prints the output", async () => {
    assert.match(await client.ok("wasm", "run", "hello.wasm", "--follow"), /hello from a module/);
  });
  await t.step("--id-only with --wait=false prints the id alone", async () => {
    assert.match(
      (await client.ok("wasm", "run", "hello.wasm", "--id-only", "--wait=false")).trim(),
      /^j-[0-9a-f-]{36}$/,
    );
  });
  await t.step("a large module goes through", async () => {
    const large = await wasmOf(printing(`${"x".repeat(40_000)}\n`));
    await Deno.writeFile(`${client.folder}/large.wasm`, large);
    assert.match(await client.ok("wasm", "run", "large.wasm"), /Completed successfully/);
  });
  await t.step("job list", async () => {
    const items = JSON.parse(await client.ok("job", "list", "--output", "json"));
    assert.ok(
      items.some((job: { ID: string; State: { StateType: string } }) =>
        job.ID === id && job.State.StateType === "Completed"
      ),
    );
  });
  await t.step("job describe, for people and as JSON", async () => {
    assert.match(await client.ok("job", "describe", id), /Completed[\s\S]*hello from a module/);
    const { Job, Executions } = JSON.parse(await client.ok("job", "describe", id, "--output", "json"));
    assert.equal(Job.ID, id);
    assert.equal(Executions.Items[0].RunOutput.Stdout, "hello from a module\n");
  });
  await t.step("job executions", async () => {
    const items = JSON.parse(await client.ok("job", "executions", id, "--output", "json"));
    assert.equal(items.length, 1);
    assert.equal(items[0].ComputeState.StateType, 9);
  });
  await t.step("job history", async () => {
    const out = await client.ok("job", "history", id);
    assert.match(out, /Job submitted[\s\S]*Requested execution on n-[\s\S]*Completed successfully/);
  });
  await t.step("job logs", async () => {
    assert.match(await client.ok("job", "logs", id), /hello from a module/);
  });
  await t.step("job get unpacks the result", async () => {
    await Deno.mkdir(`${client.folder}/got`);
    await client.ok("job", "get", id, "--output-dir", `${client.folder}/got`);
    assert.equal(await Deno.readTextFile(`${client.folder}/got/stdout`), "hello from a module\n");
    assert.equal(await Deno.readTextFile(`${client.folder}/got/exitCode`), "0");
  });
  await t.step("job rerun and job versions, by name", async () => {
    await client.ok("wasm", "run", "hello.wasm", "--name", "again");
    await client.ok("job", "rerun", "again", "--wait=false");
    const items = JSON.parse(await client.ok("job", "versions", "again", "--output", "json"));
    assert.deepEqual(items.map(({ Version }: { Version: number }) => Version), [1, 2]);
  });
  await t.step("a program's exit code completes the job and is shown", async () => {
    const three = idOf(await client.ok("wasm", "run", "three.wasm"));
    const items = JSON.parse(await client.ok("job", "executions", three, "--output", "json"));
    assert.equal(items[0].RunOutput.ExitCode, 3);
  });
  await t.step("job run, then job stop of an endless module", async () => {
    const endless = idOf(await client.ok("job", "run", "job.yaml", "--id-only", "--wait=false"));
    assert.match(
      await client.ok("job", "stop", endless),
      /Job stop successfully submitted with evaluation ID:/,
    );
    const { Job } = JSON.parse(await client.ok("job", "describe", endless, "--output", "json"));
    assert.equal(Job.State.StateType, "Stopped");
  });
  await t.step("jobs of every type", async () => {
    assert.match(await client.ok("wasm", "run", "--target", "all", "hello.wasm"), /Completed successfully/);
    for (const type of ["service", "daemon"]) {
      const job = LOOPING_JOB(await endlessModule()).replace("type: batch", `type: ${type}`).replace(
        "name: looping",
        `name: ${type}`,
      );
      assert.ok(job.includes(`type: ${type}`));
      await Deno.writeTextFile(`${client.folder}/${type}.yaml`, job);
      const id = idOf(await client.ok("job", "run", `${type}.yaml`, "--id-only", "--wait=false"));
      await waitUntil("it runs", async () => {
        const { Job } = JSON.parse(await client.ok("job", "describe", id, "--output", "json"));
        assert.equal(Job.Type, type);
        return Job.State.StateType === "Running";
      });
      await client.ok("job", "stop", id);
    }
  });
  await t.step("a job that no node could run fails with the reasons", async () => {
    const out = await client.run("wasm", "run", "hello.wasm", "--cpu", "4000");
    assert.match(out.out + out.err, /not enough nodes to run job/);
  });
  await t.step("a refusal is shown with its message", async () => {
    const { code, err, out } = await client.run("job", "describe", "j-00000000");
    assert.equal(code, 1);
    assert.match(err + out, /not found/);
  });
  await t.step("node list and describe", async () => {
    const [listed] = JSON.parse(await client.ok("node", "list", "--output", "json"));
    assert.equal(listed.Connection, "CONNECTED");
    assert.match(await client.ok("node", "describe", listed.Info.NodeID), /wasm/);
  });
  await t.step("agent alive, version, node and config", async () => {
    assert.match(await client.ok("agent", "alive"), /OK/);
    assert.match(await client.ok("agent", "version"), /v1\.9\.3/);
    assert.match(await client.ok("agent", "node", "--output", "json"), /"NodeType": ?"Compute"/);
    await client.ok("agent", "config");
  });
});

Deno.test("an unmodified Bacalhau command line runs containers", async (t) => {
  await using daemon = await DockerDaemon.start();
  await using node = await startNodeProcess({ flags: ["--docker-socket", daemon.socketPath] });
  await using client = await openClient(node);
  // A new client's first commands tell of its own set-up.
  for (let count = 0; count < 2; count++) await client.ok("job", "list");
  await t.step("docker run, with environment, folder and results", async () => {
    const script = "pwd; echo $GREETING; echo kept > /outputs/file; exit 2";
    const id = idOf(
      await client.ok(
        ...["docker", "run", "-e", "GREETING=hi", "-w", "/tmp", "-o", "outputs:/outputs", "-p", "local"],
        ...[BUSYBOX, "--", "sh", "-c", script],
      ),
    );
    const { Executions } = JSON.parse(await client.ok("job", "describe", id, "--output", "json"));
    assert.deepEqual(Executions.Items[0].RunOutput.Stdout, "/tmp\nhi\n");
    await Deno.mkdir(`${client.folder}/got`);
    await client.ok("job", "get", id, "--output-dir", `${client.folder}/got`);
    assert.equal(await Deno.readTextFile(`${client.folder}/got/outputs/file`), "kept\n");
    assert.equal(await Deno.readTextFile(`${client.folder}/got/exitCode`), "2");
  });
  await t.step("docker run --follow, and job logs", async () => {
    const out = await client.ok("docker", "run", "--follow", BUSYBOX, "--", "echo", "hello from a container");
    assert.match(out, /hello from a container/);
  });
  await t.step("an image that is not there fails the job with the reason", async () => {
    const { out, err } = await client.run("docker", "run", "127.0.0.1:9/no/such:image", "--", "true");
    assert.match(out + err, /Cannot pull the image/);
  });
  await t.step("job stop ends the container", async () => {
    const sent = await client.ok("docker", "run", "--id-only", "--wait=false", BUSYBOX, "--", "sleep", "600");
    await client.ok("job", "stop", sent.trim());
    const { Job } = JSON.parse(await client.ok("job", "describe", sent.trim(), "--output", "json"));
    assert.equal(Job.State.StateType, "Stopped");
  });
});

/** A module that never ends, as a data URL. */
async function endlessModule(): Promise<string> {
  const bytes = await wasmOf(
    '(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))',
  );
  return `data:application/wasm;base64,${btoa(String.fromCharCode(...bytes))}`;
}

const LOOPING_JOB = (module: string): string => `
name: looping
type: batch
count: 1
tasks:
  - name: main
    engine: {type: wasm, params: {EntryModule: /main.wasm}}
    inputSources:
      - {source: {type: inline, params: {URL: "${module}"}}, target: /main.wasm}
`;
