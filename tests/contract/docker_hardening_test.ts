/** What a container is held to, by section 5 of the CIS Docker Benchmark, seen from the daemon and from inside. */
import { deepStrictEqual as assertEquals } from "node:assert";
import { z } from "zod";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import type { Profile } from "../../agent/engines/docker_params.ts";
import { DEFAULT_CAPABILITIES, POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

const Inspected = z.object({
  AppArmorProfile: z.string(),
  Image: z.string(),
  Config: z.object({ User: z.string(), ExposedPorts: z.record(z.string(), z.unknown()).nullish() }),
  HostConfig: z.object({
    ...{ Privileged: z.boolean(), PublishAllPorts: z.boolean(), ReadonlyRootfs: z.boolean() },
    ...{ NetworkMode: z.string(), PidMode: z.string(), IpcMode: z.string(), UTSMode: z.string() },
    ...{ UsernsMode: z.string(), CgroupParent: z.string(), Memory: z.number(), MemorySwap: z.number() },
    ...{ NanoCpus: z.number(), PidsLimit: z.number().nullish() },
    CapAdd: z.array(z.string()).nullish(),
    CapDrop: z.array(z.string()).nullish(),
    SecurityOpt: z.array(z.string()).nullish(),
    Devices: z.array(z.unknown()).nullish(),
    PortBindings: z.record(z.string(), z.unknown()).nullish(),
    Ulimits: z.array(z.object({ Name: z.string() })).nullish(),
    RestartPolicy: z.object({ Name: z.string() }),
  }),
  Mounts: z.array(z.object({ Source: z.string(), RW: z.boolean(), Propagation: z.string() })),
});
type Inspected = z.infer<typeof Inspected>;

interface Item {
  readonly number: string;
  readonly title: string;
  /** Whether the container is as it should be; a text says why the item does not apply. */
  readonly holds: (container: Inspected, profile: Profile) => boolean | string;
}

const SENSITIVE = ["/", "/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr"];
const plain = (names: readonly string[] | null | undefined) =>
  (names ?? []).map((name) => name.replace(/^CAP_/, "")).sort();
const hasOption = ({ HostConfig }: Inspected, wanted: RegExp) =>
  (HostConfig.SecurityOpt ?? []).some((option) => wanted.test(option));

const ITEMS: readonly Item[] = [
  {
    number: "5.1",
    title: "AppArmor is not switched off",
    holds: (it) => !hasOption(it, /apparmor=unconfined/),
  },
  { number: "5.2", title: "SELinux is not switched off", holds: (it) => !hasOption(it, /label[=:]disable/) },
  {
    number: "5.3",
    title: "Only the capabilities that are needed",
    holds: ({ HostConfig }, profile) =>
      plain(HostConfig.CapDrop).includes("ALL") &&
      plain(HostConfig.CapAdd).join() ===
        (profile === "strict" ? "" : [...DEFAULT_CAPABILITIES].sort().join()),
  },
  { number: "5.4", title: "Not privileged", holds: ({ HostConfig }) => !HostConfig.Privileged },
  {
    number: "5.5",
    title: "No sensitive folders of the host",
    holds: ({ Mounts }) => Mounts.every(({ Source }) => !SENSITIVE.includes(Source)),
  },
  { number: "5.6", title: "No sshd", holds: () => "what runs is the job's own program" },
  { number: "5.7", title: "No privileged ports mapped", holds: isClosed },
  { number: "5.8", title: "Only needed ports open", holds: isClosed },
  {
    number: "5.9",
    title: "Not the host's network",
    holds: ({ HostConfig }) => HostConfig.NetworkMode !== "host",
  },
  {
    number: "5.10",
    title: "Memory is bounded, swap included",
    holds: ({ HostConfig: { Memory, MemorySwap } }) => Memory > 0 && MemorySwap === Memory,
  },
  { number: "5.11", title: "CPU is bounded", holds: ({ HostConfig }) => HostConfig.NanoCpus > 0 },
  {
    number: "5.12",
    title: "Root file system is read-only",
    holds: ({ HostConfig }, profile) =>
      profile === "strict" ? HostConfig.ReadonlyRootfs : "profile strict only",
  },
  { number: "5.13", title: "Ports bound to an interface", holds: isClosed },
  {
    number: "5.14",
    title: "Restarts are bounded",
    holds: ({ HostConfig }) => ["", "no"].includes(HostConfig.RestartPolicy.Name),
  },
  { number: "5.15", title: "Not the host's processes", holds: ({ HostConfig }) => HostConfig.PidMode === "" },
  {
    number: "5.16",
    title: "Not the host's IPC",
    holds: ({ HostConfig }) => HostConfig.IpcMode === "private",
  },
  { number: "5.17", title: "No devices", holds: ({ HostConfig }) => (HostConfig.Devices ?? []).length === 0 },
  {
    number: "5.18",
    title: "Limits changed only to be lower",
    holds: ({ HostConfig }) => (HostConfig.Ulimits ?? []).every(({ Name }) => Name === "core"),
  },
  {
    number: "5.19",
    title: "Mounts are not shared back",
    holds: ({ Mounts }) => Mounts.every(({ Propagation }) => !/shared/.test(Propagation)),
  },
  { number: "5.20", title: "Not the host's UTS", holds: ({ HostConfig }) => HostConfig.UTSMode === "" },
  { number: "5.21", title: "Default seccomp profile", holds: (it) => !hasOption(it, /seccomp/) },
  { number: "5.22", title: "No privileged exec", holds: () => "Skerry never uses exec" },
  { number: "5.23", title: "No exec as root", holds: () => "Skerry never uses exec" },
  {
    number: "5.24",
    title: "In the daemon's own cgroup",
    holds: ({ HostConfig }) => HostConfig.CgroupParent === "",
  },
  { number: "5.25", title: "No new privileges", holds: (it) => hasOption(it, /^no-new-privileges/) },
  { number: "5.26", title: "Health is checked", holds: () => "the image's own check is kept" },
  { number: "5.27", title: "Images are known by digest", holds: ({ Image }) => Image.startsWith("sha256:") },
  {
    number: "5.28",
    title: "Processes are bounded",
    holds: ({ HostConfig }) => (HostConfig.PidsLimit ?? 0) > 0,
  },
  {
    number: "5.29",
    title: "Not the bridge docker0",
    holds: ({ HostConfig }) => HostConfig.NetworkMode === "none",
  },
  {
    number: "5.30",
    title: "Not the host's users",
    holds: ({ HostConfig }) => HostConfig.UsernsMode !== "host",
  },
  {
    number: "5.31",
    title: "No docker.sock inside",
    holds: ({ Mounts }) => Mounts.every(({ Source }) => !Source.endsWith("docker.sock")),
  },
];

function isClosed({ HostConfig }: Inspected): boolean {
  return !HostConfig.PublishAllPorts && Object.keys(HostConfig.PortBindings ?? {}).length === 0;
}

/** What the program itself sees of its protections. */
const LOOK =
  "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u; touch /probe 2>/dev/null && echo writable; " +
  "ls /var/run/docker.sock 2>/dev/null; ls /sys/class/net; [ -e /in/go ] || while [ ! -e /in/go ]; do usleep 20000; done";

Deno.test("containers of both profiles hold to the CIS Docker Benchmark", async () => {
  await using daemon = await DockerDaemon.start();
  await using folder = await TaskFolder.make();
  const engine = openDockerEngine({
    socketPath: daemon.socketPath,
    nodeId: "n-test",
    policy: POLICY_DEFAULT,
  });
  const client = daemon.client();
  const rows = new Map(ITEMS.map(({ number, title }) => [number, [number.padEnd(5), title.padEnd(36)]]));
  const inside: Record<string, string[]> = {};
  try {
    for (const profile of ["default", "strict"] as const) {
      await Deno.mkdir(`${folder.path}/${profile}`);
      const task = await folder.task("", {
        inputs: [{ hostPath: `${folder.path}/${profile}`, target: "/in", isReadOnly: true }],
        params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", LOOK], Profile: profile },
      });
      const { EntryModule: _, ...params } = task.params;
      await engine.start({ ...task, params, inputs: task.inputs.slice(1) });
      const path = `/containers/${containerName(task.executionId)}/json`;
      const container = await client.get(path, Inspected);
      for (const { number, holds } of ITEMS) {
        const answer = holds(container, profile);
        rows.get(number)!.push(answer === true ? "holds" : answer === false ? "BROKEN" : "n/a");
      }
      await waitUntil(
        "it has looked",
        async () => (await Deno.readTextFile(`${task.folder}/stdout`).catch(() => "")).includes("lo\n"),
      );
      inside[profile] = (await Deno.readTextFile(`${task.folder}/stdout`)).trim().split(/\s+/);
      await folder.file(`${profile}/go`, "");
      assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
    }
  } finally {
    client.close();
    await engine.close();
  }
  console.log([
    "item  what                                 default  strict",
    ...[...rows.values()].map(
      ([number, title, ...answers]) =>
        `${number} ${title} ${answers.map((it) => it.padEnd(8)).join(" ")}`.trimEnd(),
    ),
  ].join("\n"));
  assertEquals([...rows.values()].filter((row) => row.includes("BROKEN")), []);
  assertEquals(inside, {
    default: ["CapEff:", "00000000000004eb", "NoNewPrivs:", "1", "Seccomp:", "2", "0", "writable", "lo"],
    strict: ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2", "65534", "lo"],
  });
});
