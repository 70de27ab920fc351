import { deepStrictEqual as assertEquals, match as assertMatch } from "node:assert";
import { parseRange } from "../../shared/addresses.ts";
import { aClientHello } from "../../tests/support/client_hello.ts";
import { waitUntil } from "../../tests/support/wait_until.ts";
import { parseDomain } from "../core/domains.ts";
import { limited } from "./proxy_connect.ts";
import { type Denied, Proxy } from "./proxy.ts";

/** Stands for the public Internet: an address of this machine's that the owner has named; 127.0.0.1 stays private. */
const OUTSIDE = "127.0.0.2";

/** A proxy, a server outside, one inside, and what names lead to. */
class Scene implements AsyncDisposable {
  readonly denied: Denied[] = [];
  readonly failed: unknown[] = [];
  readonly seen: string[] = [];
  readonly names = new Map<string, string[][]>();
  readonly #outside = this.#server(OUTSIDE);
  readonly #inside = this.#server("127.0.0.1");
  readonly #proxy: Proxy;
  readonly #proxyPort: number;

  constructor(domains: (port: number, insidePort: number) => string[]) {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#proxyPort = listener.addr.port;
    this.names.set("good.test", [[OUTSIDE]]).set("inside.test", [["127.0.0.1"]]);
    this.#proxy = new Proxy(listener, {
      rules: domains(this.port, this.insidePort).map(parseDomain),
      network: {
        ranges: [parseRange(OUTSIDE)!],
        ownAddresses: () => ["1.2.3.4", "2600::1"],
        resolve: (host) => {
          const answers = this.names.get(host) ?? [];
          return Promise.resolve((answers.length > 1 ? answers.shift() : answers[0]) ?? []);
        },
      },
      onDenied: (it) => this.denied.push(it),
      onFailed: (error) => this.failed.push(error),
    });
  }

  get port(): number {
    return this.#outside.addr.port;
  }

  get insidePort(): number {
    return this.#inside.addr.port;
  }

  /** Everything that the proxy answers to these bytes. */
  async send(request: string | Uint8Array): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: this.#proxyPort });
    await conn.write(typeof request === "string" ? new TextEncoder().encode(request) : request);
    return await new Response(conn.readable).text();
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.#proxyPort });
  }

  #server(hostname: string) {
    return Deno.serve({ hostname, port: 0, onListen: () => {} }, async (request) => {
      const url = new URL(request.url);
      const body = await request.text().catch(() => "cut");
      this.seen.push(
        `${hostname} ${request.method} ${request.headers.get("host")} ${url.pathname} ${body}`.trim(),
      );
      if (url.pathname !== "/away") return new Response("answer");
      return Response.redirect(`http://inside.test:${this.insidePort}/`);
    });
  }

  async [Symbol.asyncDispose]() {
    this.#proxy.close();
    await Promise.all([this.#outside.shutdown(), this.#inside.shutdown()]);
  }
}

const get = (url: string, headers = "") => `GET ${url} HTTP/1.1\r\n${headers}\r\n`;

Deno.test("a listed name is reached, by requests with and without a body", async () => {
  await using scene = new Scene((port) => [`good.test:${port}`]);
  const base = `http://good.test:${scene.port}`;
  assertMatch(
    await scene.send(get(`${base}/a?b`)),
    /^HTTP\/1\.1 200 OK\r\n[^]*\r\nConnection: close\r\n[^]*answer/i,
  );
  await scene.send(`POST ${base}/l HTTP/1.1\r\nContent-Length: 4\r\n\r\nfour`);
  await scene.send(
    `POST ${base}/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\none\r\n3\r\ntwo\r\n0\r\nA: b\r\n\r\n`,
  );
  assertEquals(scene.seen, [
    `${OUTSIDE} GET good.test:${scene.port} /a`,
    `${OUTSIDE} POST good.test:${scene.port} /l four`,
    `${OUTSIDE} POST good.test:${scene.port} /c onetwo`,
  ]);
  assertEquals(scene.denied, []);
});

Deno.test("the server is told the name of the URL, whatever Host says, and gets one request for each connection", async () => {
  await using scene = new Scene((port) => [`good.test:${port}`]);
  const url = `http://good.test:${scene.port}`;
  const second = `GET /second HTTP/1.1\r\nHost: other.test\r\n\r\n`;
  await scene.send(get(`${url}/first`, "Host: other.test\r\nConnection: keep-alive\r\n") + second);
  await scene.send(`POST ${url}/body HTTP/1.1\r\nContent-Length: 2\r\n\r\nok${second}`);
  assertEquals(scene.seen, [
    `${OUTSIDE} GET good.test:${scene.port} /first`,
    `${OUTSIDE} POST good.test:${scene.port} /body ok`,
  ]);
});

Deno.test("not a byte beyond the request goes to the server, whatever it says of the connection", async () => {
  using listener = Deno.listen({ hostname: OUTSIDE, port: 0 });
  const { port } = listener.addr;
  await using scene = new Scene(() => [`good.test:${port}`]);
  const client = await scene.connect();
  const request = get(`http://good.test:${port}/`, "Connection: keep-alive, X-Own\r\nX-Own: 1\r\n");
  await client.write(new TextEncoder().encode(`${request}GET http://other.test/ HTTP/1.1\r\n\r\n`));
  await client.closeWrite();
  using server = await listener.accept();
  await server.write(
    new TextEncoder().encode("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"),
  );
  await server.closeWrite();
  const answer = await new Response(client.readable).text();
  assertEquals(answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  assertEquals(
    await new Response(server.readable).text(),
    `GET / HTTP/1.1\r\nHost: good.test:${port}\r\nVia: 1.1 skerry\r\nConnection: close\r\n\r\n`,
  );
});

Deno.test("what is not listed, not public, or ambiguous is turned away", async () => {
  await using scene = new Scene((port) => [`good.test:${port}`, "good.test", ".inside.test", "127.0.0.1"]);
  const { port, insidePort } = scene;
  const cases: readonly [request: string, status: number, why?: Denied["why"]][] = [
    [get("http://other.test/"), 403, "name"],
    [get(`http://${OUTSIDE}:${port}/`), 403, "name"],
    [get(`http://0x7f.0.0.2:${port}/`), 403, "name"],
    [get(`http://[::ffff:127.0.0.2]:${port}/`), 403, "name"],
    [get(`http://good.test@other.test/`), 403, "name"],
    [get(`http://good.test.other.test/`), 403, "name"],
    [get(`http://good.test:${insidePort}/`), 403, "port"],
    [get(`http://inside.test/`), 403, "address"],
    [get(`http://127.0.0.1/`), 403, "address"],
    [get(`http://good.test\\@other.test/`), 400],
    [get(`https://good.test/`), 400],
    [get(`/`, "Host: good.test\r\n"), 400],
    [get(`http://good.test:${port}/`, "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400],
    [`CONNECT other.test:443 HTTP/1.1\r\n\r\n`, 403, "name"],
    [`CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n`, 403, "address"],
    [`CONNECT good.test:22 HTTP/1.1\r\n\r\n`, 403, "port"],
    [`CONNECT good.test HTTP/1.1\r\n\r\n`, 400],
    [`CONNECT good.test:99999 HTTP/1.1\r\n\r\n`, 400],
    [`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`, 400],
  ];
  for (const [request, status, why] of cases) {
    scene.denied.length = 0;
    assertMatch(await scene.send(request), new RegExp(`^HTTP/1\\.1 ${status} `), request);
    assertEquals(scene.denied.map((it) => it.why), why === undefined ? [] : [why], request);
  }
  assertEquals(scene.seen, []);
});

Deno.test("a redirect to a private address is a request like any other", async () => {
  await using scene = new Scene((port, insidePort) => [`good.test:${port}`, `inside.test:${insidePort}`]);
  const answer = await scene.send(get(`http://good.test:${scene.port}/away`));
  const [, location = ""] = /\r\nlocation: (\S+)/i.exec(answer) ?? [];
  assertMatch(await scene.send(get(location)), /^HTTP\/1\.1 403 /);
  assertEquals(scene.seen.length, 1);
});

Deno.test("a name that leads elsewhere the second time is checked the second time", async () => {
  await using scene = new Scene((port) => [`rebound.test:${port}`]);
  scene.names.set("rebound.test", [[OUTSIDE], ["127.0.0.1"]]);
  const request = get(`http://rebound.test:${scene.port}/`);
  assertMatch(await scene.send(request), /^HTTP\/1\.1 200 /);
  assertMatch(await scene.send(request), /^HTTP\/1\.1 403 /);
  // Of several addresses only those that may be reached are tried.
  scene.names.set("rebound.test", [["127.0.0.1", "::1", "10.0.0.1", OUTSIDE]]);
  assertMatch(await scene.send(request), /^HTTP\/1\.1 200 /);
  assertEquals(scene.seen, Array(2).fill(`${OUTSIDE} GET rebound.test:${scene.port} /`));
});

Deno.test("a server that cannot be reached is told apart from one that must not be", async () => {
  await using scene = new Scene(() => ["gone.test"]);
  assertMatch(await scene.send(get("http://gone.test/")), /^HTTP\/1\.1 502 /);
  assertEquals(scene.denied, [{
    ...{ host: "gone.test", port: 80, why: "unreachable" },
    message: 'Cannot reach "gone.test": the name has no address',
  }]);
});

Deno.test("only so many names are looked up at a time, each at last, also after one that fails", async () => {
  const asked: PromiseWithResolvers<readonly string[]>[] = [];
  const resolve = limited(() => {
    const answer = Promise.withResolvers<readonly string[]>();
    asked.push(answer);
    return answer.promise;
  }, 2);
  const answers = ["a", "b", "c", "d"].map((host) => resolve(host).catch(() => "failed"));
  await waitUntil("two are asked for", () => asked.length === 2);
  asked[0]!.reject(new Error("no answer"));
  asked[1]!.resolve(["1.1.1.1"]);
  await waitUntil("the others are", () => asked.length === 4);
  for (const it of asked) it.resolve([]);
  assertEquals(await Promise.all(answers), ["failed", ["1.1.1.1"], [], []]);
});

Deno.test("this machine's own addresses are not reached, although they may be public", async () => {
  await using scene = new Scene(() => [".test"]);
  scene.names.set("own.test", [["1.2.3.4", "2600::1"]]);
  assertMatch(await scene.send(get("http://own.test/")), /^HTTP\/1\.1 403 [^]*own\.test/);
});

Deno.test("a tunnel carries TLS only to the server that it was opened for", async () => {
  using listener = Deno.listen({ hostname: OUTSIDE, port: 0 });
  const { port } = listener.addr;
  await using scene = new Scene(() => [`good.test:${port}`]);
  const tunnel = async (first: Uint8Array) => {
    const [accepted, client] = [listener.accept(), await scene.connect()];
    await client.write(new TextEncoder().encode(`CONNECT good.test:${port} HTTP/1.1\r\n\r\n`));
    using server = await accepted;
    const answer = new Uint8Array(1024);
    const count = await client.read(answer) ?? 0;
    assertMatch(new TextDecoder().decode(answer.subarray(0, count)), /^HTTP\/1\.1 200 .*\r\n\r\n$/);
    await client.write(first);
    await client.closeWrite();
    const received = (await new Response(server.readable).bytes()).length;
    client.close();
    return received;
  };
  const ownHello = aClientHello("good.test");
  assertEquals(await tunnel(ownHello), ownHello.length);
  assertEquals(await tunnel(aClientHello("other.test")), 0);
  assertEquals(await tunnel(aClientHello("other.test", { fragmentBytes: 5 })), 0);
  assertEquals(await tunnel(aClientHello(undefined)), 0);
  // A port that the job has opened by name may speak something else.
  assertEquals(await tunnel(new TextEncoder().encode("SSH-2.0-x\r\n")), 11);
  assertEquals(scene.denied.map(({ why }) => why), Array(3).fill("server_name"));
});

Deno.test("heads that do not end and clients that go away harm nobody", async () => {
  await using scene = new Scene((port) => [`good.test:${port}`]);
  assertMatch(
    await scene.send(`GET http://good.test/ HTTP/1.1\r\nA: ${"x".repeat(70_000)}`),
    /^HTTP\/1\.1 400 /,
  );
  const base = `http://good.test:${scene.port}`;
  for (let count = 0; count < 20; count++) {
    using conn = await scene.connect();
    await conn.write(new TextEncoder().encode(`POST ${base}/ HTTP/1.1\r\nContent-Length: 100\r\n\r\nsome`));
  }
  await waitUntil("it still answers", async () => (await scene.send(get(base))).startsWith("HTTP/1.1 200"));
  assertEquals(scene.failed, []);
});
