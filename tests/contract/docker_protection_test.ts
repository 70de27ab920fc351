/** Failures that the protections of the engine `docker` cause: what real programs say of them leads to the option that helps. */
import { deepStrictEqual as assertEquals, match as assertMatch, rejects } from "node:assert";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";

const NONE = POLICY_DEFAULT;
const CASES: readonly { script: string; params?: object; hint: RegExp; helps?: object }[] = [
  { script: "mount -t tmpfs x /tmp", hint: /SYS_ADMIN/ },
  {
    script: "ping -c 1 127.0.0.1",
    hint: /capability NET_RAW: add --cap-add NET_RAW/,
    helps: { Capabilities: ["NET_RAW"] },
  },
  { script: "ifconfig lo down", hint: /NET_ADMIN/, helps: { Capabilities: ["NET_ADMIN"] } },
  { script: "mknod /tmp/x c 1 3", hint: /MKNOD/, helps: { Capabilities: ["MKNOD"] } },
  { script: "chroot / /bin/true", hint: /SYS_CHROOT/, helps: { Capabilities: ["SYS_CHROOT"] } },
  { script: "echo 1 > /proc/sys/kernel/panic", hint: /Settings of the kernel/ },
  { script: "echo a > /inputs/file", hint: /"\/inputs" is an input/ },
  { script: "su nobody -c true", params: { User: "65534" }, hint: /--user/ },
  {
    script: "echo a > /file",
    params: { Profile: "strict" },
    hint: /read-only.*--profile default/,
    helps: { Profile: "default" },
  },
  {
    script: "dd if=/dev/zero of=/tmp/f bs=1M count=65",
    params: { Profile: "strict" },
    hint: /hold 64 MiB each/,
  },
  { script: "dd if=/dev/zero of=/dev/shm/f bs=1M count=65", hint: /\/dev\/shm holds 64 MiB/ },
  {
    script: "touch /tmp/a && chown 1 /tmp/a",
    params: { Profile: "strict" },
    hint: /CHOWN: ask for --profile default/,
    helps: { Profile: "default" },
  },
];

Deno.test("what hardening kept from working is told with the option that lets it", async () => {
  await using daemon = await DockerDaemon.start();
  await using folder = await TaskFolder.make();
  const policy = { ...NONE, capabilities: ["NET_RAW", "NET_ADMIN", "MKNOD", "SYS_CHROOT"] };
  const engine = openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-hints", policy });
  await Deno.mkdir(`${folder.path}/in`);
  const run = async (script: string, params: object | undefined) => {
    const task = {
      ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
      params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script], ...params },
      inputs: [{ hostPath: `${folder.path}/in`, target: "/inputs", isReadOnly: true }],
      // What is written to /tmp and /dev/shm counts as memory.
      memoryBytes: 256 * 1024 * 1024,
    };
    await engine.start(task);
    return await engine.wait(task.executionId);
  };
  try {
    for (const { script, params, hint, helps } of CASES) {
      const exit = await run(script, params);
      assertMatch(exit.kind === "exited" ? exit.hint ?? "none" : exit.kind, hint, script);
      if (helps !== undefined) {
        assertEquals(await run(script, { ...params, ...helps }), { kind: "exited", exitCode: 0 }, script);
      }
    }
    // Whoever the program is, it may write where the profile says so.
    for (const User of ["0", "65534", "1000:7"]) {
      const exit = await run("echo a > /tmp/a && echo b > /run/b", { Profile: "strict", User });
      assertEquals(exit, { kind: "exited", exitCode: 0 }, User);
    }
  } finally {
    await engine.close();
  }
});

Deno.test("no input shows the engine's socket, not by its folder and not by a link", async () => {
  await using daemon = await DockerDaemon.start();
  await using folder = await TaskFolder.make();
  const engine = openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-socket", policy: NONE });
  await Deno.symlink(daemon.folder, `${folder.path}/link`);
  try {
    for (
      const hostPath of [
        daemon.socketPath,
        daemon.folder,
        `${folder.path}/link`,
        `${folder.path}/link/docker.sock`,
        "/",
      ]
    ) {
      const task = {
        ...await folder.task("", { executionId: `e-${crypto.randomUUID()}` }),
        params: { Image: BUSYBOX, Entrypoint: ["true"] },
        inputs: [{ hostPath, target: "/inputs", isReadOnly: true }],
      };
      await rejects(
        engine.start(task),
        { code: "refused", message: /socket, as "\/inputs" would/ },
        hostPath,
      );
    }
  } finally {
    await engine.close();
  }
});
