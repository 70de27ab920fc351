/** What a container's failure may come from, told by its last output and by what was turned away: hints that name the option. */
import type { ContainerNetwork } from "./docker_policy.ts";
import type { DeniedName } from "./docker_http.ts";
import { type Allowance, hintOfBound, hintOfProtection, type Protection } from "./docker_protection.ts";
import type { EngineExit } from "./engine.ts";

/** What is known of a container that has ended. */
export interface Clues {
  /** The end of what it printed on both streams. */
  readonly output: string;
  readonly exitCode: number;
  readonly network: ContainerNetwork | undefined;
  /** By its proxy, most often first. */
  readonly denied: readonly DeniedName[];
  /** What held it back, where that is known, and what the node's owner would let it have. */
  readonly protection?: Protection;
  readonly allowed: Allowance;
}

/** Bytes at the end of each stream that are looked at: the last error is there. */
const TAIL_BYTES = 8 * 1024;

/** How programs say that a network is missing: curl, wget, git, Python, Go, Node, Java, busybox, the C libraries. */
const NETWORK_FAILURES: readonly RegExp[] = [
  /could(?: not|n't) resolve (?:host|proxy)|unable to resolve host|failed to resolve/i,
  /temporary failure in name resolution|name or service not known|name does not resolve|nodename nor servname/i,
  /temporary failure resolving|could not translate host name|UnknownHostException|no address associated with hostname/i,
  /wget: bad address|no such host\b|server can't find|connection timed out; no servers could be reached/i,
  /\b(?:ENETUNREACH|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH)\b/,
  /network is (?:unreachable|down)|no route to host|cannot assign requested address/i,
  /failed to establish a new connection|dial tcp|dial udp|couldn't connect to server|getaddrinfo failed/i,
];

/** In this order; the first that says something is told. */
const HINTS: readonly ((clues: Clues) => string | undefined)[] = [
  ({ denied: [first] }) => first && hintOfDenied(first),
  ({ network, output }) =>
    network === "http" && hasNetworkFailure(output)
      ? "It reaches the job's domains by the proxy that HTTP_PROXY and HTTPS_PROXY name, and nothing without it: let the program use it, or ask for --network bridge"
      : undefined,
  ({ network, output }) =>
    network === "none" && hasNetworkFailure(output)
      ? "The container has no network: ask for --network bridge, or for --network http with --domain for each name that it needs (Network in the job)"
      : undefined,
  ({ protection, allowed, output }) => protection && hintOfProtection(output, protection, allowed),
  ({ protection, output }) => protection && hintOfBound(output, protection),
  ({ exitCode }) => EXIT_HINTS[exitCode],
];

/** Exit codes that mean the same everywhere: of shells, and 128 and the number of the signal that ended a program. */
const EXIT_HINTS: Readonly<Record<number, string>> = {
  126:
    "A program was found that cannot be run: see its file mode, and whether it is for this machine's architecture",
  127: "A program was not found: see its name, the PATH, and whether the image has it",
  129: "It was ended by SIGHUP, as when a terminal is closed",
  130: "It was ended by SIGINT",
  132:
    "It was ended by SIGILL: it uses instructions that this machine's processor does not have, or is damaged",
  134: "It was ended by SIGABRT: it gave up by itself, and says why in its output",
  135: "It was ended by SIGBUS: often a mapped file that was cut, or /dev/shm that is full",
  136: "It was ended by SIGFPE: a division by zero, or the like",
  137: "A program in it was killed (SIGKILL): often for want of memory, so give the task more",
  139: "It was ended by SIGSEGV: a fault of the program, or of a library that does not fit it",
  141: "It was ended by SIGPIPE: it wrote to what nobody reads any more",
  143: "It was ended by SIGTERM, and not by Skerry",
};

/** The sentence that helps most, if any. */
export function hintFrom(clues: Clues): string | undefined {
  for (const hintOf of HINTS) {
    const hint = hintOf(clues);
    if (hint !== undefined) return hint;
  }
}

/** The end of a container that failed by its own doing, with a hint where there is one. */
export async function withHint(
  exit: EngineExit,
  { folder, ...clues }: Omit<Clues, "output" | "exitCode"> & { folder: string },
): Promise<EngineExit> {
  if (exit.kind !== "exited" || exit.exitCode === 0) return exit;
  const output = `${await tailOf(`${folder}/stdout`)}\n${await tailOf(`${folder}/stderr`)}`;
  const hint = hintFrom({ ...clues, output, exitCode: exit.exitCode });
  return hint === undefined ? exit : { ...exit, hint };
}

function hintOfDenied({ host, port, why, count, message }: DeniedName): string {
  const times = count === 1 ? "" : ` (${count} times)`;
  const named = port === 80 || port === 443 ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  switch (why) {
    case "name":
    case "port":
      return `It was not let to ${named}${times}: list it in the job's Domains (--domain ${named})`;
    case "address":
      return `It was not let to ${named}${times}, whose address is not public: the node's owner can allow that with docker_http_ranges`;
    case "server_name":
      return `It was not let to ${named}${times}: what it sent there was not TLS for that name. Ask for it as it is called, by HTTPS`;
    case "unreachable":
      return `${message}${times}: see whether the node itself reaches it, and resolves its name`;
  }
}

const hasNetworkFailure = (output: string): boolean => NETWORK_FAILURES.some((it) => it.test(output));

async function tailOf(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const { size } = await file.stat();
    await file.seek(Math.max(0, size - TAIL_BYTES), Deno.SeekMode.Start);
    return await new Response(file.readable).text();
  } catch {
    return "";
  }
}
