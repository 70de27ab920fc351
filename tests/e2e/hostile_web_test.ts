/** Web pages that a user of the machine looks at: none may read from the node, let alone submit to it. */
import assert from "node:assert/strict";
import { createConnection } from "node:net";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { tinyJob } from "../support/tiny_module.ts";

const JOBS = "/api/v1/orchestrator/jobs";
const SUBMISSION = JSON.stringify({ Job: tinyJob() });

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** One request as it goes over the wire: fetch() would not let a program set Host or Origin. */
function send(
  node: NodeProcess,
  request: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<Answer> {
  const { hostname, port, host } = new URL(node.url);
  const { method, path, body = "" } = request;
  const headers = {
    Host: host,
    Connection: "close",
    ...body !== "" && { "Content-Length": String(new TextEncoder().encode(body).length) },
    ...request.headers,
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    let text = "";
    socket.setTimeout(10_000, () => socket.destroy(new Error("No answer within 10 s")));
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      text += chunk;
      // Not every connection is closed after its answer: a websocket least of all.
      if (isWhole(text)) socket.destroy();
    });
    socket.on("close", () => {
      const [headers = "", body = ""] = text.split("\r\n\r\n");
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(headers)?.[1] ?? 0), headers, body });
    });
    socket.write(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
  });
}

function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (text.startsWith("HTTP/1.1 101")) return true;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  return length !== undefined && text.length >= end + 4 + Number(length);
}

function assertForbidden({ status, headers, body }: Answer): void {
  assert.equal(status, 403, body);
  assert.match(body, /"Code":"Forbidden"/);
  assert.doesNotMatch(headers, /^access-control-/im, "CORS is closed");
}

async function jobCount(node: NodeProcess): Promise<number> {
  const { Items } = await (await fetch(`${node.url}${JOBS}`)).json();
  return Items.length;
}

const JSON_TYPE = { "Content-Type": "application/json" };

Deno.test("a request that names another host is refused: a name may be pointed here by its owner", async (t) => {
  await using node = await startNodeProcess();
  const { port } = new URL(node.url);
  for (
    const host of [
      "evil.example",
      `evil.example:${port}`,
      `127.0.0.1.evil.example:${port}`,
      `localhost.evil.example:${port}`,
      `10.0.0.1:${port}`,
      "",
      "a b",
    ]
  ) {
    await t.step(`Host: ${host}`, async () => {
      for (const method of ["GET", "PUT", "POST"]) {
        const body = method === "GET" ? undefined : SUBMISSION;
        const answer = await send(node, { method, path: JOBS, headers: { ...JSON_TYPE, Host: host }, body });
        if (answer.status === 400 && ["", "a b"].includes(host)) continue; // no valid request at all
        assertForbidden(answer);
        assert.match(answer.body, /"Hint":".*--host-name"/);
      }
    });
  }
  assert.equal(await jobCount(node), 0);
});

Deno.test("a request of another site's page is refused, whatever it asks", async (t) => {
  await using node = await startNodeProcess();
  const { port } = new URL(node.url);
  const origins = [
    "https://evil.example",
    "http://evil.example",
    "null",
    `http://127.0.0.1:${Number(port) + 1}`,
    "http://127.0.0.1",
    `http://localhost.evil.example:${port}`,
    `http://127.0.0.1:${port}.evil.example`,
    "file://",
  ];
  for (const origin of origins) {
    await t.step(`Origin: ${origin}`, async () => {
      for (const method of ["GET", "PUT", "POST", "DELETE", "OPTIONS"]) {
        const body = ["PUT", "POST"].includes(method) ? SUBMISSION : undefined;
        assertForbidden(
          await send(node, { method, path: JOBS, headers: { ...JSON_TYPE, Origin: origin }, body }),
        );
      }
    });
  }
  assert.equal(await jobCount(node), 0);
});

Deno.test("a form of another site submits nothing: its content types are refused even without an Origin", async (t) => {
  await using node = await startNodeProcess();
  for (
    const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
  ) {
    for (const method of ["POST", "PUT"]) {
      await t.step(`${method} ${type || "without a type"}`, async () => {
        const headers: Record<string, string> = type === "" ? {} : { "Content-Type": type };
        const answer = await send(node, { method, path: JOBS, headers, body: SUBMISSION });
        assert.equal(answer.status, 400, answer.body);
        assert.match(answer.body, /Content-Type must be application\/json/);
      });
    }
  }
  await t.step("and by its Sec-Fetch-Site", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const headers = { ...JSON_TYPE, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors" };
      assertForbidden(await send(node, { method: "POST", path: JOBS, headers, body: SUBMISSION }));
    }
  });
  assert.equal(await jobCount(node), 0);
});

Deno.test("a page of another site cannot stop a job, nor read its logs over a websocket", async (t) => {
  await using node = await startNodeProcess();
  const env = { SKERRY_API: node.url };
  const { code, stdout, stderr } = await skerry(["job", "run", "--id-only", "-"], {
    stdin: JSON.stringify(tinyJob()),
    env,
  });
  assert.equal(code, 0, stderr);
  const id = stdout.trim();
  const upgrade = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const path = `${JOBS}/${id}/logs`;
  await t.step("a websocket with a foreign Origin", async () => {
    for (const Origin of ["https://evil.example", "null"]) {
      assertForbidden(await send(node, { method: "GET", path, headers: { ...upgrade, Origin } }));
    }
  });
  await t.step("a websocket with a foreign Host", async () => {
    assertForbidden(await send(node, { method: "GET", path, headers: { ...upgrade, Host: "evil.example" } }));
  });
  await t.step("a program's websocket is taken", async () => {
    const { status, body } = await send(node, { method: "GET", path, headers: upgrade });
    assert.equal(status, 101, body);
  });
  await t.step("a stop", async () => {
    const headers = { Origin: "https://evil.example" };
    assertForbidden(await send(node, { method: "DELETE", path: `${JOBS}/${id}`, headers }));
  });
});

Deno.test("a request that is none is refused, and the next one is answered", async (t) => {
  await using node = await startNodeProcess();
  const paths = [
    "*",
    "//",
    "/%",
    `${JOBS}/%ff%zz`,
    `${JOBS}/..%2f..%2fetc`,
    `${JOBS}/%00`,
    `/${"a".repeat(5000)}`,
  ];
  for (const path of [...paths, "http://evil.example/api/v1/orchestrator/jobs", "evil"]) {
    await t.step(path.slice(0, 60), async () => {
      const { status, body } = await send(node, { method: "GET", path, headers: {} });
      assert.ok([200, 302, 400, 403, 404].includes(status), `${status} ${body}`);
    });
  }
  assert.equal(await jobCount(node), 0);
  assert.equal(node.log(), "", "nothing that the node should tell of");
});

Deno.test("what the node is called at is its own: by address, by loopback names, by names it was given", async (t) => {
  await using node = await startNodeProcess({ flags: ["--host-name", "skerry.test"] });
  const { port, host } = new URL(node.url);
  const send200 = async (headers: Record<string, string>) => {
    const { status, body } = await send(node, { method: "GET", path: JOBS, headers });
    assert.equal(status, 200, body);
  };
  for (const name of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "skerry.test"]) {
    await t.step(`Host: ${name}`, () => send200({ Host: `${name}:${port}` }));
  }
  await t.step("its own page", () => send200({ Origin: `http://${host}`, "Sec-Fetch-Site": "same-origin" }));
  await t.step(
    "an address that somebody types or follows",
    () => send200({ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" }),
  );
});
