import assert from "node:assert/strict";
import { AppError } from "../../shared/errors.ts";
import { httpGet } from "./http_get.ts";

const NEVER = new AbortController().signal;

function serve(handler: Deno.ServeHandler): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
}

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  const error = await work.then(() => undefined, (error) => error);
  return error instanceof AppError ? error.code : error && String(error);
};

Deno.test("the status is told, of what is answered and not of what it leads to", async () => {
  await using server = serve(({ url }) => {
    const { pathname, search } = new URL(url);
    return pathname === "/moved"
      ? Response.redirect(new URL("/gone", url), 302)
      : new Response("x".repeat(1_000_000), { status: search === "?ok" ? 200 : 404 });
  });
  const get = (path: string) =>
    httpGet(`http://127.0.0.1:${server.addr.port}${path}`, { timeoutMs: 5_000, signal: NEVER });
  assert.deepEqual([await get("/a?ok"), await get("/moved"), await get("/")], [200, 302, 404]);
});

Deno.test("nobody there, no answer in time, and no HTTP are errors", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const at = (port: number) => `http://127.0.0.1:${port}/`;
  assert.equal(
    await codeOf(httpGet(at(deaf.addr.port), { timeoutMs: 50, signal: NEVER })),
    "timed_out",
  );
  const speaksOther = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = speaksOther.accept().then(async (conn) => {
    await conn.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
    conn.close();
  });
  const { port } = speaksOther.addr;
  assert.equal(await codeOf(httpGet(at(port), { timeoutMs: 5_000, signal: NEVER })), "unreachable");
  await other;
  speaksOther.close();
  assert.equal(await codeOf(httpGet(at(port), { timeoutMs: 5_000, signal: NEVER })), "unreachable");
});

Deno.test("a task is asked directly, whatever proxy the agent's environment names", async () => {
  await using task = serve(() => new Response());
  await using proxy = serve(() => new Response(null, { status: 503 }));
  const module = new URL("./http_get.ts", import.meta.url).href;
  const url = `http://127.0.0.1:${task.addr.port}/`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-check",
      `import { httpGet } from "${module}";
       console.log(await httpGet("${url}", { timeoutMs: 5000, signal: new AbortController().signal }));`,
    ],
    env: { HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}`, NO_COLOR: "1" },
  }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), "200", new TextDecoder().decode(stderr));
});
