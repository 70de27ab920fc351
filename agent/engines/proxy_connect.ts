/** Where the proxy connects to: names are resolved once, and the very address that was checked is connected to. */
import type { AddressRange } from "../../shared/addresses.ts";
import { canonicalAddress, isIn, isPublic } from "../../shared/addresses.ts";
import { AppError } from "../../shared/errors.ts";

/** How names become connections. */
export interface ProxyNetwork {
  /** Addresses of a name; empty when there is none. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** Addresses that the node's owner lets tasks reach although they are not public. */
  readonly ranges: readonly AddressRange[];
  /** The machine's own addresses. */
  readonly ownAddresses: () => readonly string[];
}

/** The outcome of trying to connect. */
export type Reached =
  | { readonly kind: "connected"; readonly conn: Deno.Conn }
  /** The name leads to addresses that tasks must not reach. */
  | { readonly kind: "denied"; readonly address: string }
  | { readonly kind: "failed"; readonly message: string };

/** Tried in turn; names with many addresses have them for balance. */
const ADDRESSES_MAX = 4;
const CONNECT_MS = 10_000;

/** Connects to a canonical host at a port. */
export async function reach(
  network: ProxyNetwork,
  { host, port }: { host: string; port: number },
): Promise<Reached> {
  let addresses: readonly string[];
  try {
    addresses = /^[\d.]+$|:/.test(host) ? [host] : await network.resolve(host);
  } catch (error) {
    return { kind: "failed", message: `the name cannot be resolved: ${(error as Error).message}` };
  }
  if (addresses.length === 0) return { kind: "failed", message: "the name has no address" };
  const allowed = addresses.filter((address) => mayReach(address, network));
  if (allowed.length === 0) return { kind: "denied", address: addresses[0]! };
  let failure = "";
  for (const address of allowed.slice(0, ADDRESSES_MAX)) {
    try {
      return { kind: "connected", conn: await connectWithin(CONNECT_MS, { hostname: address, port }) };
    } catch (error) {
      failure = (error as Error).message;
    }
  }
  return { kind: "failed", message: failure };
}

/**
 * Public, and not the node itself, whose services are behind its firewall for whoever comes from outside; or in a range that
 * the owner has named.
 */
function mayReach(address: string, { ranges, ownAddresses }: ProxyNetwork): boolean {
  return isIn(address, ranges) ||
    (isPublic(address) && !ownAddresses().some((own) => canonicalAddress(own) === canonicalAddress(address)));
}

async function connectWithin(timeoutMs: number, to: { hostname: string; port: number }): Promise<Deno.Conn> {
  const connecting = Deno.connect(to);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new AppError("timed_out", `no answer in ${timeoutMs / 1000}s`));
    connecting.then((conn) => conn.close(), () => {});
  }, timeoutMs);
  try {
    return await Promise.race([connecting, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The same, with so many at a time that a name server which does not answer holds up nobody but those who ask it: each
 * name that is looked up has a thread of the process meanwhile.
 */
export function limited(resolve: ProxyNetwork["resolve"], countMax: number): ProxyNetwork["resolve"] {
  let count = 0;
  const waiting: (() => void)[] = [];
  return async (host) => {
    if (count >= countMax) await new Promise<void>((begin) => waiting.push(begin));
    else count++;
    try {
      return await resolve(host);
    } finally {
      const next = waiting.shift();
      if (next === undefined) count--;
      else next();
    }
  };
}

/** Of all its network devices. */
export function addressesOfMachine(): readonly string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}

/** The machine's own way to resolve names. */
export async function resolveBySystem(host: string): Promise<readonly string[]> {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(host, { all: true })).map(({ address }) => address);
}
