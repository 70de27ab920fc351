import assert from "node:assert/strict";
import { LogWriter } from "../engines/log_files.ts";
import { readOutputPage } from "./output.ts";

async function withLog(limitBytes: number, body: (folder: string, log: LogWriter) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "skerry-output-" });
  try {
    await body(folder, new LogWriter(folder, { limitBytes }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function readAll(folder: string) {
  const pieces = [];
  for (let cursor = "";;) {
    const page = await readOutputPage(folder, cursor);
    pieces.push(...page.pieces);
    if (page.isComplete) return pieces;
    assert.notEqual(page.cursor, cursor, "a page without end or progress");
    cursor = page.cursor;
  }
}

Deno.test("output goes on where its cursor says, in order, whole characters only", () =>
  withLog(1e6, async (folder, log) => {
    const euro = bytes("€");
    log.write("stdout", bytes("one "));
    log.write("stdout", euro.subarray(0, 2));
    const first = await readOutputPage(folder, "");
    assert.equal(first.pieces.map(({ text }) => text).join(""), "one ");
    assert.equal(first.isComplete, false);
    log.write("stdout", euro.subarray(2));
    log.write("stderr", bytes("oops"));
    log.close({ isDurable: false });
    const second = await readOutputPage(folder, first.cursor);
    assert.deepEqual(second.pieces.map(({ stream, text }) => [stream, text]), [["stdout", "€"], [
      "stderr",
      "oops",
    ]]);
    assert.equal(second.isComplete, true);
    assert.ok((await readOutputPage(folder, second.cursor)).isComplete);
  }));

Deno.test("output of many pages has every byte once", () =>
  withLog(1e7, async (folder, log) => {
    const line = "äöü€𝄞 and so on\n";
    for (let count = 0; count < 20_000; count++) {
      log.write(count % 7 === 0 ? "stderr" : "stdout", bytes(line));
    }
    log.close({ isDurable: false });
    const text = (await readAll(folder)).filter(({ stream }) => stream === "stderr").map((it) => it.text)
      .join("");
    assert.equal(text, line.repeat(Math.ceil(20_000 / 7)));
  }));

Deno.test("what was cut is told with its size", () =>
  withLog(1024, async (folder, log) => {
    log.write("stdout", new Uint8Array(1027).fill(97));
    log.close({ isDurable: false });
    const pieces = await readAll(folder);
    assert.equal(pieces.map(({ text }) => text).join(""), "a".repeat(1024));
    assert.equal(pieces.findLast(({ cutBytes }) => cutBytes !== undefined)?.cutBytes, 3);
  }));

Deno.test("a cursor that is none is refused", async () => {
  for (const bad of ["x", "1.2", "1.2.3.4.-5", "1.2.3.4.5.6", "1e999.0.0.0.0"]) {
    await assert.rejects(readOutputPage("/nowhere", bad), { code: "bad_request" }, bad);
  }
});
