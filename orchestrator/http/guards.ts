/** What is checked before any route: where a request comes from, and which client sends it. */
import { AppError } from "../../shared/errors.ts";
import { BACALHAU_VERSION } from "../../shared/version.ts";

/** Names under which this server may be addressed. */
export interface OwnNames {
  /** Host names beside the loopback names, in lower case. */
  readonly names: ReadonlySet<string>;
  /** Any address as digits: for servers that listen on every interface. A web page cannot forge that by DNS. */
  readonly isAnyAddress: boolean;
}

const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;

/** Host names for a server that listens there. `listenHost` may be a name, an address or a wildcard. */
export function ownNames(listenHost: string, extra: readonly string[] = []): OwnNames {
  const host = bracketed(listenHost.toLowerCase());
  const isAnyAddress = ["0.0.0.0", "[::]", ""].includes(host);
  const names = new Set(extra.map((name) => bracketed(name.toLowerCase())));
  if (!isAnyAddress) names.add(host);
  return { names, isAnyAddress };
}

const bracketed = (host: string) => host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;

/**
 * Refuses requests that a web page made: a `Host` that is not ours (DNS rebinding), an `Origin` of another site, a
 * fetch across sites. Programs send none of these. Throws `forbidden`.
 */
export function checkOrigin(headers: Headers, own: OwnNames): void {
  const host = (headers.get("host") ?? "").toLowerCase();
  if (!isOwn(hostName(host), own)) {
    throw new AppError(
      "forbidden",
      `Cannot serve host "${printable(host)}": it must be a name of this server`,
      {
        hint: "Address the server by its IP address, or add the name with --host-name",
      },
    );
  }
  const origin = headers.get("origin");
  if (origin !== null && !isOwnOrigin(origin, host)) {
    throw new AppError(
      "forbidden",
      `Cannot serve the web page of "${printable(origin)}": requests must be its own`,
      {
        hint: "Only pages that this server itself serves may call it",
      },
    );
  }
  const isAcross = ["cross-site", "same-site"].includes(headers.get("sec-fetch-site") ?? "");
  if (origin === null && isAcross && headers.get("sec-fetch-mode") !== "navigate") {
    throw new AppError("forbidden", "Cannot serve a web page of another site: requests must be its own");
  }
}

const hostName = (host: string) => host.replace(/:\d*$/, "").replace(/\.$/, "");

const printable = (text: string) => text.slice(0, 100).replace(/[^\x20-\x7e]/g, "?");

function isOwn(name: string, { names, isAnyAddress }: OwnNames): boolean {
  return LOOPBACK.test(name) || names.has(name) || (isAnyAddress && ADDRESS.test(name));
}

function isOwnOrigin(origin: string, host: string): boolean {
  const lower = origin.toLowerCase();
  return lower === `http://${host}` || lower === `https://${host}`;
}

/** Oldest client whose messages are the same as today's. */
const MIN_CLIENT: Version = [1, 4, 0];
type Version = readonly [number, number, number];

/** Why a client may not go on: a bare object, as Bacalhau's clients expect it, with its status. */
export interface Refusal {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The version gate. Clients that name no release, or one made for development, pass. */
export function refuseVersion(written: string): Refusal | undefined {
  if (["", "v0.0.0-xxxxxxx", "v0.0.0"].includes(written) || written === BACALHAU_VERSION) return undefined;
  const version = parseVersion(written);
  if (!version) {
    return {
      status: 400,
      body: { Error: `Invalid client version "${printable(written)}": it must be like v1.9.3` },
    };
  }
  if (!isOlder(version, MIN_CLIENT)) return undefined;
  const body = {
    Error: `Client version is outdated: it must be at least v${MIN_CLIENT.join(".")}. Update your client`,
    MinVersion: `v${MIN_CLIENT.join(".")}`,
    ClientVersion: written,
    ServerVersion: BACALHAU_VERSION,
  };
  return { status: 403, body };
}

/** Whether the client is so old that it reads states from history items. */
export function wantsStateStubs(clientVersion: string): boolean {
  const version = clientVersion === "" ? undefined : parseVersion(clientVersion);
  return version !== undefined && version.some((part) => part > 0) && isOlder(version, [1, 5, 0]);
}

function parseVersion(text: string): Version | undefined {
  const found = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+][\w.+-]{0,100})?$/.exec(text);
  return found ? [Number(found[1]), Number(found[2]), Number(found[3])] : undefined;
}

function isOlder(a: Version, b: Version): boolean {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at >= 0 && a[at]! < b[at]!;
}
