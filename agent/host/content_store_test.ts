import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { LIMITS } from "../../shared/limits.ts";
import { ContentFolder } from "./content_store.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

async function withStore(
  body: (root: string, open: () => ContentFolder, clock: { nowMs: number }) => Promise<void>,
) {
  const root = await Deno.makeTempDir({ prefix: "skerry-contents-" });
  const clock = { nowMs: Date.now() };
  try {
    await body(root, () => new ContentFolder(root, { uptimeMs: () => clock.nowMs }), clock);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a content is there once it is whole, and a new process goes on with its pieces", () =>
  withStore(async (_root, open) => {
    const bytes = bytesOf("hello world");
    const digest = digestOf(bytes);
    open().append(digest, bytes.subarray(0, 5));
    const store = open();
    assert.equal(store.find(digest), undefined);
    assert.equal(store.partialBytes(digest), 5);
    store.append(digest, bytes.subarray(5));
    assert.equal(await Deno.readTextFile(store.finish(digest)), "hello world");
    assert.ok(open().find(digest));
  }));

Deno.test("a content that arrived damaged is dropped", () =>
  withStore((_root, open) => {
    const store = open();
    const digest = digestOf(bytesOf("right"));
    store.append(digest, bytesOf("wrong"));
    assert.throws(() => store.finish(digest), { code: "input_failed" });
    assert.equal(store.partialBytes(digest), 0);
    return Promise.resolve();
  }));

Deno.test("a content that lost its bytes in a power cut is not there for the next process", () =>
  withStore(async (_root, open) => {
    const bytes = bytesOf("whole");
    for (const damage of ["", "whale"]) {
      const { path, digest } = open().put(bytes);
      await Deno.writeTextFile(path, damage);
      const store = open();
      assert.equal(store.find(digest), undefined);
      assert.equal(await Deno.readTextFile(store.put(bytes).path), "whole");
    }
  }));

Deno.test("an archive is unpacked once, and anew when the next process finds the folder damaged", () =>
  withStore(async (_root, open) => {
    const { path } = open().put(bytesOf("archive"));
    let count = 0;
    const unpack = async (folder: string) => {
      count++;
      await Deno.mkdir(`${folder}/a`);
      await Deno.writeTextFile(`${folder}/a/file`, "whole");
      await Deno.writeTextFile(`${folder}/b`, "");
    };
    const tree = await open().tree(path, unpack);
    const store = open();
    await Promise.all([store.tree(path, unpack), store.tree(path, unpack)]);
    assert.equal(count, 1);
    const damages = [
      () => Deno.truncate(`${tree}/a/file`),
      () => Deno.remove(`${tree}/b`),
      () => Deno.chmod(`${tree}/b`, 0o755),
      () => Deno.truncate(`${tree}.sum`),
    ];
    for (const [at, damage] of damages.entries()) {
      await damage();
      await open().tree(path, unpack);
      assert.equal(count, at + 2);
      assert.equal(await Deno.readTextFile(`${tree}/a/file`), "whole");
    }
  }));

Deno.test("a digest that is none is refused before it becomes a path", () =>
  withStore((_root, open) => {
    for (const bad of ["", "sha256:", "../../etc/passwd", "sha256:../x", `sha256:${"A".repeat(64)}`]) {
      assert.throws(() => open().find(bad), { code: "input_failed" }, bad);
    }
    return Promise.resolve();
  }));

Deno.test("an empty content can be stored", () =>
  withStore((_root, open) => {
    const store = open();
    assert.ok(store.finish(digestOf(new Uint8Array())));
    return Promise.resolve();
  }));

Deno.test("sweep() removes the oldest beyond the bound, never what is in use", () =>
  withStore(async (root, open, clock) => {
    const store = open();
    const [used, old, recent] = ["used", "old", "recent"].map((text) => store.put(bytesOf(text)));
    // Sparse files: large without using the disk.
    for (const it of [used!, old!]) await Deno.truncate(it.path, LIMITS.contentCacheBytes * 0.6);
    clock.nowMs += LIMITS.contentWaitMs + 1;
    store.find(recent!.digest);
    store.sweep(() => new Set([used!.digest]));
    assert.deepEqual(
      [used, old, recent].map((it) => store.find(it!.digest) !== undefined),
      [true, false, true],
    );
    assert.equal([...Deno.readDirSync(root)].length, 2);
  }));

Deno.test("everything that is not in use or was a moment ago can be made to go, and is told before", () =>
  withStore((_root, open, clock) => {
    const store = open();
    const used = store.put(bytesOf("used"));
    store.put(bytesOf("old one"));
    clock.nowMs += LIMITS.contentWaitMs + 1;
    const recent = store.put(bytesOf("recent"));
    const inUse = () => new Set([used.digest]);
    assert.deepEqual(store.held(), { count: 3, bytes: 17 });
    assert.deepEqual(store.sweep(inUse, { bytesMax: 0, isDry: true }), { count: 1, bytes: 7 });
    assert.deepEqual(store.held(), { count: 3, bytes: 17 });
    assert.deepEqual(store.sweep(inUse, { bytesMax: 0 }), { count: 1, bytes: 7 });
    assert.deepEqual([store.find(used.digest), store.find(recent.digest)], [used.path, recent.path]);
    assert.deepEqual(store.held(), { count: 2, bytes: 10 });
    return Promise.resolve();
  }));
