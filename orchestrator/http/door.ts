/** What every file of the HTTP API works with. */
import type { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { JobDefaults } from "../../shared/spec/parse_job.ts";
import type { Desk } from "../flow/desk.ts";
import type { Slots } from "./slots.ts";

/** What this build and machine are, for `agent version` and response headers. */
export interface About {
  readonly nodeId: NodeId;
  /** Skerry's own version. */
  readonly version: string;
  readonly commit: string;
  /** RFC 3339. */
  readonly buildDate: string;
  /** Go's names: `linux`, `darwin`, `windows`; `amd64`, `arm64`. */
  readonly os: string;
  readonly arch: string;
}

/** The orchestrator behind the API, and what the API needs beside it. */
export interface Door {
  readonly desk: Desk;
  readonly about: About;
  /** The whole configuration as `agent config` shows it. Secrets are masked here. */
  readonly config: () => Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly defaults: JobDefaults;
  /** Answers held back for news. */
  readonly polls: Slots;
  /** Open log sockets. */
  readonly sockets: Slots;
}

/** One request, routed. */
export interface Call {
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly requestId: string;
  /** Bacalhau's release that the client says it is, such as `v1.9.3`; empty when it says nothing. */
  readonly clientVersion: string;
}

/** One route: how it is served, and what the API's document says of it. */
export interface Route {
  readonly method: "get" | "put" | "post" | "delete";
  /** Below `/api/v1`, with `{name}` for parts. */
  readonly path: string;
  readonly tag: "jobs" | "executions" | "nodes" | "namespaces" | "agent" | "auth" | "document";
  readonly summary: string;
  /** More than the summary says, where there is more. */
  readonly description?: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Shape of the answer with status 200; absent: no JSON. */
  readonly answer?: z.ZodType;
  readonly handle: (call: Call) => Response | Promise<Response>;
}
