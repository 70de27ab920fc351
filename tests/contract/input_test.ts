/** What every input type promises, run on each of them. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import type { InputSource } from "../../shared/model/job.ts";
import { decodeMessage, encodeAnswer } from "../../shared/wire/envelope.ts";
import { ContentRequest } from "../../shared/wire/messages.ts";
import { serveSubject } from "../../shared/wire/subjects.ts";
import { Contents } from "../../agent/flow/contents.ts";
import { ContentFolder } from "../../agent/host/content_store.ts";
import { inlineInput } from "../../agent/inputs/inline.ts";
import type { Input, InputRequest } from "../../agent/inputs/input.ts";
import { localInput } from "../../agent/inputs/local.ts";

const HOME = "n-hub/orchestrator";
const TEXT = "some data\n";

interface Bench {
  readonly root: string;
  readonly inline: Input;
  readonly local: Input;
  /** Contents that the home serves, by digest. */
  readonly served: Map<string, Uint8Array>;
  request(more?: Partial<InputRequest>): InputRequest;
  [Symbol.asyncDispose](): Promise<void>;
}

async function open(): Promise<Bench> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "skerry-input-" }));
  for (const folder of ["open", "open/inner", "rw", "secret", "run"]) await Deno.mkdir(`${root}/${folder}`);
  await Deno.writeTextFile(`${root}/open/file`, TEXT);
  await Deno.writeTextFile(`${root}/secret/file`, "hush");
  await Deno.symlink(`${root}/secret/file`, `${root}/open/link`);
  await Deno.symlink(`${root}/secret`, `${root}/rw/way_out`);
  const bus = openEmbeddedBus();
  const served = new Map<string, Uint8Array>();
  bus.respond(serveSubject(HOME, "content"), (bytes) => {
    const { digest, offset } = decodeMessage(ContentRequest, bytes);
    // Small pieces, so that there are several.
    return Promise.resolve(encodeAnswer({ bytes: served.get(digest)!.subarray(offset, offset + 7) }));
  });
  const store = new ContentFolder(`${root}/contents`, systemClock);
  return {
    root,
    inline: inlineInput({ contents: new Contents({ bus, store, clock: systemClock }), store }),
    local: localInput({
      allowPaths: [
        { path: `${root}/open`, isWritable: false },
        { path: `${root}/rw`, isWritable: true },
      ],
    }),
    served,
    request: (more) => ({
      folder: `${root}/run`,
      index: 0,
      home: HOME,
      signal: new AbortController().signal,
      ...more,
    }),
    async [Symbol.asyncDispose]() {
      await bus.close();
      await Deno.remove(root, { recursive: true });
    },
  };
}

const inputOf = (type: string, params: Record<string, unknown>): InputSource => ({
  source: { type, params },
  alias: "",
  target: "/inputs/it",
});
const dataUrl = (bytes: Uint8Array, type = "") =>
  `data:${type};base64,${Buffer.from(bytes).toString("base64")}`;
const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Each type with a source that holds `TEXT`, and one that may never be used. */
const KINDS: Readonly<
  Record<string, (bench: Bench) => { input: Input; good: InputSource; bad: InputSource }>
> = {
  "inline, in the order": ({ inline }) => ({
    input: inline,
    good: inputOf("inline", { URL: dataUrl(bytesOf(TEXT)) }),
    bad: inputOf("inline", { URL: 5 }),
  }),
  "inline, by digest": ({ inline, served }) => {
    const bytes = bytesOf(TEXT);
    served.set(digestOf(bytes), bytes);
    return {
      input: inline,
      good: inputOf("inline", { Digest: digestOf(bytes), SizeBytes: bytes.length }),
      bad: inputOf("inline", { Digest: 5 }),
    };
  },
  "local": ({ local, root }) => ({
    input: local,
    good: inputOf("local", { SourcePath: `${root}/open/file` }),
    bad: inputOf("local", { SourcePath: `${root}/secret/file` }),
  }),
  "localDirectory": ({ local, root }) => ({
    input: local,
    good: inputOf("localDirectory", { SourcePath: `${root}/open/file` }),
    bad: inputOf("localDirectory", { SourcePath: "relative/file" }),
  }),
};

for (const [name, kind] of Object.entries(KINDS)) {
  Deno.test(`input ${name}: what is usable is mounted read-only at its target, twice the same`, async () => {
    await using bench = await open();
    const { input, good } = kind(bench);
    assert.ok(input.types.includes(good.source.type));
    assert.ok(input.probe(good).isUsable);
    const mount = await input.prepare(good, bench.request());
    assert.equal(await Deno.readTextFile(mount.hostPath), TEXT);
    assert.deepEqual([mount.target, mount.isReadOnly], ["/inputs/it", true]);
    assert.deepEqual(await input.prepare(good, bench.request()), mount);
  });

  Deno.test(`input ${name}: what may not be used is told by the probe, with a reason`, async () => {
    await using bench = await open();
    const { input, bad } = kind(bench);
    const probe = input.probe(bad);
    assert.ok(!probe.isUsable && probe.failure.message.startsWith("this node does not"));
    assert.equal(probe.failure.code, "input_refused");
    await assert.rejects(input.prepare(bad, bench.request()));
  });
}

Deno.test("inline: an archive is unpacked into a folder, once", async () => {
  await using bench = await open();
  const tar = await packTar([
    { header: { name: "job/", type: "directory", size: 0 } },
    { header: { name: "job/run.sh", size: 3, mode: 0o755, type: "file" }, body: "hi\n" },
    { header: { name: "job/deep/data", size: 4, type: "file" }, body: "data" },
  ]);
  const source = inputOf("inline", { URL: dataUrl(gzipSync(tar), "application/gzip") });
  const [mount, again] = await Promise.all(
    [0, 1].map((index) => bench.inline.prepare(source, bench.request({ index }))),
  );
  assert.equal(await Deno.readTextFile(`${mount!.hostPath}/job/run.sh`), "hi\n");
  assert.equal(await Deno.readTextFile(`${mount!.hostPath}/job/deep/data`), "data");
  assert.equal((await Deno.stat(`${mount!.hostPath}/job/run.sh`)).mode! & 0o777, 0o755);
  assert.equal(again!.hostPath, mount!.hostPath);
});

const HOSTILE: Readonly<Record<string, Parameters<typeof packTar>[0]>> = {
  "a name with ..": [{ header: { name: "../out", size: 1, type: "file" }, body: "x" }],
  "an absolute name": [{ header: { name: "/etc/out", size: 1, type: "file" }, body: "x" }],
  "a link": [{ header: { name: "link", size: 0, type: "symlink", linkname: "/etc" } }],
  "a link under a file": [
    { header: { name: "a", size: 0, type: "symlink", linkname: "/tmp" } },
    { header: { name: "a/b", size: 1, type: "file" }, body: "x" },
  ],
  "a device": [{ header: { name: "null", size: 0, type: "character-device" } }],
  "a file that is a folder": [
    { header: { name: "a", size: 1, type: "file" }, body: "x" },
    { header: { name: "a/b", size: 1, type: "file" }, body: "x" },
  ],
};

for (const [name, entries] of Object.entries(HOSTILE)) {
  Deno.test(`inline: an archive with ${name} is refused and leaves nothing`, async () => {
    await using bench = await open();
    const source = inputOf("inline", { URL: dataUrl(gzipSync(await packTar(entries)), "application/gzip") });
    await assert.rejects(bench.inline.prepare(source, bench.request()), { code: "input_failed" });
    const left = [...Deno.readDirSync(`${bench.root}/contents`)].filter(({ isDirectory }) => isDirectory);
    assert.deepEqual(left, []);
  });
}

Deno.test("inline: an archive of another kind, or one that grows too large, is refused", async () => {
  await using bench = await open();
  const noise = inputOf("inline", {
    URL: dataUrl(crypto.getRandomValues(new Uint8Array(400)), "application/gzip"),
  });
  await assert.rejects(bench.inline.prepare(noise, bench.request()), { code: "input_failed" });
  const bomb = gzipSync(new Uint8Array(300 * 1024 * 1024));
  const large = inputOf("inline", { URL: dataUrl(bomb, "application/gzip") });
  await assert.rejects(bench.inline.prepare(large, bench.request()), { code: "input_failed" });
});

Deno.test("inline: content that does not fit its digest is refused, and fetched anew the next time", async () => {
  await using bench = await open();
  const bytes = bytesOf(TEXT);
  const digest = digestOf(bytes);
  const source = inputOf("inline", { Digest: digest, SizeBytes: bytes.length });
  bench.served.set(digest, bytesOf("same size\n"));
  await assert.rejects(bench.inline.prepare(source, bench.request()), { code: "input_failed" });
  bench.served.set(digest, bytes);
  const mount = await bench.inline.prepare(source, bench.request());
  assert.equal(await Deno.readTextFile(mount.hostPath), TEXT);
});

Deno.test("inline: an abort breaks off the fetching", async () => {
  await using bench = await open();
  const source = inputOf("inline", { Digest: digestOf(bytesOf(TEXT)), SizeBytes: 10 });
  const abort = new AbortController();
  const preparing = bench.inline.prepare(
    source,
    bench.request({ signal: abort.signal, home: "n-away/orchestrator" }),
  );
  abort.abort();
  await assert.rejects(preparing, { code: "stopped" });
});

Deno.test("local: a link that leads out of what is allowed is refused", async () => {
  await using bench = await open();
  const link = inputOf("local", { SourcePath: `${bench.root}/open/link` });
  await assert.rejects(bench.local.prepare(link, bench.request()), { code: "input_refused" });
  const wayOut = inputOf("local", { SourcePath: `${bench.root}/rw/way_out/new`, ReadWrite: true });
  await assert.rejects(bench.local.prepare(wayOut, bench.request()), { code: "input_refused" });
  await assert.rejects(Deno.stat(`${bench.root}/secret/new`), Deno.errors.NotFound);
});

Deno.test("local: a path with .. is refused", async () => {
  await using bench = await open();
  const probe = bench.local.probe(inputOf("local", { SourcePath: `${bench.root}/open/../secret/file` }));
  assert.ok(!probe.isUsable && probe.failure.hint?.includes(".."));
});

Deno.test("local: a folder next to an allowed one is not allowed", async () => {
  await using bench = await open();
  await Deno.mkdir(`${bench.root}/open_not`);
  assert.ok(!bench.local.probe(inputOf("local", { SourcePath: `${bench.root}/open_not` })).isUsable);
});

Deno.test("local: writing needs both sides' consent", async () => {
  await using bench = await open();
  const probe = bench.local.probe(inputOf("local", { SourcePath: `${bench.root}/open`, ReadWrite: true }));
  assert.ok(!probe.isUsable && probe.failure.message.includes("write"));
  const source = inputOf("local", { SourcePath: `${bench.root}/rw`, ReadWrite: true });
  assert.equal((await bench.local.prepare(source, bench.request())).isReadOnly, false);
  const readOnly = inputOf("local", { SourcePath: `${bench.root}/rw` });
  assert.equal((await bench.local.prepare(readOnly, bench.request())).isReadOnly, true);
});

Deno.test("local: what is missing is made as the job asks, where it may write", async () => {
  await using bench = await open();
  const at = (name: string, more: Record<string, unknown>) =>
    inputOf("local", { SourcePath: `${bench.root}/rw/${name}`, ...more });
  await bench.local.prepare(at("a/b", { ReadWrite: true }), bench.request());
  assert.ok((await Deno.stat(`${bench.root}/rw/a/b`)).isDirectory);
  await bench.local.prepare(at("c/d", { ReadWrite: true, CreateAs: "File" }), bench.request());
  assert.ok((await Deno.stat(`${bench.root}/rw/c/d`)).isFile);
  const refused = [
    at("e", {}),
    at("e", { ReadWrite: true, CreateAs: "noCreate" }),
    at("e", { CreateAs: "pipe" }),
  ];
  for (const source of refused) assert.ok(!bench.local.probe(source).isUsable);
});
