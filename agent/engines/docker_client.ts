/**
 * The Docker Engine's HTTP API over its Unix socket: the few calls that the engine needs, each answer parsed. Why not a
 * library: see the decision record about it.
 */
import { z } from "zod";
import { exists } from "../../shared/disk.ts";
import { AppError } from "../../shared/errors.ts";

/** The newest version of the API that this code was written for; an older daemon is spoken to in its own. */
const API_VERSION_MAX = "1.47";
/** Docker Engine 20.10. */
const API_VERSION_MIN = "1.41";

/** The daemon answered, and said no. */
export class DockerRefusal extends Error {
  override name = "DockerRefusal";
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** One request. Paths are without the version. */
export interface DockerRequest {
  readonly query?: Readonly<Record<string, string | number | boolean | object | undefined>>;
  /** Sent as JSON; bytes as a tar archive. */
  readonly body?: object | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const Version = z.object({
  Version: z.string(),
  ApiVersion: z.string(),
  MinAPIVersion: z.string().optional(),
  Os: z.string(),
  Arch: z.string(),
});
/** What the daemon is. */
export type DockerVersion = z.infer<typeof Version>;

/** Talks to one daemon. Connections are made as they are needed, so that a daemon may come and go. */
export class DockerClient {
  readonly socketPath: string;
  /** Made when it is first needed: on a machine without Docker, never. */
  #client: Deno.HttpClient | undefined;
  #prefix: Promise<string> | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** Errors: `unavailable` when no daemon answers, `unsupported` when it is too old or too new. */
  async version(signal?: AbortSignal): Promise<DockerVersion> {
    const response = await this.#fetch("GET", "/version", { signal });
    return Version.parse(JSON.parse(await readText(response, this.socketPath)));
  }

  /** The answer, parsed. Errors: `DockerRefusal`, or `unavailable` when no daemon answers. */
  async get<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    request: DockerRequest = {},
  ): Promise<z.infer<Schema>> {
    return await this.#json("GET", path, schema, request);
  }

  async post<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    request: DockerRequest = {},
  ): Promise<z.infer<Schema>> {
    return await this.#json("POST", path, schema, request);
  }

  /** A call whose answer says nothing. */
  async call(method: "POST" | "PUT" | "DELETE", path: string, request: DockerRequest = {}): Promise<void> {
    const response = await this.#fetch(method, await this.#versioned(path), request);
    await response.body?.cancel();
  }

  /** The answer as it comes. Reading fails with `unavailable` when the daemon goes away meanwhile. */
  async stream(
    method: "GET" | "POST",
    path: string,
    request: DockerRequest = {},
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const response = await this.#fetch(method, await this.#versioned(path), request);
    return response.body === null
      ? new ReadableStream({ start: (controller) => controller.close() })
      : named(response.body, { socketPath: this.socketPath, signal: request.signal });
  }

  /** Whether there is a socket at all; where one may not look, the next call tells more. */
  async isThere(): Promise<boolean> {
    return await exists(this.socketPath).catch(() => true);
  }

  /** Whether a new connection is taken: a daemon that shuts down still answers old ones. */
  async isListening(): Promise<boolean> {
    try {
      (await Deno.connect({ transport: "unix", path: this.socketPath })).close();
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #json<Schema extends z.ZodType>(
    method: string,
    path: string,
    schema: Schema,
    request: DockerRequest,
  ): Promise<z.infer<Schema>> {
    const response = await this.#fetch(method, await this.#versioned(path), request);
    const text = await readText(response, this.socketPath);
    const parsed = schema.safeParse(text === "" ? undefined : JSON.parse(text));
    if (parsed.success) return parsed.data;
    throw new AppError("unavailable", `Cannot understand the Docker Engine's answer to ${method} ${path}`, {
      hint: "Use Docker Engine 20.10 or newer",
      cause: parsed.error,
    });
  }

  async #versioned(path: string): Promise<string> {
    this.#prefix ??= this.version().then(prefixFor);
    try {
      return `${await this.#prefix}${path}`;
    } catch (error) {
      this.#prefix = undefined;
      throw error;
    }
  }

  async #fetch(
    method: string,
    path: string,
    { query, body, headers, signal }: DockerRequest,
  ): Promise<Response> {
    const url = new URL(`http://docker${path}`);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value === undefined) continue;
      url.searchParams.set(name, typeof value === "object" ? JSON.stringify(value) : String(value));
    }
    const isTar = body instanceof Uint8Array;
    this.#client ??= Deno.createHttpClient({
      proxy: { transport: "unix", path: this.socketPath },
      poolIdleTimeout: 2_000,
    });
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        client: this.#client,
        signal,
        headers: {
          ...(body !== undefined && { "content-type": isTar ? "application/x-tar" : "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: isTar ? body : JSON.stringify(body) }),
      });
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw unavailable(this.socketPath, cause);
    }
    if (response.ok || response.status === 304) return response;
    const text = await readText(response, this.socketPath).catch(() => "");
    throw new DockerRefusal(response.status, messageOf(text) || `status ${response.status}`);
  }
}

async function readText(response: Response, socketPath: string): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw unavailable(socketPath, cause);
  }
}

/** The same stream, whose failures are the daemon's. */
function named(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { socketPath, signal }: { socketPath: string; signal: AbortSignal | undefined },
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (cause) {
        controller.error(signal?.aborted ? signal.reason : unavailable(socketPath, cause));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** The daemon is not there, or went away. */
export function unavailable(what: string, cause: unknown): AppError {
  return new AppError("unavailable", `Cannot reach the Docker Engine at "${what}"`, {
    hint: "See whether it runs (systemctl status docker), and whether the agent's user is in its group",
    cause,
  });
}

function prefixFor({ Version: name, ApiVersion, MinAPIVersion }: DockerVersion): string {
  const chosen = compareVersions(ApiVersion, API_VERSION_MAX) < 0 ? ApiVersion : API_VERSION_MAX;
  if (compareVersions(chosen, API_VERSION_MIN) < 0) {
    throw new AppError(
      "unsupported",
      `Cannot use Docker Engine ${name}: its API must be ${API_VERSION_MIN} or newer`,
      {
        hint: "Upgrade it to 20.10 or newer",
      },
    );
  }
  // A daemon that has dropped what this code was written for is spoken to in its oldest version.
  const isDropped = MinAPIVersion !== undefined && compareVersions(chosen, MinAPIVersion) < 0;
  return `/v${isDropped ? MinAPIVersion : chosen}`;
}

/** Negative when `one` comes first; `1.9` comes before `1.41`. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [one.split(".").map(Number), other.split(".").map(Number)];
  return (a[0]! - b[0]!) || ((a[1] ?? 0) - (b[1] ?? 0));
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === "string" ? message : text;
  } catch {
    return text;
  }
}

/** Whether the daemon said that there is no such thing. */
export const isMissing = (error: unknown): boolean => error instanceof DockerRefusal && error.status === 404;
/** Whether the name is taken, or the state does not allow it. */
export const isConflict = (error: unknown): boolean => error instanceof DockerRefusal && error.status === 409;
