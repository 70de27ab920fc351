/** Images of the engine `docker`: which one a name means, for which platform it is, and what is told of it. */
import { deepStrictEqual as assertEquals, match as assertMatch, rejects } from "node:assert";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { OWN_PLATFORM } from "../../agent/engines/docker_images.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { ImageRegistry } from "../support/image_registry.ts";

const FOREIGN = OWN_PLATFORM === "linux/arm64" ? "linux/amd64" : "linux/arm64";

const daemon = await DockerDaemon.start();
Deno.test.afterAll(() => daemon[Symbol.asyncDispose]());

/** Runs `true` in the image, and answers what was told of it. */
async function run(
  engine: Engine,
  folder: TaskFolder,
  { image, pinned, params }: { image: string; pinned?: string; params?: object },
): Promise<{ found: ImageFound[]; told: string[] }> {
  const task: EngineTask = {
    ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
    ...{ params: { Image: image, Entrypoint: ["true"], ...params }, inputs: [], diskBytes: 0 },
    ...(pinned !== undefined && { image: pinned }),
  };
  const [found, told]: [ImageFound[], string[]] = [[], []];
  try {
    await engine.start(task, {
      onImage: (image) => found.push(image),
      onProgress: (message) => told.push(message),
    });
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
  } catch (error) {
    throw Object.assign(error as Error, { found });
  }
  return { found, told };
}

async function withRegistry(
  body: (it: { registry: ImageRegistry; engine: Engine; folder: TaskFolder }) => Promise<void>,
  policy = POLICY_DEFAULT,
): Promise<void> {
  await using registry = new ImageRegistry();
  await using folder = await TaskFolder.make();
  const engine = openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-images", policy });
  try {
    await body({ registry, engine, folder });
  } finally {
    await engine.close();
  }
}

Deno.test("a pinned attempt runs the image of the first one, whatever its tag means by now", async () => {
  await withRegistry(async ({ registry, engine, folder }) => {
    const image = registry.nameOf("app:1");
    const first = await registry.push("app:1", { platforms: [OWN_PLATFORM], mark: "first" });
    const { found: [one], told } = await run(engine, folder, { image });
    const digest = `${registry.nameOf("app")}@${first}`;
    assertEquals({ ...one, id: "" }, { name: image, id: "", digest });
    assertMatch(told.at(-1)!, new RegExp(`^Started a container of the image ${digest}$`));

    const second = await registry.push("app:1", { platforms: [OWN_PLATFORM], mark: "second" });
    const { found: [other] } = await run(engine, folder, { image });
    assertEquals(other?.digest, `${registry.nameOf("app")}@${second}`);
    const askedCount = registry.asked.length;
    const { found: [pinned] } = await run(engine, folder, { image, pinned: digest });
    assertEquals([pinned?.id, pinned?.digest], [one?.id, digest]);
    // A digest that is here needs no registry, also where every start asks it.
    assertEquals(registry.asked.length, askedCount);
    const { found: [given] } = await run(engine, folder, { image: `${image}@${first}` });
    assertEquals(given?.id, one?.id);
  }, { ...POLICY_DEFAULT, pull: "always" });
});

Deno.test("a pinned image that is nowhere is missing, also where its tag is here", async () => {
  await withRegistry(async ({ registry, engine, folder }) => {
    const image = registry.nameOf("app:2");
    await registry.push("app:2", { platforms: [OWN_PLATFORM] });
    await run(engine, folder, { image });
    const pinned = `${registry.nameOf("app")}@sha256:${"0".repeat(64)}`;
    await rejects(run(engine, folder, { image, pinned }), { code: "image_missing" });
  });
});

Deno.test("an image of no registry is told by its id, and that it cannot be pinned", async () => {
  await withRegistry(async ({ engine, folder }) => {
    const { found: [found], told } = await run(engine, folder, { image: BUSYBOX });
    assertEquals(Object.keys(found!), ["name", "id"]);
    assertMatch(told.at(-1)!, /^Started a container of the image sha256:.*: no registry has it/);
  });
});

Deno.test("of an image for several platforms this one's is taken, its digest is that of all", async () => {
  await withRegistry(async ({ registry, engine, folder }) => {
    const digest = await registry.push("both:1", { platforms: [FOREIGN, OWN_PLATFORM] });
    const { found: [found] } = await run(engine, folder, { image: registry.nameOf("both:1") });
    assertEquals(found?.digest, `${registry.nameOf("both")}@${digest}`);
  });
});

for (
  const [what, platforms] of Object.entries({ one: [FOREIGN], several: [FOREIGN, "linux/s390x"] })
) {
  Deno.test(`an image for ${what} that this node is not: its platforms are told`, async () => {
    await withRegistry(async ({ registry, engine, folder }) => {
      const image = registry.nameOf("foreign:1");
      await registry.push("foreign:1", { platforms });
      const message = new RegExp(
        `this node runs containers of ${OWN_PLATFORM}, the image ".*" is for ${platforms.join(", ")}`,
      );
      await rejects(
        run(engine, folder, { image }),
        (error: Error & { code: string; found: ImageFound[] }) => {
          assertEquals(error.code, "platform_mismatch");
          assertMatch(error.message, message);
          assertEquals(error.found, [{ name: image, platforms }]);
          return true;
        },
      );
    });
  });
}

Deno.test("an image here for another platform gives way to the registry's for this one, and says nothing of others", async () => {
  await withRegistry(async ({ registry, engine, folder }) => {
    const image = registry.nameOf("mixed:1");
    await registry.push("mixed:1", { platforms: [FOREIGN, OWN_PLATFORM] });
    const client = daemon.client();
    const query = { fromImage: image, platform: FOREIGN };
    await (await client.stream("POST", "/images/create", { query })).pipeTo(new WritableStream());
    client.close();
    await rejects(
      run(engine, folder, { image, params: { Pull: "never" } }),
      (error: { code: string; found: ImageFound[] }) => {
        assertEquals([error.code, error.found], ["platform_mismatch", []]);
        return true;
      },
    );
    const { found } = await run(engine, folder, { image });
    assertEquals(found.length, 1);
  });
});

Deno.test("a task for another platform is refused before anything is fetched", async () => {
  await withRegistry(({ engine }) => {
    const refusal = engine.refuses!({
      params: { Image: BUSYBOX, Platform: FOREIGN },
      network: { type: "none", domains: [] },
    });
    assertEquals(refusal?.code, "platform_mismatch");
    assertMatch(refusal!.message, new RegExp(`the task asks for "${BUSYBOX}" of ${FOREIGN}`));
    return Promise.resolve();
  });
});

Deno.test("with Init a shell that waits ends at the first signal, and what it left behind is reaped", async () => {
  await withRegistry(async ({ engine, folder }) => {
    const script =
      "(sh -c 'usleep 1000 & exit'); usleep 100000; echo zombies $(grep -l '^State:.Z' /proc/[0-9]*/status | wc -l); while :; do sleep 1; done";
    const task: EngineTask = {
      ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
      ...{
        params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script], Init: true },
        inputs: [],
        diskBytes: 0,
      },
    };
    await engine.start(task);
    const { waitUntil } = await import("../support/wait_until.ts");
    const textOf = () => Deno.readTextFile(`${task.folder}/stdout`).catch(() => "");
    await waitUntil("it has looked", async () => (await textOf()).includes("zombies"));
    assertEquals(await textOf(), "zombies 0\n");
    const begunMs = performance.now();
    await engine.stop(task.executionId, { graceMs: 20_000 });
    assertEquals(await engine.wait(task.executionId), { kind: "stopped", exitCode: 143 });
    assertEquals(performance.now() - begunMs < 10_000, true);
  });
});

Deno.test("a private image takes what docker login has left, also to tell its platforms", async () => {
  await withRegistry(async ({ registry, engine, folder }) => {
    await registry.push("private:1", { platforms: [OWN_PLATFORM] });
    await registry.push("private:2", { platforms: [FOREIGN] });
    registry.credentials = "anna:secret";
    const image = registry.nameOf("private:1");
    await rejects(run(engine, folder, { image }), { code: "image_missing", hint: /docker login/ });
    const before = Deno.env.get("DOCKER_CONFIG");
    const auths = { [`127.0.0.1:${registry.port}`]: { auth: btoa(registry.credentials) } };
    await Deno.writeTextFile(`${folder.path}/config.json`, JSON.stringify({ auths }));
    Deno.env.set("DOCKER_CONFIG", folder.path);
    try {
      const { told } = await run(engine, folder, { image });
      assertEquals(told.join("\n").includes("secret"), false);
      await rejects(
        run(engine, folder, { image: registry.nameOf("private:2") }),
        (error: { found: ImageFound[] }) => {
          assertEquals(error.found[0]?.platforms, [FOREIGN]);
          return true;
        },
      );
    } finally {
      if (before === undefined) Deno.env.delete("DOCKER_CONFIG");
      else Deno.env.set("DOCKER_CONFIG", before);
    }
  });
});
