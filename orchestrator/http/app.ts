/** The HTTP API as one function from request to response. The server that listens is the caller's. */
import { Hono } from "hono";
import type { Clock } from "../../shared/clock.ts";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Log } from "../../shared/log.ts";
import { JOB_DEFAULTS, type JobDefaults } from "../../shared/spec/parse_job.ts";
import type { Desk } from "../flow/desk.ts";
import { agentRoutes } from "./agent.ts";
import { Answers } from "./answer.ts";
import { authRoutes } from "./auth.ts";
import type { About, Door, Route } from "./door.ts";
import { answerError, unknownRoute } from "./errors.ts";
import { executionRoutes } from "./executions.ts";
import { explainRoutes } from "./explain.ts";
import { checkOrigin, ownNames, refuseVersion } from "./guards.ts";
import { historyRoutes } from "./history.ts";
import { jobRoutes } from "./jobs.ts";
import { logRoutes } from "./logs.ts";
import { namespaceRoutes } from "./namespaces.ts";
import { nodeActionRoutes } from "./node_actions.ts";
import { nodeRoutes } from "./nodes.ts";
import { openapiDocument } from "./openapi.ts";
import { planRoutes } from "./plan.ts";
import { pruneRoutes } from "./prune.ts";
import { resultRoutes } from "./results.ts";
import { Slots } from "./slots.ts";

/** What the API is composed of. */
export interface AppOptions {
  readonly desk: Desk;
  readonly about: About;
  /** The whole configuration for `agent config`; secrets may be in it, they are masked. */
  readonly config: () => Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log;
  /** The host part of the address that the server listens on: requests must name it, or a loopback name. */
  readonly listenHost: string;
  /** Other names under which the server is reached. */
  readonly hostNames?: readonly string[];
  readonly defaults?: JobDefaults;
}

/** The API. */
export interface App {
  /** Answers every request; never throws. */
  fetch(request: Request): Promise<Response>;
  /** The OpenAPI document. */
  document(): Promise<Record<string, unknown>>;
}

const BASE = "/api/v1";
const REDIRECTS: Readonly<Record<string, string>> = {
  "/": `${BASE}/agent/version`,
  "/version": `${BASE}/agent/version`,
  "/livez": `${BASE}/agent/alive`,
};

/** Composes the routes behind the guards. */
export function createApp(options: AppOptions): App {
  const answers = new Answers(options.about);
  const door: Door = {
    ...options,
    defaults: options.defaults ?? JOB_DEFAULTS,
    polls: new Slots("waiting requests", LIMITS.longPollsMax),
    sockets: new Slots("log sockets", LIMITS.socketsMax),
  };
  const routes: Route[] = [
    ...jobRoutes(door, answers),
    ...explainRoutes(door, answers),
    ...planRoutes(door, answers),
    ...executionRoutes(door, answers),
    ...historyRoutes(door, answers),
    ...resultRoutes(door, answers),
    ...logRoutes(door),
    ...nodeRoutes(door, answers),
    ...nodeActionRoutes(door, answers),
    ...namespaceRoutes(door, answers),
    ...agentRoutes(door, answers),
    ...pruneRoutes(door, answers),
    ...authRoutes(door, answers),
  ];
  const document = once(() => openapiDocument(routes, options.about.version));
  routes.push({
    method: "get",
    path: "/openapi.json",
    tag: "document",
    summary: "This document",
    handle: async (call) => answers.json(call, await document()),
  });
  const own = ownNames(options.listenHost, options.hostNames);
  const router = routed(routes);
  return {
    document,
    async fetch(request) {
      const requestId = requestIdOf(request.headers);
      let query = new URLSearchParams();
      try {
        checkOrigin(request.headers, own);
        const { pathname, searchParams } = urlOf(request);
        query = searchParams;
        const redirect = REDIRECTS[pathname];
        if (redirect && request.method === "GET") return answers.redirect(requestId, redirect);
        const clientVersion = request.headers.get("x-bacalhau-git-version") ?? "";
        const refused = refuseVersion(clientVersion);
        if (refused) return answers.json({ requestId, query }, refused.body, refused.status);
        return await router.fetch(request, { requestId, query, clientVersion });
      } catch (error) {
        return answerError(error, { requestId, answers, log: options.log, query });
      }
    },
  };
}

/** Deno makes the URL of what the client sent, and throws when that is none. */
function urlOf(request: Request): URL {
  try {
    return new URL(request.url);
  } catch (cause) {
    throw new AppError("bad_request", "Cannot read the request: its target must be a path", { cause });
  }
}

interface Routing {
  readonly requestId: string;
  readonly query: URLSearchParams;
  readonly clientVersion: string;
}

function routed(routes: readonly Route[]): Hono<{ Bindings: Routing }> {
  const router = new Hono<{ Bindings: Routing }>();
  const methods = new Map<string, string[]>();
  for (const { method, path, handle } of routes) {
    const pattern = `${BASE}${path.replace(/\{(\w+)\}/g, ":$1")}`;
    methods.set(pattern, [...methods.get(pattern) ?? [], method.toUpperCase()]);
    router.on(
      method.toUpperCase(),
      pattern,
      (context) => handle({ request: context.req.raw, params: context.req.param(), ...context.env }),
    );
  }
  for (const [pattern, known] of methods) {
    router.all(pattern, (context) => {
      const { method } = context.req;
      throw new AppError("wrong_method", `Cannot ${method} this: the method must be ${known.join(" or ")}`);
    });
  }
  router.notFound(() => {
    throw unknownRoute();
  });
  router.onError((error) => {
    throw error;
  });
  return router;
}

/** The client's own id if it is a plain one, so that both logs can be compared. */
function requestIdOf(headers: Headers): string {
  const given = headers.get("x-request-id");
  return given && /^[\w.:-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => made ??= make();
}
