/** `data:` URLs (RFC 2397), the form in which inline inputs travel. */
import { Buffer } from "node:buffer";

/** What a URL holds. */
export interface DataUrl {
  /** Lower case, without parameters; `text/plain` when the URL names none. */
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** Reads base64 (standard or URL-safe alphabet, padded or not) and percent encoding. `undefined` when it is none. */
export function parseDataUrl(url: string): DataUrl | undefined {
  if (!/^data:/i.test(url)) return undefined;
  const comma = url.indexOf(",");
  if (comma < 0) return undefined;
  const [type = "", ...parameters] = url.slice(5, comma).split(";").map((part) => part.trim().toLowerCase());
  if (type !== "" && !/^[\w.+-]+\/[\w.+-]+$/.test(type)) return undefined;
  const body = url.slice(comma + 1);
  const bytes = parameters.includes("base64") ? fromBase64(body) : fromPercent(body);
  return bytes && { mediaType: type || "text/plain", bytes };
}

function fromBase64(body: string): Uint8Array | undefined {
  let text = body;
  if (text.includes("%")) {
    const plain = fromPercent(text);
    if (!plain) return undefined;
    text = new TextDecoder().decode(plain);
  }
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, "").length % 4 === 1) return undefined;
  const decoded = Buffer.from(text, "base64");
  return new Uint8Array(decoded.buffer, decoded.byteOffset, decoded.length);
}

function fromPercent(body: string): Uint8Array | undefined {
  const raw = new TextEncoder().encode(body);
  if (!body.includes("%")) return raw;
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] !== 0x25) {
      bytes[length++] = raw[at]!;
      continue;
    }
    const hex = String.fromCharCode(raw[at + 1] ?? 0, raw[at + 2] ?? 0);
    if (!/^[0-9a-f]{2}$/i.test(hex)) return undefined;
    bytes[length++] = parseInt(hex, 16);
    at += 2;
  }
  return bytes.slice(0, length);
}
