/** Listening in another network namespace, on real ones. Needs Linux and root, as the network `http` does. */
import { deepStrictEqual as assertEquals, match as assertMatch, throws as assertThrows } from "node:assert";
import { listenIn, whyNotEnter } from "../../agent/engines/net_namespace.ts";
import { waitUntil } from "../support/wait_until.ts";

/** A process in a network namespace of its own, which `script` has made as it is wanted. */
async function inNamespace(script: string, body: (pid: number) => Promise<void> | void): Promise<void> {
  const command = new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", `${script}; echo ready; exec sleep 60`],
    stdout: "piped",
  });
  const child = command.spawn();
  try {
    const { value } = await child.stdout.values().next();
    assertMatch(new TextDecoder().decode(value), /ready/);
    await body(child.pid);
  } finally {
    child.kill("SIGKILL");
    await child.stdout.cancel().catch(() => {});
    await child.status;
  }
}

/** Stands for a container's id: it is in every cgroup's name. */
const ANY = "/";
const PORT = 61128;

Deno.test("the agent listens in the namespace, is reached from there only, and comes back with all its threads", async () => {
  assertEquals(whyNotEnter(), undefined);
  await inNamespace("ip link set lo up", async (pid) => {
    using listener = listenIn({ pid, containerId: ANY }, PORT);
    const own = await Deno.readLink("/proc/self/ns/net");
    const threads = [...Deno.readDirSync("/proc/self/task")];
    assertEquals(
      threads.map(({ name }) => Deno.readLinkSync(`/proc/self/task/${name}/ns/net`)),
      threads.map(() => own),
    );
    await Deno.connect({ hostname: "127.0.0.1", port: PORT }).then(() => Promise.reject("reached"), () => {});
    const inside = new Deno.Command("nsenter", {
      args: ["--net", "--target", String(pid), "busybox", "nc", "-w", "5", "127.0.0.1", String(PORT)],
      stdin: "null",
      stdout: "piped",
    }).output();
    using conn = await listener.accept();
    await conn.write(new TextEncoder().encode("hello"));
    conn.close();
    assertEquals(new TextDecoder().decode((await inside).stdout), "hello");
  });
});

Deno.test("a namespace with another way out, of another's process, or the agent's own is not entered", async () => {
  const failing = (of: { pid: number; containerId: string }) => {
    let message = "";
    assertThrows(() => listenIn(of, PORT), (error: Error) => ((message = error.message), true));
    return message;
  };
  assertMatch(failing({ pid: Deno.pid, containerId: ANY }), /node's own network/);
  assertMatch(failing({ pid: 2 ** 22 + 1, containerId: ANY }), /Cannot listen/);
  await inNamespace("ip link set lo up; ip link add out type veth peer name in", (pid) => {
    assertMatch(failing({ pid, containerId: ANY }), /another way out: (in|out), (in|out)/);
    assertMatch(failing({ pid, containerId: "a-container" }), /is not the container's/);
  });
  await inNamespace("ip link set lo up", (pid) => {
    using _first = listenIn({ pid, containerId: ANY }, PORT);
    assertMatch(failing({ pid, containerId: ANY }), /Cannot listen/);
  });
  await waitUntil("this machine's own network is as it was", () => {
    Deno.listen({ hostname: "127.0.0.1", port: PORT }).close();
    return true;
  });
});

Deno.test("an agent that is not root says that it would have to be", async () => {
  const module = new URL("../../agent/engines/net_namespace.ts", import.meta.url).href;
  const cache = await Deno.makeTempDir({ prefix: "skerry-nobody-" });
  await Deno.chmod(cache, 0o777);
  try {
    const { stdout, stderr } = await new Deno.Command("setpriv", {
      args: [
        "--reuid=65534",
        "--clear-groups",
        Deno.execPath(),
        "eval",
        "--no-config",
        `console.log((await import("${module}")).whyNotEnter())`,
      ],
      env: { DENO_DIR: cache, HOME: cache },
    }).output();
    assertEquals(
      new TextDecoder().decode(stdout).trim(),
      "it needs root: the agent runs as the user 65534",
      new TextDecoder().decode(stderr),
    );
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});
