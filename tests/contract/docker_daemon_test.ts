/** The engine `docker` when its daemon, its containers or their images are not as it wishes. */
import { deepStrictEqual as assertEquals, match as assertMatch, ok as assert, rejects } from "node:assert";
import { z } from "zod";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { type DockerPolicy, POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { Engine, EngineExit, EngineTask } from "../../agent/engines/engine.ts";
import { BUSYBOX, type DaemonOptions, DockerDaemon } from "../support/docker_daemon.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { runsOf, TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

/** A shell script as a task. */
async function shell(
  folder: TaskFolder,
  script: string,
  changes: Partial<EngineTask> = {},
): Promise<EngineTask> {
  const task = await folder.task("", { executionId: `e-${crypto.randomUUID()}`, ...changes });
  const params = { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script], ...changes.params };
  return { ...task, params, inputs: changes.inputs ?? [], diskBytes: changes.diskBytes ?? 0 };
}

async function withDaemon(
  options: DaemonOptions & { policy?: Partial<DockerPolicy> },
  body: (daemon: DockerDaemon, open: () => Engine, folder: TaskFolder) => Promise<void>,
): Promise<void> {
  await using daemon = await DockerDaemon.start(options);
  await using folder = await TaskFolder.make();
  const engines: Engine[] = [];
  const open = () => {
    const policy = { ...POLICY_DEFAULT, ...options.policy };
    const engine = openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-test", policy });
    engines.push(engine);
    return engine;
  };
  try {
    await body(daemon, open, folder);
  } finally {
    for (const engine of engines) await engine.close();
  }
}

const textOf = (task: EngineTask, stream = "stdout") =>
  Deno.readTextFile(`${task.folder}/${stream}`).catch(() => "");
const hasPrinted = (task: EngineTask, text: string) => async () => (await textOf(task)).includes(text);
const codeOf = (exit: EngineExit) => exit.kind === "failed" ? exit.code : exit.kind;

/** Traps the signal that a daemon sends when it shuts down, and looks as if it had done its work. */
const TRAPS = "trap 'echo bye; exit 0' TERM; echo begin; while :; do usleep 20000; done";

Deno.test("an orderly restart of the daemon ends a container, and that is no success", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const engine = open();
    const task = await shell(folder, TRAPS);
    await engine.start(task);
    await waitUntil("it prints", hasPrinted(task, "begin"));
    await daemon.stop();
    await daemon.begin();
    const exit = await engine.wait(task.executionId);
    assertEquals(codeOf(exit), "interrupted", JSON.stringify(exit));
    assertEquals(await textOf(task), "begin\nbye\n");
  });
});

Deno.test("a container that a daemon ended while no agent was there was cut short, too", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const first = open();
    const task = await shell(folder, TRAPS);
    const done = await shell(folder, "echo done; exit 4");
    await first.start(task);
    await waitUntil("it prints", hasPrinted(task, "begin"));
    await first.close();
    await daemon.stop();
    await daemon.begin();
    const second = open();
    const folders = runsOf(task, done);
    const [held] = await second.list(folders);
    assert(held?.exit !== undefined);
    assertEquals(codeOf(held.exit), "interrupted");
    await second.start(done);
    assertEquals(await second.wait(done.executionId), { kind: "exited", exitCode: 4 });
  });
});

Deno.test("kill -9 of the daemon: containers end with its next start, and are interrupted", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const engine = open();
    const task = await shell(folder, TRAPS);
    await engine.start(task);
    await waitUntil("it prints", hasPrinted(task, "begin"));
    await daemon.kill();
    await daemon.begin();
    assertEquals(codeOf(await engine.wait(task.executionId)), "interrupted");
  });
});

for (const how of ["stop", "kill"] as const) {
  Deno.test(`with live-restore a container outlives a daemon that is gone by ${how}, its output whole`, async () => {
    await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
      const engine = open();
      await Deno.mkdir(`${folder.path}/in`);
      const inputs = [{ hostPath: `${folder.path}/in`, target: "/in", isReadOnly: true }];
      const script =
        "i=0; while [ ! -e /in/go ]; do i=$((i+1)); echo line $i; usleep 10000; done; echo last; exit 5";
      const task = await shell(folder, script, { inputs });
      await engine.start(task);
      await waitUntil("it prints", hasPrinted(task, "line 20"));
      await daemon[how]();
      await daemon.begin();
      const printed = (await textOf(task)).split("\n").length;
      await waitUntil(
        "its output goes on",
        async () => (await textOf(task)).split("\n").length > printed + 5,
      );
      await folder.file("in/go", "");
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 5 });
      const lines = (await textOf(task)).trimEnd().split("\n");
      assertEquals(lines, [...lines.slice(0, -1).map((_, at) => `line ${at + 1}`), "last"]);
    });
  });
}

Deno.test("an agent that starts before the daemon finds its containers once the daemon is there", async () => {
  await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
    const first = open();
    const task = await shell(folder, "echo begin; usleep 2000000; echo end; exit 6");
    await first.start(task);
    await waitUntil("it prints", hasPrinted(task, "begin"));
    await first.close();
    await daemon.stop();
    const second = open();
    const folders = runsOf(task);
    assertEquals(await second.list(folders), [{ executionId: task.executionId, isRunning: true }]);
    await daemon.begin();
    assertEquals(await second.wait(task.executionId), { kind: "exited", exitCode: 6 });
    assertEquals(await textOf(task), "begin\nend\n");
  });
});

Deno.test("a daemon that hangs is away, and that is said", async () => {
  const folder = await Deno.makeTempDir();
  const socketPath = `${folder}/socket`;
  using _mute = Deno.listen({ transport: "unix", path: socketPath });
  const engine = openDockerEngine({ socketPath, nodeId: "n-test", policy: POLICY_DEFAULT });
  try {
    const probe = await engine.probe();
    assert(!probe.isAvailable && probe.isAway === true);
    assertMatch(probe.reason, /has not answered within 5s/);
  } finally {
    await engine.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a start waits for a daemon that is being restarted", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const engine = open();
    assertEquals((await engine.probe()).isAvailable, true);
    await daemon.stop();
    const probe = await engine.probe();
    assert(!probe.isAvailable && probe.isAway);
    const task = await shell(folder, "echo begin; exit 3");
    const started = engine.start(task);
    await daemon.begin();
    await started;
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 3 });
    assertEquals(await textOf(task), "begin\n");
  });
});

Deno.test("a start that waits for the daemon ends when it is stopped", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const engine = open();
    await daemon.stop();
    const task = await shell(folder, "echo begin");
    const started = rejects(engine.start(task), /Cannot reach the Docker Engine/);
    await engine.stop(task.executionId, { graceMs: 0 });
    await started;
  });
});

Deno.test("a container whose output met a full disk has not completed, also when another agent takes it over", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: 64 * 1024 * 1024 });
  if (disk === undefined) return;
  await withDaemon({ folderIn: disk.path }, async (_daemon, open, folder) => {
    await Deno.mkdir(`${folder.path}/in`);
    const inputs = [{ hostPath: `${folder.path}/in`, target: "/in", isReadOnly: true }];
    const script = (name: string) =>
      `echo begin; until [ -e /in/${name} ]; do usleep 10000; done; echo middle; echo end`;
    const first = open();
    const [one, two, well] = await Promise.all(
      ["one", "two", "well"].map((name) => shell(folder, script(name), { inputs })),
    );
    for (const task of [one!, two!, well!]) await first.start(task);
    await folder.file("in/well", "");
    assertEquals(await first.wait(well!.executionId), { kind: "exited", exitCode: 0 });
    const fill = disk.fill();
    await folder.file("in/one", "");
    const exit = await first.wait(one!.executionId);
    assertEquals(codeOf(exit), "disk_full");
    assert(exit.kind === "failed");
    assertMatch(exit.message, /part of its output may be lost/);
    await first.close();
    await Deno.remove(fill);
    const second = open();
    await second.list(runsOf(two!));
    await folder.file("in/two", "");
    assertEquals(codeOf(await second.wait(two!.executionId)), "disk_full");
  });
});

/** Processes of the script, but not those of which it is an argument only. */
const processesOf = (script: string): number[] =>
  [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).endsWith(`${script}\0`);
    } catch {
      return false; // it has just ended
    }
  }).map(Number);

/**
 * Kills the daemon in the middle of a start, when containerd has begun the program and the daemon does not know it yet: then
 * it counts the container as created for ever.
 */
async function killInStart(daemon: DockerDaemon, engine: Engine, folder: TaskFolder, runsS = 30) {
  for (let round = 0; round < 40; round++) {
    const script = `: ${crypto.randomUUID()}; echo begin; sleep ${runsS}; echo end`;
    const task = await shell(folder, script);
    const started = engine.start(task).then(() => "started", ({ code }) => code);
    await waitUntil("its program runs", () => processesOf(script).length > 0);
    await daemon.kill();
    if (await Promise.race([started, Promise.resolve("not yet")]) === "started") await daemon.begin();
    else return { task, script, started };
  }
  throw new Error("the daemon was never met in the middle of a start");
}

Deno.test("a program that a killed daemon has forgotten is ended before it is started again", async () => {
  await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
    const first = open();
    const { task, script } = await killInStart(daemon, first, folder, 3);
    await first.close();
    const [before] = processesOf(script);
    await daemon.begin();
    const second = open();
    assertEquals(await second.list(runsOf(task)), []);
    await second.start(task);
    assert(!processesOf(script).includes(before!), "it runs twice");
    assertEquals(await second.wait(task.executionId), { kind: "exited", exitCode: 0 });
    assertEquals(await textOf(task), "begin\nend\n");
  });
});

Deno.test("a start that fails with its daemon leaves no program behind", async () => {
  await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
    const { script, started } = await killInStart(daemon, open(), folder);
    await daemon.begin();
    assertEquals(await started, "interrupted");
    assertEquals(processesOf(script), []);
  });
});

Deno.test("a task that was being started when the daemon was killed has not completed", async () => {
  await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
    const first = open();
    const { task, script } = await killInStart(daemon, first, folder);
    await first.close();
    const second = open();
    assertEquals(await second.list(runsOf(task)), [{ executionId: task.executionId, isRunning: true }]);
    await daemon.begin();
    const exit = await second.wait(task.executionId);
    assertEquals(codeOf(exit), "interrupted");
    assertEquals(processesOf(script), []);
  });
});

Deno.test("a program that a killed daemon has forgotten is ended when nobody wants it", async () => {
  await withDaemon({ isLiveRestored: true }, async (daemon, open, folder) => {
    const first = open();
    const { script } = await killInStart(daemon, first, folder);
    await first.close();
    await daemon.begin();
    await open().list(new Map());
    await waitUntil("it has ended", () => processesOf(script).length === 0, { deadlineMs: 2_000 });
  });
});

Deno.test("a disk that was full for a moment only is noticed", async (t) => {
  await using disk = await mountSmallDisk(t.name, { sizeBytes: 64 * 1024 * 1024 });
  if (disk === undefined) return;
  await withDaemon({ folderIn: disk.path }, async (_daemon, open, folder) => {
    const engine = open();
    for (let round = 0; round < 5; round++) {
      const task = await shell(folder, "for i in $(seq 1 100); do echo line $i; usleep 5000; done");
      await engine.start(task);
      const fill = disk.fill();
      await new Promise((resolve) => setTimeout(resolve, 30));
      await Deno.remove(fill);
      assertEquals(codeOf(await engine.wait(task.executionId)), "disk_full", `round ${round}`);
    }
  });
});

Deno.test("a container that somebody removes is interrupted, whatever was being fetched of it", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const engine = open();
    const client = daemon.client();
    for (let round = 0; round < 5; round++) {
      const task = await shell(folder, "echo begin; while :; do usleep 20000; done");
      await engine.start(task);
      await waitUntil("it prints", hasPrinted(task, "begin"));
      await client.call("DELETE", `/containers/${containerName(task.executionId, 0)}`, {
        query: { force: true },
      });
      const exit = await engine.wait(task.executionId);
      assert(exit.kind === "failed" && exit.code === "interrupted", JSON.stringify(exit));
      assertMatch(exit.message, /removed|killed/);
    }
  });
});

Deno.test("containers that nobody wants any more are removed, and those of others are left alone", async () => {
  await withDaemon({}, async (daemon, open, folder) => {
    const first = open();
    const task = await shell(folder, "while :; do usleep 20000; done");
    await first.start(task);
    await first.close();
    const client = daemon.client();
    const Listed = z.array(z.object({ Names: z.array(z.string()) }));
    const names = async () =>
      (await client.get("/containers/json", Listed, { query: { all: true } })).flatMap(({ Names }) => Names)
        .sort();
    for (const [name, labels] of [["stranger", {}], ["neighbour", { "skerry.node": "n-other" }]] as const) {
      await client.call("POST", "/containers/create", {
        query: { name },
        body: { Image: BUSYBOX, Cmd: ["sleep", "100"], Labels: labels, HostConfig: { NetworkMode: "none" } },
      });
    }
    assertEquals(await names(), ["/neighbour", `/${containerName(task.executionId)}`, "/stranger"]);
    assertEquals(await open().list(new Map()), []);
    await waitUntil("the orphan is gone", async () => (await names()).length === 2);
    assertEquals(await names(), ["/neighbour", "/stranger"]);
    client.close();
  });
});

Deno.test("what goes wrong has its own reason and a hint", async () => {
  await withDaemon({}, async (_daemon, open, folder) => {
    const engine = open();
    const ends = async (script: string, changes: Partial<EngineTask>): Promise<EngineExit> => {
      const task = await shell(folder, script, changes);
      await engine.start(task);
      return await engine.wait(task.executionId);
    };
    const memory = await ends("dd if=/dev/zero of=/dev/null bs=100M count=1", { memoryBytes: 16 * 2 ** 20 });
    assert(
      memory.kind === "failed" && memory.code === "memory_exceeded" && memory.hint,
      JSON.stringify(memory),
    );
    const disk = await ends("dd if=/dev/zero of=/big bs=1M count=30; sleep 30", { diskBytes: 10 * 2 ** 20 });
    assert(disk.kind === "failed" && disk.code === "disk_exceeded" && disk.hint, JSON.stringify(disk));
    const results = await ends("dd if=/dev/zero of=/outputs/big bs=1M count=5", { diskBytes: 2 ** 20 });
    assertEquals(codeOf(results), "disk_exceeded");
    const refusals: [Record<string, unknown>, string, RegExp][] = [
      [{ Entrypoint: ["nowhere"] }, "start_failed", /program is not in the image/],
      [{ User: "nobody-knows" }, "start_failed", /user is not in the image/],
      [{ Image: "no/such:image", Pull: "never" }, "image_missing", /docker pull/],
      [{ Image: "127.0.0.1:9/no/such:image" }, "image_unreachable", /registry/],
      [{ Image: "Not An Image" }, "invalid", /must be written as/],
      [{ Entrypoint: "sh" }, "invalid", /must be a list of strings/],
      [{ Priviledged: true }, "invalid", /is not a known field; known here/],
    ];
    for (const [params, code, help] of refusals) {
      const task = await shell(folder, "true", { params });
      await rejects(engine.start(task), (error: { code: string; message: string; hint?: string }) => {
        assertEquals(error.code, code, JSON.stringify(error));
        assertMatch(error.hint ?? error.message, help);
        return true;
      });
    }
  });
});

Deno.test("an image that is here is used when its registry cannot be reached, and its progress is told", async () => {
  await withDaemon({ policy: { pull: "always" } }, async (daemon, open, folder) => {
    const client = daemon.client();
    const [repo, tag] = ["127.0.0.1:9/busybox", "1"];
    await client.call("POST", `/images/${BUSYBOX}/tag`, { query: { repo, tag } });
    client.close();
    const engine = open();
    const task = await shell(folder, "echo here", { params: { Image: `${repo}:${tag}` } });
    const told: string[] = [];
    await engine.start(task, { onProgress: (message) => told.push(message) });
    assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
    assertMatch(
      told.join("\n"),
      /Pulling the image .*\nCannot reach the registry.*\nStarted a container of the image sha256:/,
    );
  });
});

Deno.test("a container that ends by itself while the machine shuts down has not completed", async () => {
  await using daemon = await DockerDaemon.start();
  await using folder = await TaskFolder.make();
  const systemctl = await folder.file("systemctl", '#!/bin/sh\ncat "$(dirname "$0")/state"\n');
  await Deno.chmod(systemctl, 0o755);
  const shutdownSigns = { systemdFolder: folder.path, systemctl, utmp: `${folder.path}/none` };
  const engine = openDockerEngine({
    ...{ socketPath: daemon.socketPath, nodeId: "n-test", policy: POLICY_DEFAULT, shutdownSigns },
  });
  try {
    const ends: string[] = [];
    for (const state of ["running", "stopping"]) {
      await folder.file("state", state);
      const task = await shell(folder, "exit 0");
      await engine.start(task);
      ends.push(codeOf(await engine.wait(task.executionId)));
    }
    assertEquals(ends, ["exited", "interrupted"]);
    // What was asked to end did not end by the shutdown.
    const stopped = await shell(folder, "sleep 60");
    await engine.start(stopped);
    await engine.stop(stopped.executionId, { graceMs: 0 });
    assertEquals(codeOf(await engine.wait(stopped.executionId)), "stopped");
  } finally {
    await engine.close();
  }
});
