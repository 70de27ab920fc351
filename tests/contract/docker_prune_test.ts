/** Which images of a real Docker Engine may be removed: those that Skerry fetched, and that nothing and nobody else uses. */
import { deepStrictEqual as assertEquals } from "node:assert";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { findImage, OWN_PLATFORM } from "../../agent/engines/docker_images.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import { DockerPulls, imagesHere } from "../../agent/engines/docker_pulls.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { ImageRegistry } from "../support/image_registry.ts";

const daemon = await DockerDaemon.start();
Deno.test.afterAll(() => daemon[Symbol.asyncDispose]());

interface Given {
  readonly registry: ImageRegistry;
  readonly pullsPath: string;
  /** An engine on the same record, as the next start has it: it has used nothing yet. */
  open(pull?: "always"): Engine;
  run(engine: Engine, image: string): Promise<string>;
  isHere(image: string): Promise<boolean>;
  /** What somebody else does with the daemon. */
  docker(method: "POST" | "DELETE", path: string, query?: Record<string, string>): Promise<void>;
}

async function withImages(body: (it: Given) => Promise<void>): Promise<void> {
  await using registry = new ImageRegistry();
  await using folder = await TaskFolder.make();
  const pullsPath = await Deno.makeTempFile({ prefix: "skerry-pulls-" });
  const engines: Engine[] = [];
  const client = daemon.client();
  try {
    await body({
      ...{ registry, pullsPath },
      open(pull) {
        const policy = { ...POLICY_DEFAULT, ...(pull && { pull }) };
        const engine = openDockerEngine({
          ...{ socketPath: daemon.socketPath, nodeId: "n-prune", policy, pullsPath },
        });
        engines.push(engine);
        return engine;
      },
      async run(engine, image) {
        const task: EngineTask = {
          ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
          ...{ params: { Image: image, Entrypoint: ["true"] }, inputs: [], diskBytes: 0 },
        };
        await engine.start(task);
        await engine.wait(task.executionId);
        return task.executionId;
      },
      isHere: async (image) => await findImage(client, image) !== undefined,
      docker: async (method, path, query = {}) => {
        if (method === "DELETE") return await client.call(method, path);
        await (await client.stream(method, path, { query })).pipeTo(new WritableStream());
      },
    });
  } finally {
    for (const engine of engines) await engine.close();
    client.close();
    await Deno.remove(pullsPath);
  }
}

const counts = ({ held, mayGo, gone }: Awaited<ReturnType<NonNullable<Engine["pruneImages"]>>>) => [
  held.count,
  mayGo.count,
  gone.count,
];

Deno.test("an image that was fetched goes once no container uses it, a dry run removes nothing", async () => {
  await withImages(async ({ registry, open, run, isHere }) => {
    const image = registry.nameOf("app:1");
    await registry.push("app:1", { platforms: [OWN_PLATFORM] });
    const first = open();
    const execution = await run(first, image);
    const used = await first.pruneImages!({ isDry: false });
    assertEquals([counts(used), used.stays], [[1, 0, 0], ["1 that containers use"]]);
    await first.forget(execution);
    await first.close();
    // The container's removal goes on in the background; the next start finds it gone.
    const engine = open();
    const dry = await until(() => engine.pruneImages!({ isDry: true }), ({ mayGo }) => mayGo.count === 1);
    assertEquals(counts(dry), [1, 1, 0]);
    assertEquals(dry.held.bytes > 1000, true);
    assertEquals(await isHere(image), true);
    assertEquals(counts(await engine.pruneImages!({ isDry: false })), [0, 0, 1]);
    assertEquals(await isHere(image), false);
    assertEquals(counts(await engine.pruneImages!({ isDry: false })), [0, 0, 0]);
  });
});

Deno.test("an image that was used a moment ago stays for the start that it was looked up for", async () => {
  await withImages(async ({ registry, open, run, isHere }) => {
    const image = registry.nameOf("app:2");
    await registry.push("app:2", { platforms: [OWN_PLATFORM], mark: "two" });
    const engine = open();
    const execution = await run(engine, image);
    await engine.forget(execution);
    const told = await until(
      () => engine.pruneImages!({ isDry: false }),
      ({ stays }) => !stays.some((why) => why.includes("containers")),
    );
    assertEquals([counts(told), told.stays], [[1, 0, 0], ["1 that were used a moment ago"]]);
    assertEquals(await isHere(image), true);
  });
});

Deno.test("images that were there before, that others have named or that others fetched are never touched", async () => {
  await withImages(async ({ registry, open, run, isHere, docker, pullsPath }) => {
    const names = ["theirs:1", "named:1", "later:1"].map((name) => registry.nameOf(name));
    const [theirs, named, later] = names as [string, string, string];
    for (const name of ["theirs:1", "named:1", "later:1"]) {
      await registry.push(name, { platforms: [OWN_PLATFORM], mark: name });
    }
    await docker("POST", "/images/create", { fromImage: theirs });
    const first = open("always");
    // Also what is pulled again, and found to be the same, was there before.
    for (const image of [theirs, named]) await first.forget(await run(first, image));
    await first.close();
    await docker("POST", `/images/${encodeURIComponent(named).replaceAll("%2F", "/")}/tag`, {
      repo: "mine",
      tag: "1",
    });
    await docker("POST", "/images/create", { fromImage: later });
    const engine = open();
    const told = await until(
      () => engine.pruneImages!({ isDry: false }),
      ({ stays }) => !stays.some((why) => why.includes("containers")),
    );
    assertEquals([counts(told), told.stays], [[1, 0, 0], ["1 that others have named"]]);
    for (const image of [BUSYBOX, ...names, "mine:1"]) assertEquals(await isHere(image), true, image);
    // Without its record an image is nobody's.
    await Deno.writeTextFile(pullsPath, "{ torn");
    await docker("DELETE", "/images/mine:1");
    assertEquals(counts(await open().pruneImages!({ isDry: false })), [0, 0, 0]);
    assertEquals(await isHere(named), true);
  });
});

Deno.test("of a name that means another image by now the old image goes too", async () => {
  await withImages(async ({ registry, pullsPath, open, docker }) => {
    const image = registry.nameOf("moving:1");
    const client = daemon.client();
    const pulls = new DockerPulls(pullsPath);
    const ids: string[] = [];
    for (const mark of ["old", "new"]) {
      await registry.push("moving:1", { platforms: [OWN_PLATFORM], mark });
      const before = await imagesHere(client);
      await docker("POST", "/images/create", { fromImage: image });
      ids.push((await findImage(client, image))!.id);
      pulls.note(ids.at(-1)!, { before, after: await imagesHere(client) });
    }
    assertEquals(new Set(ids).size, 2);
    assertEquals(counts(await open().pruneImages!({ isDry: false })), [0, 0, 2]);
    const here = await imagesHere(client);
    assertEquals(ids.map((id) => here.has(id)), [false, false]);
    client.close();
  });
});

/** Asks again until the answer is as it should be: the daemon ends what it was asked for in its own time. */
async function until<Value>(ask: () => Promise<Value>, isGood: (value: Value) => boolean): Promise<Value> {
  const { waitUntil } = await import("../support/wait_until.ts");
  return await waitUntil("the daemon has come to rest", async () => {
    const value = await ask();
    return isGood(value) ? value : undefined;
  });
}
