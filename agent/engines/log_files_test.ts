import { deepStrictEqual as assertEquals, ok as assert } from "node:assert";
import fc from "fast-check";
import {
  danglingUtf8,
  endLogs,
  LOG_START,
  type LogCursor,
  type LogPage,
  type LogStream,
  LogWriter,
  readLogs,
} from "./log_files.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A folder of its own for one test. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-logs-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads page by page until there is nothing new. */
async function readAll(folder: string, maxBytes: number, from: LogCursor = LOG_START) {
  const records: LogPage["records"][number][] = [];
  let cursor = from;
  for (;;) {
    const page = await readLogs(folder, cursor, maxBytes);
    records.push(...page.records);
    if (page.isComplete || page.records.length === 0) {
      return { records, cursor: page.cursor, isComplete: page.isComplete };
    }
    cursor = page.cursor;
  }
}

function textOf(records: readonly { stream: LogStream; bytes: Uint8Array }[], stream: LogStream): string {
  const parts = records.filter((record) => record.stream === stream).map((record) => [...record.bytes]);
  return new TextDecoder().decode(Uint8Array.from(parts.flat()));
}

const write = fc.record({
  stream: fc.constantFrom<LogStream>("stdout", "stderr"),
  text: fc.string({ unit: "grapheme", maxLength: 40 }),
  afterMs: fc.integer({ min: 0, max: 40 }),
  cutAt: fc.nat(),
});

Deno.test("what is read is what was written, each stream in its order, however large the pages", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(write, { maxLength: 60 }),
      fc.integer({ min: 1, max: 200 }),
      async (writes, maxBytes) => {
        await inFolder(async (folder) => {
          let nowMs = 1000;
          const logs = new LogWriter(folder, { limitBytes: 1_000_000, now: () => nowMs });
          for (const { stream, text, afterMs, cutAt } of writes) {
            nowMs += afterMs;
            // A program may well write half a character at a time.
            const bytes = encode(text);
            const cut = bytes.length === 0 ? 0 : cutAt % bytes.length;
            logs.write(stream, bytes.subarray(0, cut));
            logs.write(stream, bytes.subarray(cut));
          }
          logs.close({ isDurable: false });
          const { records, isComplete } = await readAll(folder, maxBytes);
          assertEquals(isComplete, writes.some(({ text }) => text !== ""));
          for (const stream of ["stdout", "stderr"] as const) {
            const expected = writes.filter((it) => it.stream === stream).map((it) => it.text).join("");
            assertEquals(textOf(records, stream), expected);
          }
          for (const { bytes } of records) new TextDecoder("utf-8", { fatal: true }).decode(bytes);
        });
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("the two streams are read in the order in which they were written", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1000 });
    for (
      const [stream, text] of [["stdout", "a"], ["stderr", "b"], ["stderr", "c"], ["stdout", "d"]] as const
    ) {
      logs.write(stream, encode(text));
    }
    logs.close({ isDurable: true });
    const { records } = await readAll(folder, 1000);
    assertEquals(records.map(({ stream, bytes }) => `${stream} ${new TextDecoder().decode(bytes)}`), [
      "stdout a",
      "stderr bc",
      "stdout d",
    ]);
  });
});

Deno.test("output is read while it is written, also what the index does not tell of yet", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1000 });
    assertEquals((await readLogs(folder, LOG_START, 100)).records, []);
    let cursor = LOG_START;
    const next = async () => {
      const page = await readLogs(folder, cursor, 100);
      cursor = JSON.parse(JSON.stringify(page.cursor));
      return page.records.map(({ stream, bytes }) => `${stream} ${new TextDecoder().decode(bytes)}`);
    };
    logs.write("stdout", encode("50 %"));
    assertEquals(await next(), ["stdout 50 %"]);
    logs.write("stdout", encode(" 60 %"));
    assertEquals(await next(), ["stdout  60 %"]);
    logs.write("stderr", encode("oh"));
    logs.write("stdout", encode(" 70 %"));
    assertEquals(await next(), ["stderr oh", "stdout  70 %"]);
    assertEquals(await next(), []);
    logs.close({ isDurable: false });
    assert((await readLogs(folder, cursor, 100)).isComplete);
  });
});

Deno.test("a program that prints byte by byte has a small index", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1_000_000 });
    for (let i = 0; i < 20_000; i++) logs.write("stdout", encode("c"));
    logs.close({ isDurable: false });
    assert((await Deno.stat(`${folder}/log.index`)).size < 20_000);
  });
});

Deno.test("the index is bounded for one that alternates as well, and nothing is lost", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 100_000, now: () => 5 });
    for (let i = 0; i < 20_000; i++) {
      logs.write("stdout", encode("o"));
      logs.write("stderr", encode("e"));
    }
    logs.close({ isDurable: false });
    assert((await Deno.stat(`${folder}/log.index`)).size < 70_000);
    const { records, isComplete } = await readAll(folder, 10_000);
    assert(isComplete);
    assertEquals(textOf(records, "stdout").length, 20_000);
    assertEquals(textOf(records, "stderr").length, 20_000);
  });
});

Deno.test("what is beyond a stream's bound is dropped and told, and the other stream goes on", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 10_000 });
    for (let i = 0; i < 100; i++) logs.write("stdout", encode("x".repeat(1024)));
    logs.write("stderr", encode("fine"));
    logs.close({ isDurable: false });
    const page = await readLogs(folder, LOG_START, 1_000_000);
    assertEquals(textOf(page.records, "stdout").length, 10_000);
    assertEquals(textOf(page.records, "stderr"), "fine");
    assertEquals(page.droppedBytes, { stdout: 102_400 - 10_000, stderr: 0 });
  });
});

Deno.test("every byte that was dropped is told once, however the log is read", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 10 });
    let cursor = LOG_START;
    let droppedBytes = 0;
    const read = async () => {
      const page = await readLogs(folder, cursor, 1_000_000);
      cursor = page.cursor;
      droppedBytes += page.droppedBytes.stdout;
    };
    for (let count = 0; count < 100; count++) {
      logs.write("stdout", encode("abc"));
      if (count % 7 === 0) await read();
    }
    logs.close({ isDurable: false });
    await read();
    await read();
    assertEquals(droppedBytes, 290);
    assertEquals((await readLogs(folder, LOG_START, 1_000_000)).droppedBytes.stdout, 290);
  });
});

Deno.test("a writer that goes on for one that died tells what that one has dropped", async () => {
  await inFolder(async (folder) => {
    const before = new LogWriter(folder, { limitBytes: 10 });
    before.write("stdout", encode("x".repeat(13)));
    const logs = LogWriter.resume(folder, {
      limitBytes: 10,
      stdout: { bytes: 10, dropped: 3 },
      stderr: { bytes: 0, dropped: 0 },
    });
    logs.write("stdout", encode("yy"));
    logs.close({ isDurable: false });
    const page = await readLogs(folder, LOG_START, 1000);
    assertEquals([textOf(page.records, "stdout"), page.droppedBytes.stdout], ["x".repeat(10), 5]);
  });
});

Deno.test("more dropped bytes than 32 bits count are told exactly", async () => {
  await inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/stdout`, "x");
    const logs = LogWriter.resume(folder, {
      limitBytes: 10,
      stdout: { bytes: 1, dropped: 2 ** 40 + 3 },
      stderr: { bytes: 0, dropped: 0 },
    });
    logs.close({ isDurable: false });
    assertEquals((await readLogs(folder, LOG_START, 1000)).droppedBytes.stdout, 2 ** 40 + 3);
  });
});

Deno.test("a torn index, and one that tells of more than there is, are read as far as they go", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1000 });
    logs.write("stdout", encode("one"));
    logs.write("stderr", encode("two"));
    logs.write("stdout", encode("three"));
    logs.close({ isDurable: false });
    const index = await Deno.readFile(`${folder}/log.index`);
    for (let length = 0; length <= index.length; length++) {
      await Deno.writeFile(`${folder}/log.index`, index.subarray(0, length));
      const { records } = await readAll(folder, 1000);
      assertEquals([textOf(records, "stdout"), textOf(records, "stderr")], ["onethree", "two"]);
    }
    await Deno.truncate(`${folder}/stdout`, 4);
    const { records, isComplete } = await readAll(folder, 1000);
    assertEquals([textOf(records, "stdout"), textOf(records, "stderr"), isComplete], ["onet", "two", true]);
    await Deno.writeFile(`${folder}/log.index`, new Uint8Array(64));
    assertEquals(textOf((await readAll(folder, 1000)).records, "stderr"), "two");
  });
});

Deno.test("endLogs() says for a writer that died that nothing follows", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1000 });
    logs.write("stdout", encode("half a character: \xe2"));
    const page = await readLogs(folder, LOG_START, 1000);
    assertEquals(page.isComplete, false);
    endLogs(folder, 5);
    endLogs(folder, 6);
    assert((await readAll(folder, 1000)).isComplete);
    logs.close({ isDurable: false });
    assert((await readAll(folder, 1000)).isComplete);
  });
});

Deno.test("output that ends inside a character is read to its last byte once it has ended", async () => {
  await inFolder(async (folder) => {
    const logs = new LogWriter(folder, { limitBytes: 1000 });
    logs.write("stdout", Uint8Array.of(0x61, 0xe2, 0x82));
    assertEquals((await readLogs(folder, LOG_START, 1000)).records[0]?.bytes.length, 1);
    logs.close({ isDurable: false });
    const { records, isComplete } = await readAll(folder, 1000);
    assertEquals([records.reduce((sum, it) => sum + it.bytes.length, 0), isComplete], [3, true]);
  });
});

Deno.test("a folder without logs reads as empty", async () => {
  await inFolder(async (folder) => {
    const page = await readLogs(folder, LOG_START, 1000);
    assertEquals([page.records, page.isComplete, page.cursor], [[], false, LOG_START]);
  });
});

Deno.test("danglingUtf8() finds where a text may be cut", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (text, at) => {
    const bytes = encode(text);
    const cut = bytes.subarray(0, bytes.length === 0 ? 0 : at % (bytes.length + 1));
    const kept = cut.subarray(0, cut.length - danglingUtf8(cut));
    assert(text.startsWith(new TextDecoder("utf-8", { fatal: true }).decode(kept)));
  }));
});
