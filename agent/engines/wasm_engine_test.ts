import {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  ok as assert,
  rejects as assertRejects,
} from "node:assert";
import { LIMITS } from "../../shared/limits.ts";
import { runsOf, TaskFolder } from "../../tests/support/engine_tasks.ts";
import { waitUntil } from "../../tests/support/wait_until.ts";
import { command, dataAt1024, printing, wasmOf } from "../../tests/support/wasm_modules.ts";
import type { Engine, EngineExit, EngineTask, Mount } from "./engine.ts";
import { readState } from "./execution_file.ts";
import { openWasmEngine, type WasmEngineOptions } from "./wasm_engine.ts";
import { wasmChildCommand } from "./wasm_protocol.ts";

const MIB = 1024 * 1024;

function test(
  name: string,
  body: (engine: Engine, folder: TaskFolder) => Promise<void>,
  options: Partial<WasmEngineOptions> = {},
) {
  Deno.test(`wasm: ${name}`, async () => {
    await using folder = await TaskFolder.make();
    const engine = await openWasmEngine({ command: wasmChildCommand(), ...options });
    try {
      await body(engine, folder);
    } finally {
      await engine.close();
    }
  });
}

async function run(engine: Engine, task: EngineTask): Promise<EngineExit> {
  await engine.start(task);
  return await engine.wait(task.executionId);
}

type Failed = Extract<EngineExit, { kind: "failed" }>;

function failedWith(exit: EngineExit, code: string): Failed {
  assert(exit.kind === "failed" && exit.code === code, JSON.stringify(exit));
  assert(exit.hint, "a failure has a hint");
  return exit;
}

test("what is no WebAssembly is told so", async (engine, folder) => {
  const random = crypto.getRandomValues(new Uint8Array(1000));
  assertMatch(
    failedWith(await run(engine, await folder.task(random)), "module_invalid").message,
    /it is not WebAssembly/,
  );
  assertMatch(
    failedWith(await run(engine, await folder.task(new Uint8Array())), "module_invalid").message,
    /not WebAssembly/,
  );
  const component = Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0, 0, 0);
  const exit = failedWith(await run(engine, await folder.task(component)), "module_invalid");
  assertMatch(exit.message, /component/);
  assertMatch(exit.hint!, /wasip1/);
});

test("every way to damage a module ends with a reason", async (engine, folder) => {
  const whole = await wasmOf(printing("hello\n"));
  for (let length = 8; length < whole.length; length += 7) {
    const exit = await run(engine, await folder.task(whole.slice(0, length)));
    failedWith(exit, "module_invalid");
  }
});

test("what a module imports and nobody has is listed", async (engine, folder) => {
  const wat = `(module (import "wasi:http/requests" "http_request" (func))
    (import "wasi_snapshot_preview1" "sock_open" (func)) (func (export "_start")))`;
  const exit = failedWith(await run(engine, await folder.task(await wasmOf(wat))), "module_invalid");
  assertMatch(
    exit.message,
    /unknown module "wasi:http\/requests", unknown function "wasi_snapshot_preview1.sock_open"/,
  );
});

test("an import of the wrong type is told", async (engine, folder) => {
  const wat = `(module (import "wasi_snapshot_preview1" "fd_write" (global i32)) (func (export "_start")))`;
  failedWith(await run(engine, await folder.task(await wasmOf(wat))), "module_invalid");
});

test("a missing entry point is told with what there is", async (engine, folder) => {
  const module = await wasmOf(`(module (func (export "work")) (func (export "takes") (param i32)))`);
  const exit = failedWith(await run(engine, await folder.task(module)), "module_invalid");
  assertMatch(exit.message, /no entry point "_start", it exports work, takes/);
  const params = { EntryModule: "/main.wasm", Entrypoint: "takes" };
  assertMatch(
    failedWith(await run(engine, await folder.task(module, { params })), "module_invalid").message,
    /takes 1 arguments/,
  );
});

test("a missing module is told", async (engine, folder) => {
  const task = await folder.task(await wasmOf(printing("")), { params: { EntryModule: "/other.wasm" } });
  assertMatch(failedWith(await run(engine, task), "module_invalid").message, /"\/other.wasm"/);
});

test("parameters of the wrong type are refused at the start", async (engine, folder) => {
  const module = await wasmOf(printing(""));
  await assertRejects(
    engine.start(await folder.task(module, { params: { EntryModule: 5 } })),
    /EntryModule must be/,
  );
  await assertRejects(
    engine.start(await folder.task(module, { params: { Parameters: ["a", 1] } })),
    /Parameters must be/,
  );
});

test("another entry point than _start is run after _initialize", async (engine, folder) => {
  const reactor = await wasmOf(`(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (global $set (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $set (i32.const 40)))
    (func (export "work") (call $exit (i32.add (global.get $set) (i32.const 2)))))`);
  const task = await folder.task(reactor, { params: { Entrypoint: "work" } });
  assertEquals(await run(engine, task), { kind: "exited", exitCode: 42 });
});

test("arguments and environment arrive as they are", async (engine, folder) => {
  const wat = `(module
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $as (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $ag (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $es (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $eg (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (drop (call $as (i32.const 0) (i32.const 4))) (drop (call $ag (i32.const 100) (i32.const 1000)))
      (i32.store (i32.const 8) (i32.const 1000)) (i32.store (i32.const 12) (i32.load (i32.const 4)))
      (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))
      (drop (call $es (i32.const 0) (i32.const 4))) (drop (call $eg (i32.const 100) (i32.const 5000)))
      (i32.store (i32.const 8) (i32.const 5000)) (i32.store (i32.const 12) (i32.load (i32.const 4)))
      (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 20)))))`;
  const parameters = ["-v", "", "ä b", 'x="1"\n2', "😀"];
  const task = await folder.task(await wasmOf(wat), {
    params: { Parameters: parameters },
    env: { B: "ü = 1", A: "" },
  });
  assertEquals(await run(engine, task), { kind: "exited", exitCode: 0 });
  assertEquals((await Deno.readTextFile(`${task.folder}/stdout`)).split("\0"), [
    "main.wasm",
    ...parameters,
    "",
  ]);
  assertEquals((await Deno.readTextFile(`${task.folder}/stderr`)).split("\0"), ["A=", "B=ü = 1", ""]);
});

test("import modules are found by path, by file name and by each other", async (engine, folder) => {
  const five = await folder.file(
    "five.wasm",
    await wasmOf(`(module (func (export "five") (result i32) i32.const 5))`),
  );
  const ten = await folder.file(
    "ten.wasm",
    await wasmOf(`(module (import "five" "five" (func $five (result i32)))
      (func (export "ten") (result i32) (i32.mul (call $five) (i32.const 2))))`),
  );
  const inputs: Mount[] = [
    { hostPath: five, target: "/lib/five.wasm", isReadOnly: true },
    { hostPath: ten, target: "/lib/ten.wasm", isReadOnly: true },
  ];
  for (const name of ["/lib/ten.wasm", "lib/ten.wasm", "ten.wasm", "ten"]) {
    const module = await wasmOf(`(module (import "${name}" "ten" (func $ten (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (func (export "_start") (call $exit (call $ten))))`);
    const params = { ImportModules: ["/lib/ten.wasm", "/lib/five.wasm"] };
    assertEquals(await run(engine, await folder.task(module, { inputs, params })), {
      kind: "exited",
      exitCode: 10,
    }, name);
  }
  const byPath = await wasmOf(`(module (import "lib/five.wasm" "five" (func $five (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (func (export "_start") (call $exit (call $five))))`);
  assertEquals(await run(engine, await folder.task(byPath, { inputs })), { kind: "exited", exitCode: 5 });
});

test("modules that import each other in a circle are refused", async (engine, folder) => {
  const module = await wasmOf(
    `(module (import "/main.wasm" "f" (func)) (func (export "f")) (func (export "_start")))`,
  );
  assertMatch(
    failedWith(await run(engine, await folder.task(module)), "module_invalid").message,
    /imports itself/,
  );
});

const TRAPS: Readonly<Record<string, [string, RegExp]>> = {
  unreachable: ["unreachable", /unreachable/],
  "division by zero": ["(drop (i32.div_u (i32.const 1) (i32.load (i32.const 9000))))", /divide by zero/],
  "out of bounds": ["(drop (i32.load (i32.const 9000000)))", /out of bounds/],
  "null function": ["(call_indirect (i32.const 3))", /./],
  "stack overflow": ["(call $deep)", /stack overflow/],
};

for (const [name, [body, message]] of Object.entries(TRAPS)) {
  test(`a trap is told by its name: ${name}`, async (engine, folder) => {
    const parts = "(table 10 funcref) (func $deep (call $deep))";
    const task = await folder.task(await wasmOf(command(body, { parts })));
    const exit = failedWith(await run(engine, task), "module_trapped");
    assertMatch(exit.message, message);
    assertEquals(exit.exitCode, 1);
    assertMatch(await Deno.readTextFile(`${task.folder}/stderr`), /^wasm trap: .*\n {2}at /);
    assertEquals(await Deno.readTextFile(`${task.folder}/exitCode`), "1");
    assertEquals((await run(engine, await folder.task(await wasmOf(printing("fine"))))).kind, "exited");
  });
}

test("a start function that traps is a trap", async (engine, folder) => {
  const module = await wasmOf(`(module (func $f unreachable) (start $f) (func (export "_start")))`);
  failedWith(await run(engine, await folder.task(module)), "module_trapped");
});

test("a bad pointer is an error of the call, not of the engine", async (engine, folder) => {
  const body = "(call $proc_exit (call $fd_write (i32.const 1) (i32.const -8) (i32.const 1) (i32.const 0)))";
  assertEquals(await run(engine, await folder.task(await wasmOf(command(body)))), {
    kind: "exited",
    exitCode: 21,
  });
});

test(
  "memory stays within the task's limit, and growing beyond it fails in the module",
  async (engine, folder) => {
    // Ends with the pages it has got.
    const body = `(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (call $proc_exit (memory.size))`;
    const task = await folder.task(await wasmOf(command(body)), { memoryBytes: 2 * MIB });
    assertEquals(failedWith(await run(engine, task), "memory_exceeded").exitCode, 32);
    const declared = await folder.task(await wasmOf(command(body, { memory: "1 8" })), {
      memoryBytes: 2 * MIB,
    });
    assertEquals(await run(engine, declared), { kind: "exited", exitCode: 8 });
  },
);

test("a memory bomb that traps when it gets no more is told as such", async (engine, folder) => {
  const body =
    `(loop $more (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $more))`;
  const exit = failedWith(
    await run(engine, await folder.task(await wasmOf(command(body)))),
    "memory_exceeded",
  );
  assertMatch(exit.message, /64 MiB/);
});

test("a module that needs more memory from the start is told how much", async (engine, folder) => {
  const task = await folder.task(await wasmOf(command("", { memory: "3200" })));
  const exit = failedWith(await run(engine, task), "memory_exceeded");
  assertMatch(exit.message, /200 MiB/);
  assertMatch(exit.hint!, /200 MiB/);
});

test(
  "modules whose memories together pass the limit are ended by their resident size",
  async (engine, folder) => {
    const filling = await wasmOf(`(module (memory 1) (func (export "fill")
    (drop (memory.grow (i32.const 1023))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 67108864))))`);
    const names = Array.from({ length: 8 }, (_, i) => `m${i}`);
    const inputs = await Promise.all(names.map(async (name) => ({
      hostPath: await folder.file(name, filling),
      target: `/lib/${name}`,
      isReadOnly: true,
    })));
    const imports = names.map((name) => `(import "lib/${name}" "fill" (func $${name}))`).join(" ");
    const calls = names.map((name) => `(call $${name})`).join(" ");
    const module = await wasmOf(
      `(module ${imports} (func (export "_start") ${calls} (loop $ever (br $ever))))`,
    );
    const exit = failedWith(await run(engine, await folder.task(module, { inputs })), "memory_exceeded");
    assertMatch(exit.message, /its process held/);
  },
);

test("a table bomb gets no more than its share", async (engine, folder) => {
  const body =
    `(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 16384)) (i32.const -1))))
    (call $proc_exit (i32.shr_u (table.size $t) (i32.const 14)))`;
  const module = await wasmOf(command(body, { parts: "(table $t 0 funcref)" }));
  assertEquals(await run(engine, await folder.task(module)), { kind: "exited", exitCode: 64 });
});

test("writing beyond the disk limit fails in the module, and the task says why", async (engine, folder) => {
  const body = `(local $fd i32) (local.set $fd (call $append (i32.const 1024) (i32.const 11)))
    (loop $more
      (i32.store (i32.const 0) (i32.const 0)) (i32.store (i32.const 4) (i32.const 60000))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $proc_exit (i32.const 9))))
      (br $more))`;
  const task = await folder.task(await wasmOf(command(body, { parts: dataAt1024("outputs/log") })), {
    diskBytes: 200_000,
  });
  assertEquals(failedWith(await run(engine, task), "disk_exceeded").exitCode, 9);
  assertEquals((await Deno.stat(`${task.results[0]!.hostPath}/log`)).size, 200_000);
});

test("a task that names no disk has what every task has", async (engine, folder) => {
  const sized = async (bytes: number) => {
    const wat = `(module
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $size (param i32 i64) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (data (i32.const 64) "outputs/log")
      (func (export "_start")
        (drop (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 11)
          (i32.const 1) (i64.const 0x1fffffff) (i64.const 0) (i32.const 0) (i32.const 16)))
        (call $exit (call $size (i32.load (i32.const 16)) (i64.const ${bytes})))))`;
    return await run(engine, await folder.task(await wasmOf(wat), { diskBytes: 0 }));
  };
  assertEquals(await sized(LIMITS.diskBytesDefault), { kind: "exited", exitCode: 0 });
  failedWith(await sized(LIMITS.diskBytesDefault + 1), "disk_exceeded");
});

test("output beyond its bound is cut", async (engine, folder) => {
  const body = `(local $i i32) (loop $more (call $print (i32.const 1) (i32.const 1024) (i32.const 5))
    (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000))))`;
  const task = await folder.task(await wasmOf(command(body, { parts: dataAt1024("line\n") })), {
    logBytes: 1000,
  });
  assertEquals((await run(engine, task)).kind, "exited");
  assertEquals((await Deno.stat(`${task.folder}/stdout`)).size, 1000);
});

test("sleeping takes as long as it says, and no CPU", async (engine, folder) => {
  const task = await folder.task(await wasmOf(command("(call $sleep (i64.const 120))")));
  await engine.start(await folder.task(await wasmOf(printing(""))));
  const fromMs = performance.now();
  assertEquals(await run(engine, task), { kind: "exited", exitCode: 0 });
  assert(performance.now() - fromMs >= 120);
});

async function pidOf(task: EngineTask): Promise<number> {
  const state = await readState(task.folder);
  assert(state !== undefined && state !== "unreadable");
  return state.process.pid;
}

test("Ctrl-C on the terminal does not reach a module", async (engine, folder) => {
  const go = [{ hostPath: `${folder.path}/inputs`, target: "/inputs", isReadOnly: true }];
  await Deno.mkdir(`${folder.path}/inputs`);
  const body =
    "(call $print (i32.const 1) (i32.const 1024) (i32.const 1)) (call $await (i32.const 1025) (i32.const 9))";
  const task = await folder.task(await wasmOf(command(body, { parts: dataAt1024("-inputs/go") })), {
    inputs: go,
  });
  await engine.start(task);
  await waitUntil(
    "it runs",
    async () => (await Deno.stat(`${task.folder}/stdout`).catch(() => ({ size: 0 }))).size > 0,
  );
  for (const signal of ["SIGINT", "SIGHUP"] as const) Deno.kill(await pidOf(task), signal);
  await folder.file("inputs/go", "");
  assertEquals(await engine.wait(task.executionId), { kind: "exited", exitCode: 0 });
});

test("tasks one after the other share a child, and none is left when it was idle", async (engine, folder) => {
  const module = await folder.file("m.wasm", await wasmOf(printing("")));
  const first = await folder.task(module);
  const second = await folder.task(module);
  await run(engine, first);
  await run(engine, second);
  const pid = await pidOf(first);
  assertEquals(await pidOf(second), pid);
  await waitUntil("the child ends", async () => !(await Deno.stat(`/proc/${pid}`).catch(() => undefined)));
  await run(engine, await folder.task(module));
}, { idleMs: 30 });

test("a child that a task made large takes no further one", async (engine, folder) => {
  const body =
    `(drop (memory.grow (i32.const 2000))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072000))`;
  const large = await folder.task(await wasmOf(command(body)), { memoryBytes: 200 * MIB });
  const next = await folder.task(await wasmOf(printing("")));
  await run(engine, large);
  await run(engine, next);
  assert(await pidOf(large) !== await pidOf(next));
});

test("a child may neither reach the network nor start processes", async (engine, folder) => {
  // A module has no way to ask for either; what is checked here are the rights that its process has given up.
  const task = await folder.task(
    await wasmOf(command(`(call $await (i32.const 1024) (i32.const 2))`, { parts: dataAt1024("go") })),
  );
  await engine.start(task);
  const args = await Deno.readTextFile(`/proc/${await pidOf(task)}/cmdline`);
  assert(!/allow-(net|run|all|env|sys|ffi)|\0-A\0/.test(args), args);
  await engine.stop(task.executionId, { graceMs: 0 });
});

test("a command that is no child is told", async (engine, folder) => {
  const task = await folder.task(await wasmOf(printing("")));
  await assertRejects(engine.start(task), { code: "unavailable" });
}, { command: ["/bin/false"] });

test("a command that is not there is told", async (engine, folder) => {
  const task = await folder.task(await wasmOf(printing("")));
  await assertRejects(engine.start(task), { code: "unavailable" });
}, { command: ["/no/such/command"] });

test("many at once each end as they should", async (engine, folder) => {
  const module = await folder.file("m.wasm", await wasmOf(printing("x\n", 4)));
  const tasks = await Promise.all(Array.from({ length: 60 }, () => folder.task(module)));
  const exits = await Promise.all(tasks.map((task) => run(engine, task)));
  assert(exits.every((exit) => exit.kind === "exited" && exit.exitCode === 4));
});

/** Lets every reading of a text file whose path fits fail, until it is disposed. */
function blind(fits: (path: string) => boolean, error: () => Error): Disposable {
  const { readTextFile } = Deno;
  Deno.readTextFile = (path, options) =>
    fits(String(path)) ? Promise.reject(error()) : readTextFile(path, options);
  return { [Symbol.dispose]: () => void (Deno.readTextFile = readTextFile) };
}

const tooManyFiles = () => Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" });

for (
  const [what, fits] of [
    ["which processes run", (path: string) => path.startsWith("/proc/")],
    ["its file", (path: string) => path.endsWith("/.engine")],
  ] as const
) {
  test(`a task taken over runs on while ${what} cannot be seen`, async (engine, folder) => {
    const go = [{ hostPath: `${folder.path}/inputs`, target: "/inputs", isReadOnly: true }];
    await Deno.mkdir(`${folder.path}/inputs`);
    const body = "(call $await (i32.const 1024) (i32.const 9)) (call $proc_exit (i32.const 7))";
    const task = await folder.task(await wasmOf(command(body, { parts: dataAt1024("inputs/go") })), {
      inputs: go,
    });
    const before = await openWasmEngine({ command: wasmChildCommand() });
    await before.start(task);
    await before.close();
    const { executionId } = task;
    {
      using _ = blind(fits, tooManyFiles);
      assertEquals(await engine.list(runsOf(task)), [
        { executionId, isRunning: true },
      ]);
      await assertRejects(engine.stop(executionId, { graceMs: 0 }));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await folder.file("inputs/go", "");
    assertEquals(await engine.wait(executionId), { kind: "exited", exitCode: 7 });
  });
}

test("a child that nobody could find again takes no task", async (engine, folder) => {
  const task = await folder.task(await wasmOf(printing("x\n")));
  {
    using _ = blind((path) => path.startsWith("/proc/"), tooManyFiles);
    await assertRejects(engine.start(task), { code: "unavailable" });
  }
  assertEquals(await run(engine, task), { kind: "exited", exitCode: 0 });
});

test("a task that is stopped while it waits for a child does not begin", async (engine, folder) => {
  const task = await folder.task(await wasmOf(printing("x\n")));
  const starting = engine.start(task);
  await engine.stop(task.executionId, { graceMs: 0 });
  await starting;
  assertEquals(await engine.wait(task.executionId), { kind: "stopped" });
  assertEquals(await readState(task.folder), undefined);
  assertEquals(await run(engine, await folder.task(await wasmOf(printing("x\n")))), {
    kind: "exited",
    exitCode: 0,
  });
});
