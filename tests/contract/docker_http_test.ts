/** The network `http` on a real Docker Engine: what a container reaches, and every way around that it might try. */
import { deepStrictEqual as assertEquals, match as assertMatch, ok as assert } from "node:assert";
import { z } from "zod";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import { parseRange } from "../../shared/addresses.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { runsOf, TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

/** Stands for the public Internet: an address of this machine's that the node's owner has named. The others stay private. */
const OUTSIDE = "127.0.0.2";
const PROXY = "127.0.0.1 61128";

const daemon = await DockerDaemon.start();
const folder = await TaskFolder.make();
const seen: string[] = [];
/** On every address of the machine: what a container would reach if it could. */
const server = Deno.serve({ hostname: "0.0.0.0", port: 0, onListen: () => {} }, (request) => {
  const { pathname, port } = new URL(request.url);
  seen.push(`${request.headers.get("host")}${pathname}`);
  if (pathname === "/away") return Response.redirect(`http://inside.test:${port}/`);
  return new Response("answer");
});
const { port } = server.addr;
const engines: Engine[] = [];
/** What names lead to; of several answers each is given once, and the last for ever. */
const names = new Map<string, string[]>();

Deno.test.afterAll(async () => {
  for (const engine of engines) await engine.close();
  await server.shutdown();
  await folder[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
});

function open(): Engine {
  const engine = openDockerEngine({
    socketPath: daemon.socketPath,
    nodeId: "n-test",
    policy: {
      ...POLICY_DEFAULT,
      networks: ["none", "bridge", "http", "host"],
      httpRanges: [parseRange(OUTSIDE)!],
    },
    resolve: (host) => {
      const answers = names.get(host) ?? [];
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return Promise.resolve(answer === undefined ? [] : [answer]);
    },
  });
  engines.push(engine);
  return engine;
}

async function task(script: string, domains: readonly string[]): Promise<EngineTask> {
  const made = await folder.task("", {
    executionId: `e-${crypto.randomUUID()}`,
    network: { type: "http", domains: [...domains] },
  });
  const inputs = [{ hostPath: folder.path, target: "/in", isReadOnly: true }];
  return { ...made, params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", SHELL + script] }, inputs };
}

/** `ask URL` and `tunnel HOST:PORT TEXT` go through the proxy; `try NAME COMMAND` tells whether it worked. */
const SHELL = `
ask() { printf 'GET %s HTTP/1.1\\r\\n\\r\\n' "$1" | nc -w 5 ${PROXY}; }
tunnel() { printf 'CONNECT %s HTTP/1.1\\r\\n\\r\\n%s' "$1" "$2" | nc -w 5 ${PROXY}; }
status() { head -n 1 | tr -d '\\r'; }
try() { name="$1"; shift; if "$@" >/dev/null 2>&1 </dev/null; then echo "$name: OPEN"; else echo "$name: closed"; fi; }
`;

async function run(engine: Engine, it: EngineTask): Promise<string[]> {
  await engine.start(it);
  await engine.wait(it.executionId);
  return (await Deno.readTextFile(`${it.folder}/stdout`)).trim().split("\n");
}

Deno.test("a node that can enforce it offers the network http, and leaves nothing of the try behind", async () => {
  const probe = await open().probe();
  assert(probe.isAvailable);
  assertEquals(probe.networks, ["none", "bridge", "http", "host"]);
  assertEquals(await containers(), []);
});

Deno.test("a container with the network http reaches the job's domains by the proxy, and is told of it", async () => {
  names.set("good.test", [OUTSIDE]);
  const script =
    `ask http://good.test:${port}/a | tail -n 1; echo; ask http://other.test/ | status; env | grep -ic _proxy`;
  assertEquals(await run(open(), await task(script, [`good.test:${port}`])), [
    "answer",
    "HTTP/1.1 403 Forbidden",
    "6",
  ]);
});

Deno.test("there is nothing else in its network: no device, no route, no DNS, no gateway, no socket of the host", async () => {
  const script = "ls /sys/class/net; ip route; ip -6 route | grep -v 'dev lo'; grep -c . /proc/net/unix; " +
    "nslookup good.test 2>&1 | grep -c 'answer:'";
  assertEquals(await run(open(), await task(script, ["good.test"])), ["lo", "1", "0"]);
});

Deno.test("no address of the host is reached directly: not its own, not a gateway's, not by IPv6", async () => {
  const own = Deno.networkInterfaces().filter(({ name }) => name !== "lo").map(({ address }) => address);
  const targets = [
    ...own,
    "172.17.0.1",
    "169.254.169.254",
    "1.1.1.1",
    "2606:4700::1111",
    "fe80::1%lo",
    "::ffff:1.1.1.1",
  ];
  const tries = targets.map((address) => `try ${address} nc -w 2 ${address} ${port}`);
  // On its own loopback device there is the proxy, and nothing of the host's.
  const loopback = ["127.0.0.1", OUTSIDE, "::1"].map((address) =>
    `try ${address} nc -w 2 ${address} ${port}`
  );
  const datagram = "try udp sh -c 'echo x | nc -u -w 1 1.1.1.1 53'";
  const script = [...tries, ...loopback, datagram].join("\n");
  const expected = [...targets, "127.0.0.1", OUTSIDE, "::1", "udp"].map((name) => `${name}: closed`);
  seen.length = 0;
  assertEquals(await run(open(), await task(script, ["good.test"])), expected);
  assertEquals(seen, []);
  // The same tries do reach something where there is a network.
  const onHost = { ...await task(script, []), network: { type: "host" as const, domains: [] } };
  const reached = await run(open(), onHost);
  assertEquals(reached.filter((line) => line.startsWith("127.0.0.")), [
    "127.0.0.1: OPEN",
    `${OUTSIDE}: OPEN`,
  ]);
});

Deno.test("the proxy is no way around either: addresses, rebinding, redirects, other names in the tunnel", async () => {
  names.set("good.test", [OUTSIDE]).set("inside.test", ["127.0.0.1"]).set("rebound.test", [
    OUTSIDE,
    "127.0.0.1",
  ]);
  const domains = ["good.test", "inside.test", "rebound.test"].map((name) => `${name}:${port}`);
  const script = [
    `ask http://127.0.0.1:${port}/ | status`,
    `ask http://0x7f.0.0.2:${port}/ | status`,
    `ask 'http://[::ffff:127.0.0.2]:${port}/' | status`,
    `ask http://inside.test:${port}/ | status`,
    `ask http://rebound.test:${port}/first | status`,
    `ask http://rebound.test:${port}/second | status`,
    `ask "$(ask http://good.test:${port}/away | grep -i '^location:' | cut -d ' ' -f 2 | tr -d '\\r')" | status`,
    `tunnel inside.test:${port} x | status`,
    `tunnel other.test:443 x | status`,
  ].join("\n");
  const refused = "HTTP/1.1 403 Forbidden";
  seen.length = 0;
  assertEquals(await run(open(), await task(script, domains)), [
    ...Array(4).fill(refused),
    "HTTP/1.1 200 OK",
    ...Array(4).fill(refused),
  ]);
  assertEquals(seen, [`rebound.test:${port}/first`, `good.test:${port}/away`]);
});

Deno.test("each task has a proxy of its own: what one may reach is closed to the other at the same time", async () => {
  names.set("one.test", [OUTSIDE]).set("other.test", [OUTSIDE]);
  const engine = open();
  const script = `ask http://one.test:${port}/ | status; ask http://other.test:${port}/ | status`;
  const [one, other] = await Promise.all([
    run(engine, await task(script, [`one.test:${port}`])),
    run(engine, await task(script, [`other.test:${port}`])),
  ]);
  const [open200, closed] = ["HTTP/1.1 200 OK", "HTTP/1.1 403 Forbidden"];
  assertEquals([one, other], [[open200, closed], [closed, open200]]);
});

Deno.test("a failure for want of a network, or of a domain, comes with the option that helps", async () => {
  names.set("good.test", [OUTSIDE]);
  const hintOf = async (it: EngineTask) => {
    const engine = open();
    await engine.start(it);
    const exit = await engine.wait(it.executionId);
    return exit.kind === "exited" ? exit.hint : exit.kind;
  };
  const http = await task(`ask http://good.test/; ask http://other.test/x; ask http://other.test/y; exit 4`, [
    "good.test",
  ]);
  assertEquals(
    await hintOf(http),
    "It was not let to other.test (2 times): list it in the job's Domains (--domain other.test)",
  );
  const none = { ...await task("nc -w 2 1.1.1.1 80", []), network: { type: "none" as const, domains: [] } };
  assertMatch(await hintOf(none) ?? "", /no network: ask for --network bridge/);
});

Deno.test("a new agent serves a running container again, at the same place, and one container is all there is", async () => {
  names.set("good.test", [OUTSIDE]);
  const id = crypto.randomUUID();
  // Nobody listens between the two agents.
  const again =
    `said=; while [ -z "$said" ]; do said=$(ask http://good.test:${port}/ | status); usleep 20000; done`;
  const script = `echo begin; while [ ! -e /in/${id} ]; do usleep 20000; done; ${again}; echo "$said"`;
  const it = await task(script, [`good.test:${port}`]);
  const first = open();
  await first.start(it);
  await waitUntil("it runs alone", async () => (await containers()).join() === containerName(it.executionId));
  await first.close();
  const second = open();
  assertEquals(await second.list(runsOf(it)), [
    { executionId: it.executionId, isRunning: true },
  ]);
  await folder.file(id, "");
  assertEquals(await second.wait(it.executionId), { kind: "exited", exitCode: 0 });
  assertMatch(await Deno.readTextFile(`${it.folder}/stdout`), /^begin\nHTTP\/1\.1 200 OK\n$/);
  second.forget(it.executionId);
});

Deno.test("the network outlives a daemon that is killed and comes back with live-restore", async () => {
  names.set("good.test", [OUTSIDE]);
  await using restored = await DockerDaemon.start({ isLiveRestored: true });
  const engine = openDockerEngine({
    ...{ socketPath: restored.socketPath, nodeId: "n-test" },
    policy: { ...POLICY_DEFAULT, httpRanges: [parseRange(OUTSIDE)!] },
    resolve: (host) => Promise.resolve(names.get(host)!),
  });
  engines.push(engine);
  const id = crypto.randomUUID();
  const wait = `while [ ! -e /in/${id} ]; do echo waits; usleep 20000; done`;
  const it = await task(`${wait}; ask http://good.test:${port}/ | status`, [`good.test:${port}`]);
  await engine.start(it);
  const printed = async () => (await Deno.readTextFile(`${it.folder}/stdout`).catch(() => "")).length;
  await waitUntil(
    "it runs alone",
    async () => await printed() > 0 && (await containers(restored)).length === 1,
  );
  await restored.kill();
  await restored.begin();
  assertEquals(await containers(restored), [containerName(it.executionId)]);
  const before = await printed();
  await waitUntil("its output goes on", async () => await printed() > before);
  await folder.file(id, "");
  assertEquals(await engine.wait(it.executionId), { kind: "exited", exitCode: 0 });
  assertMatch(await Deno.readTextFile(`${it.folder}/stdout`), /\nHTTP\/1\.1 200 OK\n$/);
});

Deno.test("what a crash has left of a network is removed, and the task can start", async () => {
  names.set("good.test", [OUTSIDE]);
  const it = await task(`ask http://good.test:${port}/ | status`, [`good.test:${port}`]);
  // As after a crash between the network and the container: a container that is made, and its network's gone.
  const client = daemon.client();
  await client.post("/containers/create", z.object({ Id: z.string() }), {
    query: { name: containerName(it.executionId) },
    body: {
      Image: BUSYBOX,
      Cmd: ["true"],
      Labels: { "skerry.node": "n-test", "skerry.execution": it.executionId },
    },
  });
  await client.post("/containers/create", z.object({ Id: z.string() }), {
    query: { name: `skerry-net-${it.executionId}-0` },
    body: {
      Image: BUSYBOX,
      Cmd: ["true"],
      Labels: { "skerry.node": "n-test", "skerry.sandbox": it.executionId },
    },
  });
  client.close();
  const engine = open();
  assertEquals(await engine.list(runsOf(it)), []);
  assertEquals(await run(engine, it), ["HTTP/1.1 200 OK"]);
  engine.forget(it.executionId);
  await waitUntil(
    "nothing is left",
    async () => !(await containers()).some((name) => name.includes(it.executionId)),
  );
});

/** Names of all containers of the daemon that have not ended. */
async function containers(of = daemon): Promise<string[]> {
  const client = of.client();
  try {
    const all = await client.get("/containers/json", z.array(z.object({ Names: z.array(z.string()) })));
    return all.flatMap(({ Names }) => Names.map((name) => name.replace("/", ""))).sort();
  } finally {
    client.close();
  }
}
