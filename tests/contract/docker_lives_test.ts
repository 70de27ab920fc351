/** The engine `docker` in what keeps a task alive: its signal, commands run beside it, where its ports are reached. */
import { deepStrictEqual as assertEquals, ok as assert, rejects as assertRejects } from "node:assert";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import { httpGet } from "../../agent/host/http_get.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

const NEVER = new AbortController().signal;
const WAITS = "echo begin; while :; do usleep 20000; done";

async function withEngine(
  body: (
    engine: Engine,
    task: (script: string, changes?: Partial<EngineTask>) => Promise<EngineTask>,
    daemon: DockerDaemon,
  ) => Promise<void>,
): Promise<void> {
  await using daemon = await DockerDaemon.start({ hasBridge: true });
  await using folder = await TaskFolder.make();
  const engine = openDockerEngine({
    socketPath: daemon.socketPath,
    nodeId: "n-test",
    policy: POLICY_DEFAULT,
  });
  const task = async (script: string, changes: Partial<EngineTask> = {}) => {
    const base = await folder.task("", { executionId: `e-${crypto.randomUUID()}`, ...changes });
    const params = { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script], ...changes.params };
    return { ...base, params, inputs: [], diskBytes: 0 };
  };
  try {
    await body(engine, task, daemon);
  } finally {
    await engine.close();
  }
}

const textOf = (task: EngineTask) => Deno.readTextFile(`${task.folder}/stdout`).catch(() => "");
const hasBegun = (task: EngineTask) =>
  waitUntil("it prints", async () => (await textOf(task)).includes("begin"));

Deno.test("a container is asked to end by its job's signal, else by its image's, and killed after its grace", () =>
  withEngine(async (engine, task, daemon) => {
    const traps = `trap 'echo int; exit 0' INT; trap 'echo usr2; exit 0' USR2; ${WAITS}`;
    const asked = await task(traps, { stopSignal: "SIGINT" });
    await engine.start(asked);
    await hasBegun(asked);
    await engine.stop(asked.executionId, { graceMs: 10_000 });
    assertEquals(await textOf(asked), "begin\nint\n");

    const client = daemon.client();
    await client.call("POST", "/commit", {
      query: { container: await made(daemon), repo: "signals", tag: "test" },
      body: {},
    });
    client.close();
    const byImage = await task(traps, { params: { Image: "signals:test" } });
    await engine.start(byImage);
    await hasBegun(byImage);
    await engine.stop(byImage.executionId, { graceMs: 10_000 });
    assertEquals(await textOf(byImage), "begin\nusr2\n");

    const deaf = await task(`trap '' TERM; ${WAITS}`);
    await engine.start(deaf);
    await hasBegun(deaf);
    const fromMs = performance.now();
    await engine.stop(deaf.executionId, { graceMs: 1_000 });
    assert(performance.now() - fromMs >= 900, "it had its time");
    assertEquals((await engine.wait(deaf.executionId)).kind, "stopped");
  }));

/** A container with a signal of its own, to make an image of. */
async function made(daemon: DockerDaemon): Promise<string> {
  const { z } = await import("zod");
  const client = daemon.client();
  const body = { Image: BUSYBOX, Cmd: ["true"], StopSignal: "SIGUSR2" };
  const { Id } = await client.post("/containers/create", z.object({ Id: z.string() }), { body });
  client.close();
  return Id;
}

Deno.test("a command runs beside a task, and is ended when it takes too long", () =>
  withEngine(async (engine, task) => {
    const it = await task(WAITS);
    await engine.start(it);
    await hasBegun(it);
    const exec = (script: string, timeoutMs = 10_000) =>
      engine.exec!(it.executionId, ["/bin/sh", "-c", script], { timeoutMs, signal: NEVER });
    const both = await exec("echo out; echo err >&2; exit 3");
    // Two pipes: nobody knows which is read first.
    assertEquals([both.exitCode, both.output.split("\n").sort()], [3, ["", "err", "out"]]);
    assertEquals((await exec("head -c 100000 /dev/zero")).output.length, 4096);
    assertEquals(await exec("echo slow; echo $$ > /hung; exec sleep 1000", 1_000), {
      exitCode: undefined,
      output: "slow\n",
    });
    await waitUntil(
      "what took too long is gone",
      async () => (await exec("test -e /proc/$(cat /hung)")).exitCode === 1,
    );
    const missing = await engine.exec!(it.executionId, ["/no/such"], { timeoutMs: 10_000, signal: NEVER })
      .then(({ exitCode }) => exitCode !== 0, () => true);
    assert(missing, "a program that is not there does not pass");
    await engine.stop(it.executionId, { graceMs: 0 });
    await assertRejects(() => exec("true"), { code: "unavailable" });
  }));

Deno.test("a port of a container is reached by its own address, and not without a network", () =>
  withEngine(async (engine, task) => {
    const script = "mkdir /www; echo fine > /www/ok; echo begin; httpd -f -p 8080 -h /www";
    const serving = await task(script, { network: { type: "bridge", domains: [] } });
    await engine.start(serving);
    await hasBegun(serving);
    const at = (await engine.reach!(serving.executionId, 8080))!;
    const get = (path: string) =>
      httpGet(`http://${at.host}:${at.port}${path}`, { timeoutMs: 5_000, signal: NEVER });
    await waitUntil("it answers", () => get("/ok").then((status) => status === 200, () => false));
    assertEquals(await get("/missing"), 404);
    await assertRejects(
      () => httpGet(`http://${at.host}:9/`, { timeoutMs: 5_000, signal: NEVER }),
      { code: "unreachable" },
    );
    const alone = await task(WAITS);
    await engine.start(alone);
    assertEquals(await engine.reach!(alone.executionId, 8080), undefined);
  }));
