/**
 * GPUs of the engine `docker`. The devices are a list, and the hook of NVIDIA's toolkit is a script: what the real Docker
 * Engine makes of device requests is seen, not what a driver does with them.
 */
import { deepStrictEqual as assertEquals, match as assertMatch, ok as assert, rejects } from "node:assert";
import { z } from "zod";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import type { Gpu } from "../../shared/model/gpu.ts";
import { BUSYBOX, type DaemonOptions, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

const GPUS: readonly Gpu[] = [0, 1].map((index) => ({
  ...{ index, uuid: `GPU-${index}`, name: "Test", vendor: "NVIDIA" as const },
}));
const Inspected = z.object({
  HostConfig: z.object({
    DeviceRequests: z.array(z.object({ DeviceIDs: z.array(z.string()) })).nullish(),
  }),
});

interface Stage {
  readonly daemon: DockerDaemon;
  readonly open: () => Engine;
  /** Prints what it sees, and goes on until `go` is there. */
  readonly task: (gpuCount: number, env?: Record<string, string>) => Promise<EngineTask>;
  readonly letGo: () => Promise<void>;
}

async function withGpus(options: DaemonOptions, body: (stage: Stage) => Promise<void>): Promise<void> {
  await using daemon = await DockerDaemon.start(options);
  await using folder = await TaskFolder.make();
  await Deno.mkdir(`${folder.path}/in`);
  const engines: Engine[] = [];
  const open = () => {
    const own = { nodeId: "n-gpus", policy: POLICY_DEFAULT, gpus: GPUS };
    engines.push(openDockerEngine({ socketPath: daemon.socketPath, ...own }));
    return engines.at(-1)!;
  };
  const script = "echo sees $NVIDIA_VISIBLE_DEVICES; while [ ! -e /in/go ]; do usleep 20000; done";
  const task = async (gpuCount: number, env = {}): Promise<EngineTask> => ({
    ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
    ...{ params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script] }, env, gpuCount },
    inputs: [{ hostPath: `${folder.path}/in`, target: "/in", isReadOnly: true }],
  });
  try {
    await body({ daemon, open, task, letGo: () => Deno.writeTextFile(`${folder.path}/in/go`, "") });
  } finally {
    for (const engine of engines) await engine.close();
  }
}

async function seen({ folder }: EngineTask): Promise<string> {
  const read = () => Deno.readTextFile(`${folder}/stdout`).catch(() => "");
  await waitUntil("it prints", async () => (await read()).includes("\n"));
  return (await read()).trim();
}

Deno.test("each container has its own devices, also over restarts of the agent, and the next one theirs", async () => {
  await withGpus({ hasGpuHook: true }, async ({ daemon, open, task, letGo }) => {
    const first = open();
    const probe = await first.probe();
    assert(probe.isAvailable);
    assertEquals([probe.gpus, probe.absentGpus], [GPUS, undefined]);
    const [one, two, three] = [await task(1), await task(1), await task(1)];
    await first.start(one);
    assertEquals(await seen(one), "sees GPU-0");
    await first.close();

    const second = open();
    const runs = new Map([[one.executionId, one]]);
    assertEquals(await second.list(runs), [{ executionId: one.executionId, isRunning: true }]);
    await second.start(two);
    assertEquals(await seen(two), "sees GPU-1");
    const client = daemon.client();
    for (const [{ executionId }, uuid] of [[one, "GPU-0"], [two, "GPU-1"]] as const) {
      const { HostConfig } = await client.get(`/containers/${containerName(executionId)}/json`, Inspected);
      assertEquals(HostConfig.DeviceRequests?.map(({ DeviceIDs }) => DeviceIDs), [[uuid]]);
    }
    client.close();
    const starting = second.start(three);
    await letGo();
    await second.wait(one.executionId);
    // Ended is not enough: it might be started again, with the same devices.
    assertEquals(
      await Promise.race([starting.then(() => "started"), second.wait(two.executionId).then(() => "waits")]),
      "waits",
    );
    second.forget(one.executionId);
    await starting;
    assertEquals(await seen(three), "sees GPU-0");
  });
});

Deno.test("a container without GPUs sees none, whatever it asks for", async () => {
  await withGpus({ hasGpuHook: true }, async ({ open, task, letGo }) => {
    const engine = open();
    const none = await task(0, { NVIDIA_VISIBLE_DEVICES: "all" });
    await engine.start(none);
    assertEquals(await seen(none), "sees void");
    await letGo();
    await engine.wait(none.executionId);
  });
});

Deno.test("an engine that cannot give GPUs offers none, and a container that needs one is refused", async () => {
  await withGpus({}, async ({ open, task }) => {
    const engine = open();
    const probe = await engine.probe();
    assert(probe.isAvailable && probe.gpus === undefined);
    assertMatch(probe.absentGpus!, /NVIDIA Container Toolkit/);
    await rejects(engine.start(await task(1)), {
      code: "refused",
      message: /no GPUs for containers: the Docker Engine/,
    });
  });
});

Deno.test("a daemon that only looks as if it could give GPUs is found out by the first container", async () => {
  await withGpus({ hasGpuRuntime: true }, async ({ open, task }) => {
    const engine = open();
    const before = await engine.probe();
    assert(before.isAvailable && before.gpus !== undefined);
    await rejects(engine.start(await task(1)), {
      code: "refused",
      message: /could not select device driver/,
    });
    const after = await engine.probe();
    assert(after.isAvailable && after.gpus === undefined && after.absentGpus !== undefined);
  });
});
