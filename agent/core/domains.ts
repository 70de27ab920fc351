/** What a task with the network `http` may reach: names and ports, as the job lists them in `Domains`. */
import { canonicalAddress } from "../../shared/addresses.ts";

/** One entry of `Domains`. */
export interface DomainRule {
  /** In lower case; an address in its canonical form, IPv6 without brackets. */
  readonly host: string;
  /** `example.org` is itself, `*.example.org` every name below it, `.example.org` both. */
  readonly covers: "itself" | "below" | "both";
  /** Absent: 80 and 443. */
  readonly port?: number;
}

/** The ports of an entry that names none. */
const WEB_PORTS: readonly number[] = [80, 443];

/** Reads an entry that the job spec has let through: `[*]DOMAIN[:PORT]`, or an address. */
export function parseDomain(text: string): DomainRule {
  const { host, port } = splitPort(text.trim().toLowerCase());
  const [, prefix = "", name = ""] = /^(\*\.|\.)?(.*)$/.exec(host)!;
  const covers = prefix === "*." ? "below" : prefix === "." ? "both" : "itself";
  return { host: canonicalHost(name) ?? name, covers, ...(port !== undefined && { port }) };
}

/** What a request's host is compared as: lower case, one dot at the end dropped, addresses canonical; undefined: no host. */
export function canonicalHost(host: string): string | undefined {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const address = canonicalAddress(bare);
  if (address !== undefined) return address;
  const name = bare.toLowerCase().replace(/\.$/, "");
  return name.length <= 253 && /^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(name) ? name : undefined;
}

/** Why a host must not be reached: its name is not listed, or not with this port. */
export type Denial = "name" | "port";

/** The rule by which a canonical host may be reached at a port, or why not. */
export function ruleFor(
  rules: readonly DomainRule[],
  { host, port }: { host: string; port: number },
): DomainRule | Denial {
  const fitting = rules.filter((rule) => fits(rule, host));
  return fitting.find((rule) => rule.port === undefined ? WEB_PORTS.includes(port) : rule.port === port) ??
    (fitting.length === 0 ? "name" : "port");
}

function fits({ host: name, covers }: DomainRule, host: string): boolean {
  // Parts of addresses are not domains.
  if (canonicalAddress(host) !== undefined) return covers === "itself" && host === name;
  return (covers !== "below" && host === name) || (covers !== "itself" && host.endsWith(`.${name}`));
}

/** `example.org:8080`, `[2001:db8::1]:443`, `2001:db8::1` */
function splitPort(text: string): { host: string; port?: number } {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined ? { host: text } : { host, port: Number(port) };
}
