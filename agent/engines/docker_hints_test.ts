import { deepStrictEqual as assertEquals, match as assertMatch } from "node:assert";
import type { DeniedName } from "./docker_http.ts";
import { POLICY_DEFAULT } from "./docker_policy.ts";
import { type Clues, hintFrom, withHint } from "./docker_hints.ts";

const denied = (changes: Partial<DeniedName> = {}): DeniedName => ({
  ...{ host: "example.org", port: 443, why: "name", message: "no", count: 1 },
  ...changes,
});
const hint = (clues: Partial<Clues>) =>
  hintFrom({ output: "", exitCode: 1, network: "none", denied: [], allowed: POLICY_DEFAULT, ...clues }) ?? "";

Deno.test("a task without a network is told of the options, in whatever words its program complains", () => {
  const complaints = [
    "curl: (6) Could not resolve host: example.org",
    "wget: bad address 'example.org'",
    "wget: unable to resolve host address ‘example.org’",
    "fatal: unable to access 'https://x/': Couldn't resolve host 'x'",
    "ping: example.org: Temporary failure in name resolution",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution",
    "urllib3…: Failed to establish a new connection: [Errno 101] Network is unreachable",
    "dial tcp: lookup example.org on 10.0.0.2:53: dial udp 10.0.0.2:53: connect: network is unreachable",
    "Error: getaddrinfo EAI_AGAIN example.org",
    "Error: connect ENETUNREACH 1.1.1.1:443",
    "java.net.UnknownHostException: example.org",
    "W: Failed to fetch http://deb.debian.org/…  Temporary failure resolving 'deb.debian.org'",
    'psql: error: could not translate host name "db" to address',
  ];
  for (const output of complaints) assertMatch(hint({ output }), /--network bridge.*--network http/, output);
  for (const output of ["no such file", "permission denied", "killed", ""]) {
    assertEquals(hint({ output }), "");
  }
  assertEquals(hint({ output: complaints[0], network: "bridge" }), "");
  assertMatch(hint({ output: complaints[0], network: "http" }), /HTTP_PROXY/);
});

Deno.test("what the proxy turned away is named, with what to write", () => {
  const of = (it: Partial<DeniedName>) => hint({ network: "http", denied: [denied(it)] });
  assertMatch(of({}), /--domain example\.org\)/);
  assertMatch(of({ why: "port", port: 8080 }), /--domain example\.org:8080\)/);
  assertMatch(of({ host: "2001:db8::1", port: 22 }), /\[2001:db8::1\]:22/);
  assertMatch(of({ why: "address" }), /docker_http_ranges/);
  assertMatch(of({ why: "server_name" }), /TLS/);
  assertMatch(
    of({ why: "unreachable", message: "Cannot reach it: why" }),
    /Cannot reach it: why.*the node itself/,
  );
});

Deno.test("only an end with another exit code than 0 gets a hint, from the end of either stream", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const clues = { folder, network: "none" as const, denied: [], allowed: POLICY_DEFAULT };
    assertEquals(await withHint({ kind: "exited", exitCode: 1 }, clues), { kind: "exited", exitCode: 1 });
    await Deno.writeTextFile(`${folder}/stdout`, `${"x".repeat(20_000)}\nNetwork is unreachable\n`);
    const exit = await withHint({ kind: "exited", exitCode: 1 }, clues);
    assertMatch(exit.kind === "exited" ? exit.hint ?? "" : "", /--network/);
    assertEquals(await withHint({ kind: "exited", exitCode: 0 }, clues), { kind: "exited", exitCode: 0 });
    assertEquals(await withHint({ kind: "stopped" }, clues), { kind: "stopped" });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an exit code that says how it ended is told in words, where nothing else is known", () => {
  assertMatch(hint({ exitCode: 139 }), /SIGSEGV/);
  assertMatch(hint({ exitCode: 127 }), /not found/);
  assertMatch(hint({ exitCode: 137 }), /memory/);
  assertEquals(hint({ exitCode: 3 }), "");
  assertMatch(hint({ exitCode: 127, output: "wget: bad address 'example.org'" }), /--network/);
});
