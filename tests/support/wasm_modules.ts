/** Small modules for tests, from their text form, made without any tool on the machine. */
import wabt from "wabt";

const FEATURES = {
  bulk_memory: true,
  exceptions: true,

  reference_types: true,
  threads: true,
};

/** The binary of a module in text form. */
export async function wasmOf(wat: string): Promise<Uint8Array> {
  const { parseWat } = await wabt();
  const module = parseWat("test.wat", wat, FEATURES);
  module.validate();
  return module.toBinary({}).buffer;
}

const IMPORTS: Readonly<Record<string, string>> = {
  fd_write: "(param i32 i32 i32 i32) (result i32)",
  fd_read: "(param i32 i32 i32 i32) (result i32)",
  path_filestat_get: "(param i32 i32 i32 i32 i32) (result i32)",
  path_open: "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
  poll_oneoff: "(param i32 i32 i32 i32) (result i32)",
  proc_exit: "(param i32)",
};

/** A WASI command: `body` is what `_start` does, `memory` its limits, `parts` further declarations. Prints with `$print`. */
export function command(body: string, options: { memory?: string; parts?: string } = {}): string {
  const imports = Object.entries(IMPORTS).map(([name, type]) =>
    `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${type}))`
  );
  return `(module ${imports.join("\n")}
    (memory (export "memory") ${options.memory ?? "1"})
    ;; writes the bytes at $at to a descriptor
    (func $print (param $fd i32) (param $at i32) (param $length i32)
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $length))
      (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
    ;; waits by the monotonic clock
    (func $sleep (param $ms i64)
      (i64.store (i32.const 32) (i64.const 0)) (i64.store (i32.const 40) (i64.const 0))
      (i32.store (i32.const 48) (i32.const 1))
      (i64.store (i32.const 56) (i64.mul (local.get $ms) (i64.const 1000000)))
      (i64.store (i32.const 64) (i64.const 0)) (i64.store (i32.const 72) (i64.const 0))
      (drop (call $poll_oneoff (i32.const 32) (i32.const 96) (i32.const 1) (i32.const 128))))
    ;; waits until there is a file; its path below / lies at $at
    (func $await (param $at i32) (param $length i32)
      (loop $again
        (if (call $path_filestat_get (i32.const 3) (i32.const 1) (local.get $at) (local.get $length) (i32.const 256))
          (then (call $sleep (i64.const 2)) (br $again)))))
    ;; opens a file for appending and returns its descriptor
    (func $append (param $at i32) (param $length i32) (result i32)
      (if (call $path_open (i32.const 3) (i32.const 1) (local.get $at) (local.get $length)
            (i32.const 1) (i64.const 0x1fffffff) (i64.const 0) (i32.const 1) (i32.const 16))
        (then (unreachable)))
      (i32.load (i32.const 16)))
    ;; copies a descriptor to another one
    (func $copy (param $from i32) (param $to i32)
      (loop $again
        (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $fd_read (local.get $from) (i32.const 0) (i32.const 1) (i32.const 8)))
        (if (i32.load (i32.const 8))
          (then (call $print (local.get $to) (i32.const 4096) (i32.load (i32.const 8))) (br $again)))))
    ${options.parts ?? ""}
    (func (export "_start") ${body}))`;
}

/** Text as it is written in a data segment, at 1024. */
export function dataAt1024(text: string): string {
  const bytes = [...new TextEncoder().encode(text)].map((byte) => `\\${byte.toString(16).padStart(2, "0")}`);
  return `(data (i32.const 1024) "${bytes.join("")}")`;
}

/** A module that prints a text and ends with a code. */
export function printing(text: string, exitCode = 0): string {
  const length = new TextEncoder().encode(text).length;
  return command(
    `(call $print (i32.const 1) (i32.const 1024) (i32.const ${length})) (call $proc_exit (i32.const ${exitCode}))`,
    { parts: dataAt1024(text) },
  );
}
