import { deepStrictEqual as assertEquals } from "node:assert";
import { endedByShutdown, readShutdownFacts, runlevelIn, type ShutdownFacts } from "./machine_shutdown.ts";

const NOW = 1_000_000_000;
const JUST_NOW = { finishedAtMs: NOW - 100, nowMs: NOW };

Deno.test("what ends while the machine goes down was ended by that, and what ended long before was not", () => {
  const down: ShutdownFacts[] = [
    { systemState: "stopping" },
    { runlevel: "0" },
    { runlevel: "6" },
    { runlevel: "shutdown" },
    { systemState: "stopping", runlevel: "5" },
  ];
  for (const facts of down) {
    assertEquals(endedByShutdown(facts, JUST_NOW), true, JSON.stringify(facts));
    assertEquals(endedByShutdown(facts, { finishedAtMs: NOW - 3_600_000, nowMs: NOW }), false);
  }
  const up: ShutdownFacts[] = [
    {},
    ...["running", "degraded", "starting", "maintenance", "offline", "unknown", ""].map((systemState) => ({
      systemState,
    })),
    ...["2", "3", "5", "S"].map((runlevel) => ({ runlevel })),
  ];
  for (const facts of up) assertEquals(endedByShutdown(facts, JUST_NOW), false, JSON.stringify(facts));
});

/** A record as login programs write it. */
function record(type: number, { pid = 0, user = "" }: { pid?: number; user?: string }): Uint8Array {
  const bytes = new Uint8Array(384);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, type, true);
  view.setInt32(4, pid, true);
  bytes.set(new TextEncoder().encode(user), 44);
  return bytes;
}

Deno.test("the runlevel is read from what login programs leave", () => {
  const of = (...records: Uint8Array[]) => runlevelIn(new Uint8Array(records.flatMap((it) => [...it])));
  const boot = record(2, { user: "reboot" });
  assertEquals(
    of(boot, record(1, { pid: 256 * "N".charCodeAt(0) + "5".charCodeAt(0), user: "runlevel" })),
    "5",
  );
  assertEquals(
    of(boot, record(1, { pid: "6".charCodeAt(0), user: "runlevel" }), record(7, { user: "anna" })),
    "6",
  );
  assertEquals(of(boot, record(1, { user: "shutdown" })), "shutdown");
  assertEquals(of(boot), undefined);
  assertEquals(of(new Uint8Array(100)), undefined);
});

Deno.test("systemd is asked where it runs, and an answer that does not come says nothing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-shutdown-" });
  try {
    const systemctl = `${folder}/systemctl`;
    const says = (script: string) => Deno.writeTextFile(systemctl, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const signs = { systemdFolder: folder, systemctl, utmp: `${folder}/utmp` };
    assertEquals(await readShutdownFacts(signs), {});
    await says('[ "$1" = is-system-running ] && echo stopping; exit 1');
    assertEquals(await readShutdownFacts(signs), { systemState: "stopping" });
    assertEquals(await readShutdownFacts({ ...signs, systemdFolder: `${folder}/none` }), {});
    await Deno.writeFile(signs.utmp, record(1, { pid: "6".charCodeAt(0) }));
    await says("exec sleep 60");
    assertEquals(await readShutdownFacts(signs), { runlevel: "6" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
