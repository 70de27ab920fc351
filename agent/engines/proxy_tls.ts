/** The name that a TLS client asks for (SNI, RFC 6066), read from the first bytes that it sends. */

/** What the bytes so far tell. `hello` without a name: the client names no server. */
export type FirstBytes =
  | { readonly kind: "incomplete" }
  | { readonly kind: "other" }
  | { readonly kind: "hello"; readonly name?: string };

const OTHER: FirstBytes = { kind: "other" };
const INCOMPLETE: FirstBytes = { kind: "incomplete" };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** Bytes beyond which no honest client's hello goes on. */
export const HELLO_BYTES_MAX = 32 * 1024;

/** Looks at what a client has sent so far. What is malformed is `other`. */
export function readFirstBytes(bytes: Uint8Array): FirstBytes {
  const message = handshakeIn(bytes);
  if (!(message instanceof Uint8Array)) return message;
  const read = new Reader(message);
  try {
    read.skip(4 + 2 + 32);
    read.vector(1);
    read.vector(2);
    read.vector(1);
    if (read.isAtEnd) return { kind: "hello" };
    return nameIn(new Reader(read.vector(2)));
  } catch (error) {
    if (error instanceof RangeError) return OTHER;
    throw error;
  }
}

/** The whole ClientHello, put together from its records. */
function handshakeIn(bytes: Uint8Array): Uint8Array | FirstBytes {
  const parts: number[] = [];
  for (let at = 0;;) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE_RECORD) return OTHER;
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return OTHER;
    if (at + RECORD_HEADER_BYTES > bytes.length) return INCOMPLETE;
    const length = bytes[at + 3]! * 256 + bytes[at + 4]!;
    const fragment = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    if (length === 0) return OTHER;
    parts.push(...fragment);
    if (parts.length > 0 && parts[0] !== CLIENT_HELLO) return OTHER;
    const wanted = parts.length < 4 ? Infinity : 4 + parts[1]! * 0x1_0000 + parts[2]! * 256 + parts[3]!;
    if (wanted !== Infinity && wanted > HELLO_BYTES_MAX) return OTHER;
    if (parts.length >= wanted) return new Uint8Array(parts.slice(0, wanted));
    if (fragment.length < length) return INCOMPLETE;
    at += RECORD_HEADER_BYTES + length;
  }
}

function nameIn(extensions: Reader): FirstBytes {
  let name: string | undefined;
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const body = new Reader(extensions.vector(2));
    if (type !== SERVER_NAME) continue;
    // Two names, or a list with more than one: whom would the server believe?
    if (name !== undefined) return OTHER;
    const list = new Reader(body.vector(2));
    if (list.number(1) !== HOST_NAME) return OTHER;
    name = new TextDecoder().decode(list.vector(2)).toLowerCase().replace(/\.$/, "");
    if (!list.isAtEnd || !body.isAtEnd || name === "") return OTHER;
  }
  return name === undefined ? { kind: "hello" } : { kind: "hello", name };
}

/** Reads TLS's numbers and vectors. Throws `RangeError` beyond the end. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(count: number): Uint8Array {
    if (this.#at + count > this.#bytes.length) throw new RangeError("The message ends too early");
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(byteCount: number): number {
    return this.skip(byteCount).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  vector(lengthBytes: number): Uint8Array {
    return this.skip(this.number(lengthBytes));
  }
}
