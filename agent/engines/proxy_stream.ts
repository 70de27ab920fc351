/** A connection as the proxy reads it: heads first, then bodies, then whatever comes. */
import { BadMessage, type BodyFraming } from "./proxy_head.ts";

/** The part of a connection that is needed. */
export type Duplex = Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite">;

const CHUNK_BYTES = 64 * 1024;
/** Bytes of one line that tells the size of a chunk, or of one trailer. */
const LINE_BYTES_MAX = 4 * 1024;
const TRAILERS_MAX = 32;
const END_OF_HEAD = new TextEncoder().encode("\r\n\r\n");
const END_OF_LINE = END_OF_HEAD.subarray(0, 2);

/** Bytes in both directions; what was read too far is kept for the next reader. */
export class ProxyStream {
  readonly #conn: Duplex;
  readonly #onActive: () => void;
  #buffer: Uint8Array = new Uint8Array();

  /** `onActive` is called whenever bytes come or go. */
  constructor(conn: Duplex, onActive: () => void) {
    this.#conn = conn;
    this.#onActive = onActive;
  }

  /** What was read and not taken yet. */
  get pending(): Uint8Array {
    return this.#buffer;
  }

  /** The bytes before the empty line, which is taken too; undefined when the other side ended first. */
  async readHead(bytesMax: number): Promise<Uint8Array | undefined> {
    return await this.#readUntil(END_OF_HEAD, bytesMax);
  }

  /** Reads more into `pending`; false at the end. */
  async fill(): Promise<boolean> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = await this.#conn.read(chunk);
    if (count === null) return false;
    this.#onActive();
    this.#buffer = this.#buffer.length === 0 ? chunk.subarray(0, count) : concat(this.#buffer, chunk, count);
    return true;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
      this.#onActive();
    }
  }

  /** Sends everything that comes until the other side ends, and says then that no more will come. */
  async pipeTo(other: ProxyStream): Promise<void> {
    do {
      await other.write(this.#take(this.#buffer.length));
    } while (await this.fill());
    await other.#conn.closeWrite();
  }

  /** Sends one request's body and not a byte more. Throws `BadMessage` when it is malformed or ends too early. */
  async pipeBodyTo(other: ProxyStream, framing: BodyFraming): Promise<void> {
    if (framing.kind === "length") return await this.#pipeBytes(other, framing.bytes);
    if (framing.kind === "none") return;
    for (;;) {
      const size = await this.#line();
      const [, hex] = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(size) ?? [];
      if (hex === undefined) throw new BadMessage("its body is malformed");
      const byteCount = parseInt(hex, 16);
      await other.write(ascii(`${byteCount.toString(16)}\r\n`));
      if (byteCount === 0) break;
      await this.#pipeBytes(other, byteCount);
      if (await this.#line() !== "") throw new BadMessage("its body is malformed");
      await other.write(END_OF_LINE);
    }
    // Trailers are not passed on.
    for (let count = 0; await this.#line() !== ""; count++) {
      if (count >= TRAILERS_MAX) throw new BadMessage("its body has too many trailers");
    }
    await other.write(END_OF_LINE);
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  async #pipeBytes(other: ProxyStream, byteCount: number): Promise<void> {
    for (let left = byteCount; left > 0;) {
      if (this.#buffer.length === 0) await this.#fillBody();
      const taken = this.#take(Math.min(left, this.#buffer.length));
      left -= taken.length;
      await other.write(taken);
    }
  }

  async #fillBody(): Promise<void> {
    if (!await this.fill().catch(() => false)) throw new BadMessage("its body ends too early");
  }

  async #line(): Promise<string> {
    const line = await this.#readUntil(END_OF_LINE, LINE_BYTES_MAX).catch((error) => {
      if (error instanceof BadMessage) throw error;
    });
    if (line === undefined) throw new BadMessage("its body ends too early");
    return new TextDecoder("latin1").decode(line);
  }

  async #readUntil(mark: Uint8Array, bytesMax: number): Promise<Uint8Array | undefined> {
    for (let seen = 0;;) {
      const at = indexOf(this.#buffer, mark, seen);
      if (at >= 0) return this.#take(at + mark.length).subarray(0, at);
      if (this.#buffer.length > bytesMax) throw new BadMessage("it is too long");
      seen = Math.max(0, this.#buffer.length - mark.length + 1);
      if (!await this.fill()) return undefined;
    }
  }

  #take(byteCount: number): Uint8Array {
    const taken = this.#buffer.subarray(0, byteCount);
    this.#buffer = this.#buffer.subarray(byteCount);
    return taken;
  }
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function concat(one: Uint8Array, other: Uint8Array, count: number): Uint8Array {
  const joined = new Uint8Array(one.length + count);
  joined.set(one);
  joined.set(other.subarray(0, count), one.length);
  return joined;
}

function indexOf(bytes: Uint8Array, mark: Uint8Array, from: number): number {
  for (let at = from; at + mark.length <= bytes.length; at++) {
    if (mark.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}
