/** IP addresses, and which of them belong to the public Internet (IANA's special-purpose registries). */

/** An address as a number, and its family. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** All addresses that begin with the same bits. */
export interface AddressRange {
  readonly bits: 32 | 128;
  readonly value: bigint;
  readonly length: number;
}

/**
 * The canonical form of an address in any spelling that a resolver or a URL would take: `0x7f.1` is 127.0.0.1, `::FFFF:1.2.3.4`
 * is `::ffff:102:304`. Undefined for what is a name, and for what no spelling allows.
 */
export function canonicalAddress(text: string): string | undefined {
  if (text.includes(":")) return hostOf(`[${text}]`)?.slice(1, -1);
  // Only what ends in a number is an address to a URL.
  if (!/(^|\.)(\d+|0x[0-9a-f]*)\.?$/i.test(text)) return undefined;
  const host = hostOf(text);
  return host !== undefined && /^\d+(\.\d+){3}$/.test(host) ? host : undefined;
}

function hostOf(text: string): string | undefined {
  if (/[/?#@\\\s%]/.test(text)) return undefined;
  try {
    return new URL(`http://${text}/`).hostname;
  } catch {
    return undefined;
  }
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or one address. Undefined: no range. */
export function parseRange(text: string): AddressRange | undefined {
  const [, base = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const address = parseAddress(base);
  if (address === undefined) return undefined;
  const bitCount = length === undefined ? address.bits : Number(length);
  return bitCount > address.bits ? undefined : { ...address, length: bitCount };
}

/** Whether the address, in any spelling, is in one of the ranges. */
export function isIn(text: string, ranges: readonly AddressRange[]): boolean {
  const address = parseAddress(text);
  return address !== undefined && ranges.some((range) => contains(range, address));
}

/**
 * Whether an address is one of the public Internet: not private, loopback, link-local, shared, multicast, reserved, for
 * documentation, or a cloud's own; nor one that carries such an address inside. What is no address is not.
 */
export function isPublic(text: string): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  if (address.bits === 32) return !NOT_PUBLIC_4.some((range) => contains(range, address));
  if (contains(NAT64, address)) return isPublic(formatV4(address.value & 0xffff_ffffn));
  return contains(GLOBAL_6, address) && !NOT_PUBLIC_6.some((range) => contains(range, address));
}

/** Whether the address, in any spelling, is of the loopback device. */
export const isLoopback = (text: string): boolean => isIn(text, LOOPBACK);
/** Whether it stands for all addresses of a machine. */
export const isAnyAddress = (text: string): boolean =>
  ["0.0.0.0", "::"].includes(canonicalAddress(text) ?? "");

const contains = (range: AddressRange, { bits, value }: Address): boolean =>
  range.bits === bits &&
  (value >> BigInt(bits - range.length)) === (range.value >> BigInt(bits - range.length));

function parseAddress(text: string): Address | undefined {
  const canonical = canonicalAddress(text.replace(/%.*$/, ""));
  if (canonical === undefined) return undefined;
  if (!canonical.includes(":")) {
    return { bits: 32, value: canonical.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  const [head = "", tail] = canonical.split("::");
  const groups = (part: string | undefined) => part ? part.split(":") : [];
  const [first, last] = [groups(head), groups(tail)];
  const all = [...first, ...Array(8 - first.length - last.length).fill("0"), ...last];
  return { bits: 128, value: all.reduce((sum, group) => sum * 0x1_0000n + BigInt(`0x${group}`), 0n) };
}

const formatV4 = (value: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");

const range = (text: string): AddressRange => parseRange(text)!;

const NOT_PUBLIC_4: readonly AddressRange[] = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"],
  ...["192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"],
  ...["192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/4", "240.0.0.0/4"],
  // Azure's metadata, in a public range.
  "168.63.129.16",
].map(range);

const LOOPBACK: readonly AddressRange[] = ["127.0.0.0/8", "::1"].map(range);

/** Everything else in IPv6 is not routed: loopback, link-local, unique local, mapped IPv4, multicast. */
const GLOBAL_6 = range("2000::/3");
/** The IPv4 address is in the last 32 bits. */
const NAT64 = range("64:ff9b::/96");
const NOT_PUBLIC_6: readonly AddressRange[] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].map(
  range,
);
