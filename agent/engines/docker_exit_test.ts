import { deepStrictEqual as assertEquals, match, ok } from "node:assert";
import { compareVersions, DockerRefusal } from "./docker_client.ts";
import { type ContainerState, exitOf, isCutShort, startFailure } from "./docker_exit.ts";
import { registryOf } from "./docker_auth.ts";
import { isRoot } from "./docker_container.ts";

const SEEN = { isStopping: false, isDiskExceeded: false, isCutShort: false };
const STATE: ContainerState = {
  ...{ Status: "exited", Running: false, OOMKilled: false, ExitCode: 0, Error: "", Pid: 0 },
  StartedAt: new Date(Date.now() - 5_000).toISOString(),
  FinishedAt: new Date(Date.now() - 1_000).toISOString(),
};

Deno.test("an exit is what the daemon says, unless something else ended the container", () => {
  assertEquals(exitOf(STATE, SEEN), { kind: "exited", exitCode: 0 });
  assertEquals(exitOf({ ...STATE, ExitCode: 3 }, SEEN), { kind: "exited", exitCode: 3 });
  assertEquals(exitOf({ ...STATE, ExitCode: 137 }, { ...SEEN, isStopping: true }), {
    kind: "stopped",
    exitCode: 137,
  });
  const codes = [
    exitOf({ ...STATE, ExitCode: 137, OOMKilled: true }, SEEN),
    exitOf({ ...STATE, ExitCode: 137 }, SEEN),
    exitOf(STATE, { ...SEEN, isCutShort: true }),
    exitOf({ ...STATE, ExitCode: 137 }, { ...SEEN, isDiskExceeded: true }),
    exitOf({ ...STATE, ExitCode: 128, Error: "no such device" }, SEEN),
  ].map((exit) => exit.kind === "failed" ? exit.code : exit.kind);
  assertEquals(codes, ["memory_exceeded", "interrupted", "interrupted", "disk_exceeded", "start_failed"]);
});

Deno.test("an end that somebody saw is the task's own; one while the daemon was away is not", async () => {
  const seen = { isWitnessed: true, lostAtMs: undefined, isLiveRestored: false, socketPath: "/nowhere" };
  assertEquals(await isCutShort(STATE, seen), false);
  assertEquals(await isCutShort(STATE, { ...seen, lostAtMs: Date.now() - 1_500 }), true);
  assertEquals(await isCutShort(STATE, { ...seen, lostAtMs: Date.now() + 60_000 }), false);
  // Also with live-restore: what it printed while nobody read is gone.
  assertEquals(
    await isCutShort(STATE, { ...seen, lostAtMs: Date.now() - 1_500, isLiveRestored: true }),
    true,
  );
});

Deno.test("an end that nobody saw was a shutdown's when the machine has been started since", async () => {
  const before = { ...STATE, StartedAt: "2001-01-01T00:00:00Z", FinishedAt: "2001-01-01T00:01:00Z" };
  const seen = { isWitnessed: false, lostAtMs: undefined, isLiveRestored: true, socketPath: "/nowhere" };
  assertEquals(await isCutShort(before, seen), true);
  assertEquals(await isCutShort(STATE, seen), false);
});

Deno.test("why a container does not start comes with what to do", () => {
  const cases: [number, string, string, RegExp][] = [
    [400, 'exec: "x": executable file not found in $PATH', "start_failed", /not in the image/],
    [
      400,
      "unable to find user x: no matching entries in passwd file",
      "start_failed",
      /user is not in the image/,
    ],
    [400, "No command specified", "start_failed", /after --/],
    [500, "write /x: no space left on device", "disk_full", /./],
  ];
  for (const [status, message, code, hint] of cases) {
    const failure = startFailure(new DockerRefusal(status, message), undefined);
    assertEquals(failure.code, code);
    match(failure.message, /Cannot start the container: /);
    ok(code === "disk_full" || hint.test(failure.hint ?? ""), failure.hint);
  }
});

Deno.test("names of registries, versions and users are read as Docker reads them", () => {
  const hub = "https://index.docker.io/v1/";
  const registries = [
    "alpine",
    "team/app:1",
    "docker.io/library/alpine",
    "ghcr.io/a/b",
    "localhost/a",
    "host:5000/a",
  ];
  assertEquals(registries.map(registryOf), [hub, hub, hub, "ghcr.io", "localhost", "host:5000"]);
  ok(compareVersions("1.9", "1.41") < 0 && compareVersions("1.44", "1.44") === 0);
  assertEquals(["", "root", "0", "0:5", "root:x", "1000", "app:0"].map(isRoot), [
    true,
    true,
    true,
    true,
    true,
    false,
    false,
  ]);
});
