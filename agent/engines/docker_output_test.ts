import { deepStrictEqual as assertEquals, ok as assert, throws } from "node:assert";
import fc from "fast-check";
import type { DockerClient } from "./docker_client.ts";
import { ContainerOutput, FrameReader } from "./docker_output.ts";
import { LOG_START, readLogs } from "./log_files.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function frame(stream: 1 | 2, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  bytes[0] = stream;
  new DataView(bytes.buffer).setUint32(4, payload.length);
  bytes.set(payload, 8);
  return bytes;
}

Deno.test("pieces are whole however the stream is cut", () => {
  const Piece = fc.record({ stream: fc.constantFrom(1 as const, 2 as const), text: fc.string() });
  fc.assert(fc.property(fc.array(Piece, { maxLength: 10 }), fc.array(fc.nat(200)), (pieces, cuts) => {
    const all = pieces.flatMap(({ stream, text }) => [...frame(stream, encode(text))]);
    const found: string[] = [];
    const reader = new FrameReader((name, payload) =>
      found.push(`${name} ${new TextDecoder().decode(payload)}`)
    );
    let at = 0;
    for (const cut of [...cuts, all.length]) {
      reader.push(new Uint8Array(all.slice(at, at + cut)));
      at += cut;
    }
    const decode = (text: string) => new TextDecoder().decode(encode(text));
    assertEquals(
      found,
      pieces.map(({ stream, text }) => `${stream === 1 ? "stdout" : "stderr"} ${decode(text)}`),
    );
  }));
});

Deno.test("a stream that is out of step is an error, and not an endless wait", () => {
  throws(() => new FrameReader(() => {}).push(new Uint8Array([1, 0, 0, 0, 255, 0, 0, 0])), /out of step/);
});

/** One piece of output with its stamp: nanoseconds after the beginning of a second. */
interface Piece {
  readonly stream: 1 | 2;
  readonly ns: number;
  readonly text: string;
}

/** A daemon that has printed some pieces, and breaks off after some bytes. */
function daemonWith(pieces: readonly Piece[], bytesMax = Infinity): DockerClient {
  const stamp = (ns: number) => `2026-01-02T03:04:05.${String(ns).padStart(9, "0")}Z`;
  return {
    stream(_method: string, _path: string, { query }: { query: { since?: string } }) {
      const since = query.since === undefined ? 0 : Number(query.since.split(".")[1]);
      const bytes = pieces.filter(({ ns }) => ns >= since).flatMap(({ stream, ns, text }) => [
        ...frame(stream, encode(`${stamp(ns)} ${text}`)),
      ]);
      const kept = new Uint8Array(bytes.slice(0, bytesMax));
      return Promise.resolve(ReadableStream.from([kept.slice(0, 50), kept.slice(50)]));
    },
  } as unknown as DockerClient;
}

Deno.test("output is taken over once, whenever the process dies in between", async () => {
  const pieces: Piece[] = Array.from({ length: 12 }, (_, at) => ({
    stream: at % 3 === 0 ? 2 : 1,
    // A long line comes in pieces with one stamp.
    ns: at < 6 ? at * 1000 : 6000 + Math.floor(at / 3) * 1000,
    text: `piece ${at};`,
  }));
  const expected = (stream: 1 | 2) =>
    pieces.filter((piece) => piece.stream === stream).map(({ text }) => text).join("");
  for (let cut = 0; cut < 800; cut += 37) {
    const folder = await Deno.makeTempDir();
    const first = new ContainerOutput(folder, { run: 0, limitBytes: 10_000 });
    await first.take(daemonWith(pieces, cut), "c", { isFollowing: true });
    // Killed: nothing is closed. What came after the cursor is on disk without it.
    if (cut > 300) await Deno.writeTextFile(`${folder}/stdout`, "torn", { append: true });
    const second = new ContainerOutput(folder, { run: 0, limitBytes: 10_000 });
    await second.take(daemonWith(pieces), "c", { isFollowing: false });
    await second.take(daemonWith(pieces), "c", { isFollowing: false });
    second.close({ isDurable: false });
    assertEquals(await Deno.readTextFile(`${folder}/stdout`), expected(1), `cut at ${cut}`);
    assertEquals(await Deno.readTextFile(`${folder}/stderr`), expected(2), `cut at ${cut}`);
    const page = await readLogs(folder, LOG_START, 100_000);
    assert(page.isComplete);
    const stdout = page.records.filter((record) => record.stream === "stdout");
    assertEquals(stdout.reduce((sum, { bytes }) => sum + bytes.length, 0), encode(expected(1)).length);
    first.close({ isDurable: false });
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("output beyond its bound is counted, also by the next process", async () => {
  const pieces: Piece[] = Array.from(
    { length: 10 },
    (_, at) => ({ stream: 1, ns: at + 1, text: "0123456789" }),
  );
  const folder = await Deno.makeTempDir();
  const first = new ContainerOutput(folder, { run: 0, limitBytes: 35 });
  await first.take(daemonWith(pieces.slice(0, 6)), "c", { isFollowing: true });
  const second = new ContainerOutput(folder, { run: 0, limitBytes: 35 });
  await second.take(daemonWith(pieces), "c", { isFollowing: false });
  second.close({ isDurable: false });
  first.close({ isDurable: false });
  assertEquals((await Deno.readTextFile(`${folder}/stdout`)).length, 35);
  assert((await readLogs(folder, LOG_START, 1000)).droppedBytes.stdout > 0);
  await Deno.remove(folder, { recursive: true });
});
