/** Heads of HTTP/1 messages, read strictly and written anew: what two parsers could read in two ways is refused. */

/** A header line. */
export type Header = readonly [name: string, value: string];

/** The first line and the headers. */
export interface Head {
  readonly line: string;
  readonly headers: readonly Header[];
}

/** How the end of a request's body is told. */
export type BodyFraming = { readonly kind: "none" } | { readonly kind: "chunked" } | {
  readonly kind: "length";
  readonly bytes: number;
};

/** The message cannot be read in one way only. */
export class BadMessage extends Error {
  override name = "BadMessage";
}

/** Bytes of one head. */
export const HEAD_BYTES_MAX = 64 * 1024;
const HEADERS_MAX = 200;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What says something of one connection only (RFC 9110, 7.6.1). */
const OF_CONNECTION = ["connection", "keep-alive", "proxy-connection", "upgrade"];
/** What the proxy writes itself besides, or keeps to itself. */
const OF_REQUEST = ["proxy-authorization", "te", "trailer", "transfer-encoding", "host"];
/** Without them the other side could not tell where a body ends. */
const FRAMING = ["content-length", "transfer-encoding"];

/** Reads a head without the empty line at its end. Throws `BadMessage`. */
export function parseHead(bytes: Uint8Array): Head {
  const text = new TextDecoder("latin1").decode(bytes);
  const [line = "", ...rest] = text.split("\r\n");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text.replaceAll("\r\n", ""))) {
    throw new BadMessage("it has control characters");
  }
  if (rest.length > HEADERS_MAX) throw new BadMessage("it has too many headers");
  const headers = rest.map((header): Header => {
    const at = header.indexOf(":");
    const name = header.slice(0, at);
    if (at < 1 || !TOKEN.test(name)) throw new BadMessage("a header is malformed");
    return [name, header.slice(at + 1).trim()];
  });
  return { line, headers };
}

/** Method, target and version of a request line. Throws `BadMessage`. */
export function parseRequestLine(line: string): { method: string; target: string; version: string } {
  const [, method, target, version] = /^(\S+) (\S+) HTTP\/(1\.[01])$/.exec(line) ?? [];
  if (method === undefined || !TOKEN.test(method)) throw new BadMessage("it is no HTTP/1 request");
  return { method, target: target!, version: version! };
}

/** Throws `BadMessage` where a body could be read in two ways. */
export function framingOf(headers: readonly Header[]): BodyFraming {
  const lengths = valuesOf(headers, "content-length");
  const codings = valuesOf(headers, "transfer-encoding");
  if (codings.length > 0) {
    if (lengths.length > 0 || codings.length > 1 || codings[0]!.toLowerCase() !== "chunked") {
      throw new BadMessage("the length of its body is not clear");
    }
    return { kind: "chunked" };
  }
  if (lengths.length === 0) return { kind: "none" };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0]!)) {
    throw new BadMessage("the length of its body is not clear");
  }
  return { kind: "length", bytes: Number(lengths[0]) };
}

/** Headers that go on to the other side: those of this connection are left out, and those that `Connection` names. */
export function forwarded(headers: readonly Header[], of: "request" | "response"): readonly Header[] {
  const named = valuesOf(headers, "connection").flatMap((value) => value.toLowerCase().split(/\s*,\s*/))
    .filter((name) => !FRAMING.includes(name));
  const dropped = new Set([...OF_CONNECTION, ...of === "request" ? OF_REQUEST : [], ...named]);
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** The values of a header. */
export function valuesOf(headers: readonly Header[], name: string): readonly string[] {
  return headers.filter(([it]) => it.toLowerCase() === name).map(([, value]) => value);
}

/** The bytes of a head, with the empty line. */
export function formatHead({ line, headers }: Head): Uint8Array {
  const text = [line, ...headers.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
