import { deepStrictEqual as assertEquals, ok as assert, throws as assertThrows } from "node:assert";
import type { EngineExit } from "./engine.ts";
import { executionFile, parseState, readState, writeExit, writeStart } from "./execution_file.ts";
import { isAlive, parseStat, readBootId, readStartedAt } from "./process_identity.ts";

const PROCESS = { pid: 7, startedAt: "100", bootId: "b" };
const START = { executionId: "e-1", process: PROCESS };

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-state-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("an execution's file tells its start and its end", async () => {
  await inFolder(async (folder) => {
    assertEquals(await readState(folder), undefined);
    writeStart(folder, START);
    assertEquals(await readState(folder), START);
    const exit: EngineExit = { kind: "exited", exitCode: 4 };
    writeExit(folder, exit);
    assertEquals(await readState(folder), { ...START, exit, isDying: false });
    assertEquals(await Deno.readTextFile(`${folder}/exitCode`), "4");
  });
});

Deno.test("a start is recorded once, and the first end counts", async () => {
  await inFolder(async (folder) => {
    writeStart(folder, START);
    assertThrows(() => writeStart(folder, START), Deno.errors.AlreadyExists);
    writeExit(folder, { kind: "exited", exitCode: 4 });
    writeExit(folder, { kind: "stopped" });
    const state = await readState(folder);
    assert(state !== undefined && state !== "unreadable" && state.exit?.kind === "exited");
  });
});

Deno.test("a file that was cut off anywhere tells less, never something else", async () => {
  await inFolder(async (folder) => {
    writeStart(folder, START);
    writeExit(folder, { kind: "failed", code: "module_trapped", message: "It trapped", exitCode: 1 });
    const text = await Deno.readTextFile(executionFile(folder));
    const whole = parseState(text);
    for (let length = 0; length < text.length; length++) {
      const state = parseState(text.slice(0, length));
      if (state === "unreadable") assert(length <= text.indexOf("\n"));
      else assertEquals(state, START);
    }
    assert(whole !== "unreadable" && whole.exit !== undefined);
    // An end after a start that was cut off is still an end.
    await Deno.truncate(executionFile(folder), 20);
    writeExit(folder, { kind: "stopped" });
    const state = await readState(folder);
    assert(state !== undefined && state !== "unreadable" && state.exit?.kind === "stopped");
  });
});

Deno.test("lines that make no sense count as not written", () => {
  const lines = [
    "null",
    "5",
    "{}",
    "[",
    '{"exit":{}}',
    '{"exit":{"kind":"exited"}}',
    '{"exit":{"kind":"failed","code":"no_such","message":"x"}}',
  ];
  assertEquals(parseState(lines.map((line) => `${line}\n`).join("")), "unreadable");
});

Deno.test("a process is known by its number, its start and the boot", async () => {
  const bootId = await readBootId();
  const startedAt = await readStartedAt(Deno.pid);
  assert(bootId !== "" && startedAt !== undefined);
  const own = { pid: Deno.pid, startedAt, bootId };
  assertEquals(await isAlive(own, bootId), true);
  assertEquals(await isAlive({ ...own, startedAt: "1" }, bootId), false);
  assertEquals(await isAlive(own, "another boot"), false);
  assertEquals(await isAlive({ ...own, pid: 4_000_000 }, bootId), false);
});

Deno.test("what remains of a dead process is not alive, whatever its name is", () => {
  const fields = ["1", ...Array.from({ length: 17 }, () => "0"), "12345", "0"];
  assertEquals(parseStat(`12 (a) Z b) S ${fields.join(" ")}`), "12345");
  assertEquals(parseStat(`12 (a) Z ${fields.join(" ")}`), undefined);
});
