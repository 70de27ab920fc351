import { deepEqual, equal, match, rejects, throws } from "node:assert/strict";
import { unpackTar } from "modern-tar";
import type { ResultEntry } from "../flow/desk.ts";
import { packResult } from "./tar.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (path: string, sizeBytes: number): ResultEntry => ({ path, kind: "file", sizeBytes });

/** Packs entries whose content is given by path, in pieces of three bytes. */
function pack(entries: readonly ResultEntry[], contents: Record<string, string> = {}) {
  const failures: unknown[] = [];
  const stream = packResult(entries, {
    async *read(path) {
      const content = bytes(contents[path] ?? "");
      for (let at = 0; at < content.length; at += 3) {
        yield await Promise.resolve(content.subarray(at, at + 3));
      }
    },
    onFailure: (error) => void failures.push(error),
  });
  return { failures, read: async () => new Uint8Array(await new Response(stream).arrayBuffer()) };
}

async function unpacked(archive: Uint8Array): Promise<string[]> {
  const plain = new Response(archive as BodyInit).body!.pipeThrough(new DecompressionStream("gzip"));
  const entries = await unpackTar(plain);
  return entries.map(({ header, data }) => `${header.type} ${header.name} ${new TextDecoder().decode(data)}`);
}

Deno.test("packResult() keeps folders, empty files, long names and names beyond ASCII", async () => {
  const long = `${"d".repeat(120)}/${"f".repeat(150)}`;
  const contents = { "out/a.txt": "hello", [long]: "deep", "größe €": "1", empty: "" };
  const entries = [
    { path: "out", kind: "folder" as const, sizeBytes: 0 },
    ...Object.entries(contents).map(([path, text]) => file(path, bytes(text).length)),
  ];
  deepEqual(await unpacked(await pack(entries, contents).read()), [
    "directory out/ ",
    "file out/a.txt hello",
    `file ${long} deep`,
    "file größe € 1",
    "file empty ",
  ]);
});

Deno.test("packResult() gives the same bytes for the same files", async () => {
  const make = () => pack([file("a", 3)], { a: "abc" }).read();
  deepEqual(await make(), await make());
});

for (const path of ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\\b", "a\0b", "a/"]) {
  Deno.test(`packResult() refuses the path ${JSON.stringify(path)}`, () => {
    throws(() => pack([file(path, 0)]), { name: "AppError", code: "io" });
  });
}

for (const [what, sizeBytes] of [["shorter", 9], ["longer", 2]] as const) {
  Deno.test(`packResult() breaks off when a file is ${what} than it was told to be`, async () => {
    const { read, failures } = pack([file("a", sizeBytes), file("b", 1)], { a: "abcdef", b: "b" });
    await rejects(read());
    equal(failures.length, 1);
    match(String(failures[0]), /Cannot send "a": it must have/);
  });
}

Deno.test("packResult() ends reading when nobody wants the archive any more", async () => {
  const gone = Promise.withResolvers<void>();
  const stream = packResult([file("big", 1e12)], {
    async *read(_path, signal) {
      signal.addEventListener("abort", () => gone.resolve());
      while (!signal.aborted) yield await Promise.resolve(new Uint8Array(64 * 1024));
    },
    onFailure() {},
  });
  const reader = stream.getReader();
  await reader.read();
  await reader.cancel();
  await gone.promise;
});
