import { deepEqual, doesNotThrow, equal, match, throws } from "node:assert/strict";
import { AppError } from "./errors.ts";
import { openFileSink, openLog } from "./log.ts";

Deno.test("openFileSink() keeps the newest lines in files of bounded size", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/log`;
    await Deno.writeTextFile(path, "before\n");
    {
      using sink = openFileSink({ path, maxBytes: 14, keep: 2 });
      for (const line of ["a", "bbbbbb", "cccccc", "dddddd"]) sink.write(line);
    }
    const texts = [path, `${path}.1`, `${path}.2`].map((it) => Deno.readTextFileSync(it));
    deepEqual(texts, ["dddddd\n", "bbbbbb\ncccccc\n", "before\na\n"]);
    equal([...Deno.readDirSync(folder)].length, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openFileSink() says why a file cannot be one", () => {
  throws(() => openFileSink({ path: "/nowhere/log", maxBytes: 1, keep: 1 }), {
    code: "io",
    message: 'Cannot write the log file "/nowhere/log": No such file or directory',
  });
});

Deno.test({
  name: "a log whose disk is full ends nobody",
  ignore: Deno.build.os !== "linux",
  fn() {
    using sink = openFileSink({ path: "/dev/full", maxBytes: 100, keep: 1 });
    const log = openLog({ level: "info", format: "text", sink, wallMs: () => 0 });
    doesNotThrow(() => log.info("this goes to standard error"));
  },
});

Deno.test("a failure that is logged takes nothing of the line's own away", () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  for (const format of ["text", "json"] as const) {
    openLog({ level: "info", format, sink, wallMs: () => 0 }).info("Refused it", {
      message: "no room",
      code: "busy",
    });
  }
  equal(lines[0], '1970-01-01T00:00:00.000Z INFO  Refused it reason="no room" code=busy');
  deepEqual(JSON.parse(lines[1]!), {
    ...{ time: "1970-01-01T00:00:00.000Z", level: "info", message: "Refused it" },
    ...{ reason: "no room", code: "busy" },
  });
});

Deno.test("an error that nobody foresaw is logged with its stack, on one line, and others without", () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  for (const format of ["text", "json"] as const) {
    const log = openLog({ level: "info", format, sink, wallMs: () => 0 });
    log.error("It failed", { error: new TypeError("no such thing") });
    log.error("It failed", { error: new AppError("io", "Cannot read", { cause: new Error("EIO") }) });
  }
  equal(lines.some((line) => line.includes("\n")), false);
  deepEqual(lines.map((line) => /TypeError: no such thing\\n +at .*log_test/.test(line)), [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("openLog() writes a line as text or as JSON, and drops what is below its level", () => {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line) };
  for (const format of ["text", "json"] as const) {
    const log = openLog({ level: "warn", format, sink, wallMs: () => 0 });
    log.info("not this");
    log.warn("Disk is slow", { path: "/data folder", error: new AppError("io", "x") });
  }
  equal(lines[0], '1970-01-01T00:00:00.000Z WARN  Disk is slow path="/data folder" error=x');
  deepEqual(JSON.parse(lines[1]!), {
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    message: "Disk is slow",
    path: "/data folder",
    error: "x",
  });
  match(lines[1]!, /^[^\n]+$/);
});
