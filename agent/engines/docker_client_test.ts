import assert from "node:assert/strict";
import { DockerClient } from "./docker_client.ts";

/** A daemon that answers each request with this, and ends the connection. */
function daemonThatSays(socketPath: string, answerTo: (request: string) => string): Deno.UnixListener {
  const listener = Deno.listen({ transport: "unix", path: socketPath });
  (async () => {
    for await (const conn of listener) {
      const bytes = new Uint8Array(4096);
      const length = await conn.read(bytes) ?? 0;
      await conn.write(
        new TextEncoder().encode(answerTo(new TextDecoder().decode(bytes.subarray(0, length)))),
      );
      await conn.closeWrite();
      while (await conn.read(bytes) !== null);
      conn.close();
    }
  })().catch(() => {}); // closed
  return listener;
}

Deno.test("an answer that its daemon cuts off is unavailable, and not whole", async () => {
  const folder = await Deno.makeTempDir();
  const version = JSON.stringify({ Version: "1", ApiVersion: "1.41", Os: "linux", Arch: "amd64" });
  const daemon = daemonThatSays(
    `${folder}/socket`,
    (request) =>
      request.startsWith("GET /version")
        ? `HTTP/1.1 200 OK\r\nContent-Length: ${version.length}\r\nConnection: close\r\n\r\n${version}`
        : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  );
  const client = new DockerClient(`${folder}/socket`);
  try {
    const read = async () => await new Response(await client.stream("GET", "/logs")).text();
    await assert.rejects(read, { code: "unavailable" });
  } finally {
    client.close();
    daemon.close();
    await Deno.remove(folder, { recursive: true });
  }
});
