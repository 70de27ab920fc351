/**
 * The proxy of one task with the network `http`: plain requests and tunnels (CONNECT) to the names and ports that the job
 * lists, at public addresses. One request for each connection, so that each is judged by itself; what a redirect leads to is
 * a request like any other.
 */
import { canonicalAddress } from "../../shared/addresses.ts";
import { canonicalHost, type DomainRule, ruleFor } from "../core/domains.ts";
import { type ProxyNetwork, reach } from "./proxy_connect.ts";
import {
  BadMessage,
  formatHead,
  forwarded,
  framingOf,
  type Head,
  HEAD_BYTES_MAX,
  parseHead,
  parseRequestLine,
} from "./proxy_head.ts";
import { ProxyStream } from "./proxy_stream.ts";
import { HELLO_BYTES_MAX, readFirstBytes } from "./proxy_tls.ts";

/** What the proxy is to do. */
export interface ProxyOptions {
  readonly rules: readonly DomainRule[];
  readonly network: ProxyNetwork;
  /** A request was turned away: what for, and why. */
  readonly onDenied: (denied: Denied) => void;
  /** Something failed that should not. */
  readonly onFailed: (error: unknown) => void;
}

/** A request that was turned away, or whose server could not be reached. */
export interface Denied {
  /** As the task named it, and the port. */
  readonly host: string;
  readonly port: number;
  readonly why: "name" | "port" | "address" | "server_name" | "unreachable";
  /** One sentence for the user. */
  readonly message: string;
}

/** Connections of one task at a time. Beyond: turned away at once. */
const CONNECTIONS_MAX = 256;
/** A request must be there by then, and an answer or tunnel must not be silent for longer. */
const REQUEST_MS = 30_000;
const SILENT_MS = 3_600_000;
const LOOK_MS = 5_000;

/** Serves one listener until it is closed. */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #listener: Deno.Listener;
  readonly #sessions = new Set<Session>();
  readonly #timer: ReturnType<typeof setInterval>;
  #isClosed = false;

  constructor(listener: Deno.Listener, options: ProxyOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#timer = setInterval(() => this.#endSilent(), LOOK_MS);
    this.#accept();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#listener.close();
    for (const session of this.#sessions) session.close();
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const conn = await this.#listener.accept();
        this.#serve(conn);
      } catch (error) {
        if (this.#isClosed || error instanceof Deno.errors.BadResource) return;
        // Out of file descriptors, or a client that was gone before it was accepted.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async #serve(conn: Deno.Conn): Promise<void> {
    const session = new Session(conn, this.#options);
    if (this.#sessions.size >= CONNECTIONS_MAX) return session.close();
    this.#sessions.add(session);
    try {
      await session.run();
    } catch (error) {
      // A side went away in the middle: nothing is left to be told. What else goes wrong must not end the agent.
      if (!isOfConnection(error)) this.#options.onFailed(error);
    } finally {
      session.close();
      this.#sessions.delete(session);
    }
  }

  #endSilent(): void {
    for (const session of this.#sessions) if (session.silentMs > session.silentMsMax) session.close();
  }
}

/** Where a request goes. */
interface Target {
  readonly host: string;
  readonly port: number;
}

/** One connection from the task: one request, or one tunnel. */
class Session {
  readonly #options: ProxyOptions;
  readonly #client: ProxyStream;
  #upstream: ProxyStream | undefined;
  #activeAtMs = performance.now();
  silentMsMax = REQUEST_MS;

  constructor(conn: Deno.Conn, options: ProxyOptions) {
    this.#options = options;
    this.#client = new ProxyStream(conn, this.#onActive);
  }

  get silentMs(): number {
    return performance.now() - this.#activeAtMs;
  }

  close(): void {
    this.#client.close();
    this.#upstream?.close();
  }

  async run(): Promise<void> {
    try {
      const bytes = await this.#client.readHead(HEAD_BYTES_MAX);
      if (bytes === undefined) return;
      const head = parseHead(bytes);
      const { method, target, version } = parseRequestLine(head.line);
      this.silentMsMax = SILENT_MS;
      if (method === "CONNECT") await this.#tunnel(target);
      else await this.#forward(head, { method, target, version });
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      await this.#answer(400, `Cannot pass the request on: ${error.message}`);
    }
  }

  readonly #onActive = (): void => {
    this.#activeAtMs = performance.now();
  };

  async #forward(
    { headers }: Head,
    { method, target, version }: { method: string; target: string; version: string },
  ): Promise<void> {
    const url = /^http:\/\/[^\\]*$/i.test(target) ? URL.parse(target) : null;
    const host = url === null ? undefined : canonicalHost(url.hostname);
    if (url === null || host === undefined) throw new BadMessage("it must name a whole http:// URL");
    const framing = framingOf(headers);
    const port = Number(url.port || 80);
    const upstream = await this.#connect({ host, port });
    if (upstream === undefined) return;
    const path = target.replace(/^http:\/\/[^/?#]*/i, "").replace(/#.*$/, "");
    await upstream.write(formatHead({
      line: `${method} ${path.startsWith("/") ? path : `/${path}`} HTTP/${version}`,
      headers: [
        ["Host", url.host],
        ...forwarded(headers, "request"),
        ...framing.kind === "chunked" ? [["Transfer-Encoding", "chunked"] as const] : [],
        ["Via", `${version} skerry`],
        ["Connection", "close"],
      ],
    }));
    // The answer may come before the body is through, and end the request.
    this.#client.pipeBodyTo(upstream, framing).catch((error) => {
      if (error instanceof BadMessage) this.close();
    });
    await this.#passAnswer(upstream);
  }

  async #passAnswer(upstream: ProxyStream): Promise<void> {
    for (;;) {
      const bytes = await upstream.readHead(HEAD_BYTES_MAX);
      if (bytes === undefined) {
        return await this.#answer(502, "The server ended the connection without an answer");
      }
      const { line, headers } = parseHead(bytes);
      const [, status = ""] = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(line) ?? [];
      if (status === "" || status === "101") {
        return await this.#answer(502, "The server's answer is not one to the request");
      }
      const isLast = !status.startsWith("1");
      const connection = isLast ? [["Connection", "close"] as const] : [];
      await this.#client.write(
        formatHead({ line, headers: [...forwarded(headers, "response"), ...connection] }),
      );
      if (isLast) return await upstream.pipeTo(this.#client);
    }
  }

  async #tunnel(target: string): Promise<void> {
    const [, name = "", digits = ""] = /^(\[[^\]]+\]|[^:/@]+):(\d{1,5})$/.exec(target) ?? [];
    const host = canonicalHost(name);
    if (host === undefined) throw new BadMessage("a tunnel must lead to HOST:PORT");
    const port = Number(digits);
    if (port < 1 || port > 65535) throw new BadMessage("a tunnel must lead to HOST:PORT");
    const rule = ruleFor(this.#options.rules, { host, port });
    const upstream = await this.#connect({ host, port });
    if (upstream === undefined || typeof rule === "string") return;
    await this.#client.write(formatHead({ line: "HTTP/1.1 200 Connection established", headers: [] }));
    // What the job opened as a port of its own may speak another protocol, in which the server may speak first.
    const isOpen = rule.port !== undefined && rule.port !== 443;
    const back = isOpen ? upstream.pipeTo(this.#client) : Promise.resolve();
    back.catch(() => this.close());
    if (!isOpen) this.silentMsMax = REQUEST_MS;
    if (!await this.#asksFor({ host, port }, { isOpen })) return;
    this.silentMsMax = SILENT_MS;
    const forth = this.#client.pipeTo(upstream);
    forth.catch(() => this.close());
    await Promise.all([forth, isOpen ? back : upstream.pipeTo(this.#client)]);
  }

  /** Whether the client begins TLS, and with the server that the tunnel was opened for. */
  async #asksFor({ host, port }: Target, { isOpen }: { isOpen: boolean }): Promise<boolean> {
    for (;;) {
      const first = readFirstBytes(this.#client.pending);
      if (first.kind === "hello") {
        // Clients name no server where they were given an address.
        if (first.name === host || (first.name === undefined && isAddress(host))) return true;
        const named = first.name === undefined ? "no server" : `the server "${printable(first.name)}"`;
        this.#deny({ host, port }, "server_name", `the TLS in the tunnel to it names ${named}`);
        return false;
      }
      if (first.kind === "other" && isOpen) return true;
      if (first.kind === "other" || this.#client.pending.length > HELLO_BYTES_MAX) {
        this.#deny({ host, port }, "server_name", "what is sent through the tunnel to it is not TLS");
        return false;
      }
      if (!await this.#client.fill()) return isOpen;
    }
  }

  /** Undefined when the client was told why not. */
  async #connect(target: Target): Promise<ProxyStream | undefined> {
    const { host, port } = target;
    const rule = ruleFor(this.#options.rules, target);
    if (rule === "name") {
      return await this.#refuse(target, rule, "it is not among the job's Domains");
    }
    if (rule === "port") {
      return await this.#refuse(target, rule, `the job's Domains do not have it with the port ${port}`);
    }
    const reached = await reach(this.#options.network, target);
    switch (reached.kind) {
      case "connected":
        return this.#upstream = new ProxyStream(reached.conn, this.#onActive);
      case "denied":
        return await this.#refuse(target, "address", `its address ${reached.address} is not a public one`);
      case "failed": {
        const message = `Cannot reach "${host}": ${reached.message}`;
        this.#options.onDenied({ host, port, why: "unreachable", message });
        await this.#answer(502, message);
      }
    }
  }

  async #refuse(target: Target, why: Denied["why"], because: string): Promise<undefined> {
    await this.#answer(403, this.#deny(target, why, because));
  }

  #deny({ host, port }: Target, why: Denied["why"], because: string): string {
    const message = `This task must not reach "${host}": ${because}`;
    this.#options.onDenied({ host, port, why, message });
    return message;
  }

  async #answer(status: 400 | 403 | 502, message: string): Promise<void> {
    const text = new TextEncoder().encode(`${message}\n`);
    const headers = [
      ["Content-Type", "text/plain; charset=utf-8"],
      ["Content-Length", String(text.length)],
      ["Proxy-Status", `skerry; details="${message.replace(/[^\x20-\x7e]|["\\]/g, "'")}"`],
      ["Connection", "close"],
    ] as const;
    await this.#client.write(formatHead({ line: `HTTP/1.1 ${status} ${REASONS[status]}`, headers }));
    await this.#client.write(text);
  }
}

const REASONS = { 400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway" } as const;
const isAddress = (host: string): boolean => canonicalAddress(host) !== undefined;
/** A connection was reset, or closed by the other half of its session. */
const isOfConnection = (error: unknown): boolean =>
  error instanceof Error && Object.values(Deno.errors).some((kind) => error instanceof kind);
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 253);
