/** `/agent`: the server about itself. */
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./shapes.ts";
import { formatNodeInfo, formatRequesterInfo, formatVersion } from "./wire.ts";

/** Names of values that nobody is shown. */
const SECRET = /token|password|secret|api_?key|private_?key|credential/i;
const MASK = "********";

/** The routes of the agent. */
export function agentRoutes(door: Door, answers: Answers): Route[] {
  const config = () => ({ config: masked(door.config()) });
  return [
    {
      method: "get",
      path: "/agent/alive",
      tag: "agent",
      summary: "Whether the server answers",
      answer: shapes.Alive,
      handle: (call) => answers.json(call, { Status: "OK" }),
    },
    {
      method: "get",
      path: "/agent/version",
      tag: "agent",
      summary: "The release, in Bacalhau's terms and in Skerry's",
      answer: shapes.Version,
      handle: (call) =>
        answers.json(call, { ...formatVersion(door.about), SkerryVersion: door.about.version }),
    },
    {
      method: "get",
      path: "/agent/node",
      tag: "agent",
      summary: "The node that answers",
      answer: shapes.NodeInfo,
      handle: (call) => describeNode(door, answers, call),
    },
    {
      method: "get",
      path: "/agent/config",
      tag: "agent",
      summary: "The configuration, secrets masked",
      answer: shapes.Config,
      handle: (call) => answers.json(call, config()),
    },
    {
      method: "get",
      path: "/agent/authconfig",
      tag: "agent",
      summary: "How users sign on; nothing until access tokens",
      answer: shapes.AuthConfig,
      handle: (call) => answers.json(call, { Version: "1.0.0", Config: {} }),
    },
    {
      method: "get",
      path: "/agent/debug",
      tag: "agent",
      summary: "What the API is busy with",
      answer: shapes.Debug,
      handle: (call) =>
        answers.json(call, {
          api: { HeldAnswers: door.polls.heldCount, LogSockets: door.sockets.heldCount },
        }),
    },
  ];
}

function describeNode(door: Door, answers: Answers, call: Call): Response {
  const own = door.desk.queries.listNodes().find(({ facts }) => facts.id === door.about.nodeId);
  return answers.json(
    call,
    own ? formatNodeInfo(own, { about: door.about }) : formatRequesterInfo(door.about),
  );
}

/** The same values, with those behind secret names hidden; empty ones stay empty. */
export function masked(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item, name));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, key)]));
  }
  return SECRET.test(name) && value !== "" && value !== null && value !== undefined ? MASK : value;
}
