/**
 * Reads just enough of a WebAssembly binary to put a job's limit into it: the maxima of its memories and tables are
 * lowered before V8 sees it, so that growing beyond the limit fails inside the module, as on a machine that is full.
 *
 * Imported memories and tables need no change: the only things that can be imported are exports of other modules,
 * which went through here as well.
 *
 * Source: WebAssembly core specification 3.0, chapter 5 (binary format).
 */
import { AppError } from "../../shared/errors.ts";
import { TABLE_ELEMENT_BYTES, TABLE_ELEMENTS_MAX, WASM_PAGE_BYTES, WASM_PAGES_MAX } from "./wasm_limits.ts";

const SECTION_TABLE = 4;
const SECTION_MEMORY = 5;

const HINT_TARGET =
  "Compile it for WASI preview 1: clang --target=wasm32-wasi, cargo build --target wasm32-wasip1, " +
  "or GOOS=wasip1 GOARCH=wasm go build.";

/** A module whose maxima fit the limit. */
export interface LimitedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Pages that its own memories have from the start, together. */
  readonly initialPages: number;
  /** Whether a memory could have grown further without the limit. */
  readonly isLowered: boolean;
  /** Pages that each memory may reach. */
  readonly pagesMax: number;
}

/** Pages that fit a limit in bytes, rounded up as Bacalhau does. */
export function pagesOf(memoryBytes: number): number {
  return Math.min(WASM_PAGES_MAX, Math.ceil(memoryBytes / WASM_PAGE_BYTES));
}

/**
 * The module with every memory's maximum at most `memoryBytes`, and tables in proportion.
 *
 * Throws `module_invalid` when the bytes are no core module, `memory_exceeded` when it needs more from the start.
 */
export function limitModule(source: Uint8Array, memoryBytes: number): LimitedModule {
  checkHeader(source);
  const limits = new Limits(memoryBytes);
  const out = new Writer(source.length + 64);
  out.copy(source, 0, 8);
  const reader = new Reader(source, 8, source.length);
  while (reader.at < reader.end) {
    const from = reader.at;
    const id = reader.byte();
    const size = reader.u32();
    const body = reader.part(size);
    if (id === SECTION_MEMORY) out.section(id, limits.memories(body));
    else if (id === SECTION_TABLE) out.section(id, limits.tables(body));
    else out.copy(source, from, reader.at);
  }
  return {
    bytes: out.take(),
    initialPages: limits.initialPages,
    isLowered: limits.isLowered,
    pagesMax: limits.pagesMax,
  };
}

function checkHeader(source: Uint8Array): void {
  const isWasm = source.length >= 8 && source[0] === 0 && source[1] === 0x61 && source[2] === 0x73 &&
    source[3] === 0x6d;
  if (!isWasm) {
    throw new AppError(
      "module_invalid",
      "Cannot load module: it is not WebAssembly (it must begin with 00 61 73 6d)",
      {
        hint: "Give the path of a .wasm file; text form (.wat) is made into one by wat2wasm.",
      },
    );
  }
  const version = source[4]! | (source[5]! << 8);
  const layer = source[6]! | (source[7]! << 8);
  if (layer === 1) {
    throw new AppError(
      "module_invalid",
      "Cannot load module: it is a component (WASI preview 2), not a core module",
      {
        hint: HINT_TARGET,
      },
    );
  }
  if (version !== 1 || layer !== 0) {
    throw new AppError(
      "module_invalid",
      `Cannot load module: version must be 1, current value is ${version}`,
      {
        hint: HINT_TARGET,
      },
    );
  }
}

function malformed(what: string): AppError {
  return new AppError("module_invalid", `Cannot load module: its binary is malformed (${what})`, {
    hint: "The file may be cut off or damaged: build or fetch it again.",
  });
}

/** The limits as they are applied, section by section. */
class Limits {
  initialPages = 0;
  isLowered = false;
  readonly pagesMax: number;
  readonly #elementsMax: number;
  #elements = 0;

  constructor(memoryBytes: number) {
    this.pagesMax = pagesOf(memoryBytes);
    this.#elementsMax = Math.min(TABLE_ELEMENTS_MAX, Math.ceil(memoryBytes / TABLE_ELEMENT_BYTES));
  }

  memories(body: Reader): Uint8Array {
    const out = new Writer(body.end - body.at + 16);
    const count = body.u32();
    out.u32(count);
    for (let i = 0; i < count; i++) {
      const flags = body.byte();
      if (flags > 3) {
        throw new AppError(
          "module_invalid",
          "Cannot load module: it uses 64-bit memory or other page sizes",
          {
            hint: HINT_TARGET,
          },
        );
      }
      const initial = body.u32();
      const declared = (flags & 1) !== 0 ? body.u32() : WASM_PAGES_MAX;
      this.initialPages += initial;
      if (this.initialPages > this.pagesMax) throw this.#tooLarge(this.initialPages * WASM_PAGE_BYTES);
      const max = Math.min(declared, this.pagesMax);
      if (max < declared) this.isLowered = true;
      out.byte(flags | 1);
      out.u32(initial);
      out.u32(Math.max(max, initial));
    }
    body.expectEnd("memory section");
    return out.take();
  }

  tables(body: Reader): Uint8Array {
    const out = new Writer(body.end - body.at + 16);
    const count = body.u32();
    out.u32(count);
    for (let i = 0; i < count; i++) {
      const from = body.at;
      const hasInit = body.peek() === 0x40;
      if (hasInit) {
        body.byte();
        if (body.byte() !== 0) throw malformed("table section");
      }
      body.refType();
      out.copy(body.bytes, from, body.at);
      const flags = body.byte();
      if (flags > 3) {
        throw new AppError("module_invalid", "Cannot load module: it uses 64-bit tables", {
          hint: HINT_TARGET,
        });
      }
      const initial = body.u32();
      const declared = (flags & 1) !== 0 ? body.u32() : TABLE_ELEMENTS_MAX;
      this.#elements += initial;
      if (this.#elements > this.#elementsMax) throw this.#tooLarge(this.#elements * TABLE_ELEMENT_BYTES);
      out.byte(flags | 1);
      out.u32(initial);
      out.u32(Math.max(initial, Math.min(declared, this.#elementsMax)));
      const initFrom = body.at;
      if (hasInit) body.constantExpression();
      out.copy(body.bytes, initFrom, body.at);
    }
    body.expectEnd("table section");
    return out.take();
  }

  #tooLarge(needBytes: number): AppError {
    const need = Math.ceil(needBytes / 1024 / 1024);
    const have = Math.floor((this.pagesMax * WASM_PAGE_BYTES) / 1024 / 1024);
    return new AppError(
      "memory_exceeded",
      `Cannot load module: it needs ${need} MiB of memory from the start, the task has ${have} MiB`,
      {
        hint: `Give the task more memory: at least ${need} MiB.`,
      },
    );
  }
}

/** Reads a range of a binary; every read is checked against the range's end. */
class Reader {
  constructor(readonly bytes: Uint8Array, public at: number, readonly end: number) {}

  peek(): number {
    if (this.at >= this.end) throw malformed("cut off");
    return this.bytes[this.at]!;
  }

  byte(): number {
    const value = this.peek();
    this.at++;
    return value;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      if (i === 4 && byte > 0x0f) throw malformed("a number is too long");
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw malformed("a number is too long");
  }

  /** Any LEB128, value not needed. */
  skipNumber(): void {
    for (let i = 0; i < 10; i++) if (this.byte() < 0x80) return;
    throw malformed("a number is too long");
  }

  skip(count: number): void {
    if (this.at + count > this.end) throw malformed("cut off");
    this.at += count;
  }

  part(size: number): Reader {
    const from = this.at;
    this.skip(size);
    return new Reader(this.bytes, from, from + size);
  }

  /** A reference type: one byte, or 0x63/0x64 and a heap type. */
  refType(): void {
    const code = this.byte();
    if (code === 0x63 || code === 0x64) this.skipNumber();
  }

  /** A constant expression up to and with its end. */
  constantExpression(): void {
    for (;;) {
      const code = this.byte();
      if (code === 0x0b) return;
      else if (code === 0x41 || code === 0x42 || code === 0x23 || code === 0xd0 || code === 0xd2) {
        this.skipNumber();
      } else if (code === 0x43) this.skip(4);
      else if (code === 0x44) this.skip(8);
      else if (code === 0xfd && this.u32() === 12) this.skip(16);
      else if (code === 0xfb) this.#gcInstruction();
      else if (code < 0x6a || code > 0x7e) {
        throw malformed("a constant expression has an unknown instruction");
      }
    }
  }

  #gcInstruction(): void {
    const code = this.u32();
    if (code === 0 || code === 1 || code === 6 || code === 7) this.skipNumber();
    else if (code === 8) {
      this.skipNumber();
      this.skipNumber();
    } else if (code < 26 || code > 28) throw malformed("a constant expression has an unknown instruction");
  }

  expectEnd(what: string): void {
    if (this.at !== this.end) throw malformed(what);
  }
}

/** Bytes that grow. */
class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.#room(end - start);
    this.#bytes.set(from.subarray(start, end), this.#length);
    this.#length += end - start;
  }

  section(id: number, body: Uint8Array): void {
    this.byte(id);
    this.u32(body.length);
    this.copy(body, 0, body.length);
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
