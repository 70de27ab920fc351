import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import { download } from "./result_fetch.ts";

const CONTENT = crypto.getRandomValues(new Uint8Array(50_000));

interface Peer {
  /** Bytes after which the link breaks, for each request; absent: never. */
  readonly breaksAfter: readonly (number | undefined)[];
  readonly etag?: string;
  readonly status?: number;
}

async function fetchFrom(peer: Peer, before: Record<string, Uint8Array | string> = {}) {
  const folder = await Deno.makeTempDir();
  const ranges: (string | null)[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const range = request.headers.get("range");
    const isFresh = range !== null && request.headers.get("if-range") === peer.etag;
    const from = isFresh ? Number(/bytes=(\d+)-/.exec(range)![1]) : 0;
    const breakAt = peer.breaksAfter[ranges.length];
    ranges.push(range);
    const headers: Record<string, string> = { "content-length": String(CONTENT.length - from) };
    if (peer.etag) headers.etag = peer.etag;
    if (isFresh) headers["content-range"] = `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}`;
    const status = peer.status ?? (isFresh ? 206 : 200);
    const body = ReadableStream.from(pieces({ from, breakAt, part: `${folder}/x.part` }));
    return new Response(body, { status, headers });
  });
  try {
    for (const [name, body] of Object.entries(before)) {
      if (typeof body === "string") await Deno.writeTextFile(`${folder}/${name}`, body);
      else await Deno.writeFile(`${folder}/${name}`, body);
    }
    const url = `http://127.0.0.1:${server.addr.port}/x.tar.gz`;
    const client = await openClient(openSettings({ path: "/dev/null", flags: { api: [url] } }));
    let gotBytes = 0;
    const onBytes = (count: number) => gotBytes += count;
    await download(client, { url, path: `${folder}/x`, signal: new AbortController().signal, onBytes });
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    return { bytes: await Deno.readFile(`${folder}/x`), ranges, gotBytes, names };
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

interface Sending {
  readonly from: number;
  readonly breakAt: number | undefined;
  /** Where the client keeps what it has: the link is cut once something has arrived. */
  readonly part: string;
}

async function* pieces({ from, breakAt, part }: Sending): AsyncGenerator<Uint8Array> {
  for (let at = from; at < CONTENT.length; at += 10_000) {
    if (breakAt !== undefined && at >= breakAt) {
      while (await Deno.stat(part).then(({ size }) => size === 0, () => true));
      throw new Error("the link is cut");
    }
    yield CONTENT.subarray(at, Math.min(at + 10_000, CONTENT.length));
  }
}

Deno.test("download() goes on where the link broke, when the server promises the same bytes", async () => {
  const { bytes, ranges, names } = await fetchFrom({ breaksAfter: [20_000], etag: '"v1"' });
  assert.deepEqual(bytes, CONTENT);
  assert.equal(ranges.length, 2);
  assert.match(ranges[1] ?? "", /^bytes=\d+-$/);
  assert.deepEqual(names, ["x"]);
});

Deno.test("download() begins again when the server promises nothing", async () => {
  const { bytes, ranges } = await fetchFrom({ breaksAfter: [20_000] });
  assert.deepEqual(bytes, CONTENT);
  assert.deepEqual(ranges, [null, null]);
});

Deno.test("download() goes on with what an earlier call left", async () => {
  const before = { "x.part": CONTENT.slice(0, 30_000), "x.etag": '"v1"' };
  const { bytes, gotBytes } = await fetchFrom({ breaksAfter: [], etag: '"v1"' }, before);
  assert.deepEqual(bytes, CONTENT);
  assert.equal(gotBytes, 20_000);
});

Deno.test("download() takes the whole when what it has is of another version", async () => {
  const before = { "x.part": new Uint8Array(30_000), "x.etag": '"old"' };
  assert.deepEqual((await fetchFrom({ breaksAfter: [], etag: '"v1"' }, before)).bytes, CONTENT);
});

Deno.test("download() fails at once for what is not there", async () => {
  await assert.rejects(
    fetchFrom({ breaksAfter: [], status: 404 }),
    (error: unknown) => error instanceof AppError && error.code === "not_found",
  );
});
