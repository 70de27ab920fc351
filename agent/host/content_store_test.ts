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
    await body(root, () => new ContentFolder(root, { wallMs: () => clock.nowMs }), clock);
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
