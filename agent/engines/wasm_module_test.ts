import {
  deepStrictEqual as assertEquals,
  match as assertMatch,
  ok as assert,
  throws as assertThrows,
} from "node:assert";
import fc from "fast-check";
import { AppError } from "../../shared/errors.ts";
import { command, wasmOf } from "../../tests/support/wasm_modules.ts";
import { limitModule, pagesOf } from "./wasm_module.ts";

const PAGE = 65_536;

/** Exports a memory and a function that grows it, under a limit. */
function grower(bytes: Uint8Array, memoryBytes: number) {
  const limited = limitModule(bytes, memoryBytes);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(limited.bytes));
  return { limited, memory: exports["memory"] as WebAssembly.Memory };
}

/** How many pages a memory gets to when it is grown as far as it goes. */
function pagesReached(memory: WebAssembly.Memory): number {
  for (let step = 65_536; step >= 1; step = Math.floor(step / 2)) {
    try {
      for (;;) memory.grow(step);
    } catch {
      // A smaller step may still fit.
    }
  }
  return memory.buffer.byteLength / PAGE;
}

const pages = fc.integer({ min: 0, max: 40 });

Deno.test("a memory reaches the lower of the module's maximum and the limit, and not more", async () => {
  await fc.assert(fc.asyncProperty(pages, fc.option(pages), pages, async (initial, extra, limitPages) => {
    const max = extra === null ? undefined : initial + extra;
    const bytes = await wasmOf(`(module (memory (export "memory") ${initial} ${max ?? ""}))`);
    if (initial > limitPages) {
      assertThrows(() => limitModule(bytes, limitPages * PAGE), { code: "memory_exceeded" });
      return;
    }
    const { limited, memory } = grower(bytes, limitPages * PAGE);
    assertEquals(memory.buffer.byteLength, initial * PAGE);
    assertEquals(pagesReached(memory), Math.min(max ?? 65_536, limitPages));
    assertEquals(limited.isLowered, (max ?? 65_536) > limitPages);
    assertEquals(limited.initialPages, initial);
  }));
});

Deno.test("limiting twice is limiting once by the lower limit", async () => {
  const bytes = await wasmOf(command("", { parts: "(table 3 funcref)" }));
  fc.assert(fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (a, b) => {
    const twice = limitModule(limitModule(bytes, a * PAGE).bytes, b * PAGE).bytes;
    assertEquals(twice, limitModule(bytes, Math.min(a, b) * PAGE).bytes);
  }));
});

Deno.test("everything but memories and tables stays as it was", async () => {
  const wat = `(module
    (type $t (func (param i32) (result i32)))
    (import "m" "f" (func $f (type $t))) (import "m" "t" (table 1 funcref))
    (memory (export "memory") 1 2) (global (mut i64) (i64.const 7))
    (export "f" (func $g)) (func $g (type $t) (call $f (local.get 0)))
    (elem (table 0) (i32.const 0) func $g) (data (i32.const 8) "text"))`;
  const bytes = await wasmOf(wat);
  const [before, after] = [bytes, limitModule(bytes, 100 * PAGE).bytes].map((it) =>
    new WebAssembly.Module(it.slice())
  );
  assertEquals(WebAssembly.Module.imports(after!), WebAssembly.Module.imports(before!));
  assertEquals(WebAssembly.Module.exports(after!), WebAssembly.Module.exports(before!));
});

Deno.test("tables are bounded in proportion to the limit", async () => {
  const bytes = await wasmOf(`(module (table (export "t") 5 funcref))`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(limitModule(bytes, 64 * 1000).bytes));
  const table = exports["t"] as WebAssembly.Table;
  table.grow(995);
  assertThrows(() => table.grow(1), RangeError);
  assertThrows(() => limitModule(bytes, 100), { code: "memory_exceeded" });
});

/** A module of one section. */
function ofSection(id: number, ...body: number[]): Uint8Array {
  return Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, id, body.length, ...body);
}

Deno.test("several memories share the limit at the start, and each may reach it", () => {
  const two = ofSection(5, 2, 0, 3, 1, 2, 200, 1);
  const { bytes, initialPages } = limitModule(two, 10 * PAGE);
  assertEquals(initialPages, 5);
  assertEquals([...bytes.slice(8)], [5, 7, 2, 1, 3, 10, 1, 2, 10]);
  assertThrows(() => limitModule(two, 4 * PAGE), { code: "memory_exceeded" });
});

Deno.test("a shared memory keeps that it is shared", () => {
  assertEquals([...limitModule(ofSection(5, 1, 3, 1, 100), 10 * PAGE).bytes.slice(8)], [5, 4, 1, 3, 1, 10]);
});

Deno.test("tables with an initial value keep it", () => {
  // (table 1 (ref null func) (ref.null func)): 0x40 0x00 reftype limits expression
  const { bytes } = limitModule(ofSection(4, 1, 0x40, 0, 0x63, 0x70, 0, 1, 0xd0, 0x70, 0x0b), 6400);
  assertEquals(
    [...bytes.slice(8)],
    [4, 12, 1, 0x40, 0, 0x63, 0x70, 1, 1, 100, 0xd0, 0x70, 0x0b].with(1, bytes.length - 10),
  );
  new WebAssembly.Module(bytes);
});

Deno.test("64-bit memories and tables and other page sizes are refused with a hint", () => {
  for (const section of [ofSection(5, 1, 4, 1), ofSection(5, 1, 8, 1, 0), ofSection(4, 1, 0x70, 4, 1)]) {
    assertThrows(() => limitModule(section, PAGE), (error) => {
      assert(error instanceof AppError && error.code === "module_invalid");
      assertMatch(error.hint!, /wasm32/);
      return true;
    });
  }
});

Deno.test("any bytes either are refused as no module, or stay as valid as they were", () => {
  const header = fc.constant([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const byte = fc.integer({ min: 0, max: 255 });
  const section = fc.tuple(
    fc.constantFrom(4, 5),
    fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 3, 0x70, 0x40, 0x0b), byte), { maxLength: 20 }),
  )
    .map(([id, body]) => [id, body.length, ...body]);
  fc.assert(
    fc.property(header, fc.array(section, { maxLength: 3 }), (head, sections) => {
      const bytes = Uint8Array.from([...head, ...sections.flat()]);
      let limited: Uint8Array<ArrayBuffer> | undefined;
      try {
        limited = limitModule(bytes, 10 * PAGE).bytes;
      } catch (error) {
        assert(error instanceof AppError, String(error));
      }
      // What V8 takes before, and what is not too large or of a kind that is refused, it takes after.
      if (limited !== undefined && WebAssembly.validate(bytes)) assert(WebAssembly.validate(limited));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("pages are rounded up, and a 32-bit memory has at most 4 GiB", () => {
  assertEquals([1, PAGE, PAGE + 1, 2 ** 32, 2 ** 33].map(pagesOf), [1, 1, 2, 65_536, 65_536]);
});
