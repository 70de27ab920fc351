/** The engine `wasm` under the contract of engines, and what it promises beyond. */
import { deepStrictEqual as assertEquals, ok as assert } from "node:assert";
import { readState } from "../../agent/engines/execution_file.ts";
import { openWasmEngine } from "../../agent/engines/wasm_engine.ts";
import { wasmChildCommand } from "../../agent/engines/wasm_protocol.ts";
import { runsOf, TaskFolder } from "../support/engine_tasks.ts";
import { command, dataAt1024, wasmOf } from "../support/wasm_modules.ts";
import { assertInterrupted, engineContract, type Program, type Subject, textOf } from "./engine_contract.ts";

const SCRIPTS: Readonly<Record<Program, string>> = {
  prints: command(
    `(call $print (i32.const 1) (i32.const 1024) (i32.const 4))
     (call $print (i32.const 2) (i32.const 1028) (i32.const 4))
     (call $print (call $append (i32.const 1036) (i32.const 11)) (i32.const 1032) (i32.const 4))
     (call $proc_exit (i32.const 3))`,
    { parts: dataAt1024("out\nerr\nran\noutputs/log") },
  ),
  copies: command(
    `(drop (call $path_open (i32.const 3) (i32.const 1) (i32.const 1024) (i32.const 11)
       (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
     (call $copy (i32.load (i32.const 16)) (i32.const 2))`,
    { parts: dataAt1024("inputs/file") },
  ),
  waits: command(
    `(call $print (i32.const 1) (i32.const 1024) (i32.const 6))
     (call $await (i32.const 1034) (i32.const 9))
     (call $print (i32.const 1) (i32.const 1030) (i32.const 4))
     (call $proc_exit (i32.const 7))`,
    { parts: dataAt1024("begin\nend\ninputs/go") },
  ),
  loops: command("(call $print (i32.const 1) (i32.const 1024) (i32.const 6)) (loop $ever (br $ever))", {
    parts: dataAt1024("begin\n"),
  }),
};

const WASM: Subject = {
  name: "wasm",
  open: () => openWasmEngine({ command: wasmChildCommand() }),
  async task(folder, program, changes) {
    await Deno.mkdir(`${folder.path}/inputs`, { recursive: true });
    const inputs = { hostPath: `${folder.path}/inputs`, target: "/inputs", isReadOnly: true };
    return await folder.task(await wasmOf(SCRIPTS[program]), { inputs: [inputs], ...changes });
  },
  hold: (tasks) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        new URL("../support/engine_holder.ts", import.meta.url).href,
        JSON.stringify(tasks),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn(),
  async processOf(task) {
    const state = await readState(task.folder, task.run);
    assert(state !== undefined && state !== "unreadable");
    return state.process.pid;
  },
  hasBegun: async (task) => await readState(task.folder, task.run) !== undefined,
};

engineContract(WASM);

Deno.test("engine wasm: a task reads its standard input", async () => {
  await using folder = await TaskFolder.make();
  const engine = await WASM.open();
  const stdinPath = await folder.file("stdin", "from stdin ".repeat(2000));
  const module = await wasmOf(
    command("(call $copy (i32.const 0) (i32.const 1))", { parts: dataAt1024("-") }),
  );
  const task = await folder.task(module, { stdinPath });
  await engine.start(task);
  assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
  assertEquals(await textOf(task, "stdout"), "from stdin ".repeat(2000));
  await engine.close();
});

Deno.test("engine wasm: two engines that start the same execution at once run it once", async () => {
  await using folder = await TaskFolder.make();
  const [engine, other] = [await WASM.open(), await WASM.open()];
  for (let i = 0; i < 5; i++) {
    const task = await WASM.task(folder, "prints");
    await Promise.all([engine.start(task), other.start(task)]);
    const exits = await Promise.all([engine.wait(task.executionId), other.wait(task.executionId)]);
    assertEquals(exits, [{ kind: "exited", exitCode: 3 }, { kind: "exited", exitCode: 3 }]);
    assertEquals(await Deno.readTextFile(`${task.results[0]!.hostPath}/log`), "ran\n");
  }
  await Promise.all([engine.close(), other.close()]);
});

Deno.test("engine wasm: list() finds a forgotten execution again by its folder", async () => {
  await using folder = await TaskFolder.make();
  const engine = await WASM.open();
  const task = await WASM.task(folder, "prints");
  await engine.start(task);
  const exit = await engine.wait(task.executionId);
  engine.forget(task.executionId);
  assertInterrupted(await engine.wait(task.executionId));
  assertEquals(await engine.list(runsOf(task)), [
    { executionId: task.executionId, isRunning: false, exit },
  ]);
  await engine.close();
});
