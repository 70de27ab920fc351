/** `/orchestrator/nodes` */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { matches } from "../../shared/model/constraint.ts";
import type { Node } from "../../shared/model/node.ts";
import { quote } from "../../shared/spec/problems.ts";
import { parseSelector } from "../../shared/spec/selector.ts";
import type { Answers } from "./answer.ts";
import type { Call, Door, Route } from "./door.ts";
import { AnyText, Flag, Limit, readQuery } from "./queries.ts";
import * as shapes from "./shapes.ts";
import { formatNode, formatRequester } from "./wire.ts";

type Shown = ReturnType<typeof formatNode> | ReturnType<typeof formatRequester>;

const amount = (key: "CPU" | "Memory" | "Disk" | "GPU") => (node: Shown) =>
  (node.Info.ComputeNodeInfo.AvailableCapacity as Record<string, number>)[key] ?? 0;

/** What a list may be sorted by; amounts are most first. */
const ORDERS: Readonly<Record<string, (a: Shown, b: Shown) => number>> = {
  id: by(({ Info }) => Info.NodeID),
  type: by(({ Info }) => Info.NodeType),
  available_cpu: byMost(amount("CPU")),
  available_memory: byMost(amount("Memory")),
  available_disk: byMost(amount("Disk")),
  available_gpu: byMost(amount("GPU")),
  approval: by(({ Membership }) => Membership),
  status: by(({ Connection }) => Connection),
};

function by(key: (node: Shown) => string) {
  return (a: Shown, b: Shown) => key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

function byMost(key: (node: Shown) => number) {
  return (a: Shown, b: Shown) => key(b) - key(a);
}

const Order = z.string().transform((text, context) => {
  if (Object.hasOwn(ORDERS, text)) return text;
  context.addIssue({ code: "custom", message: `must be one of ${Object.keys(ORDERS).join(", ")}` });
  return z.NEVER;
}).optional();

/** One of a few words, in any casing. */
function wordOf(...words: readonly string[]) {
  return z.string().refine((text) => words.includes(text.toLowerCase()), {
    error: `must be one of ${words.join(", ")}`,
  }).describe(words.map((word) => `\`${word}\``).join(", ")).optional();
}

const ListQuery = z.object({
  limit: Limit,
  order_by: Order,
  reverse: Flag,
  labels: AnyText.describe("A selector like `env=prod,tier in (a,b),!old`"),
  "filter-approval": wordOf("approved", "pending", "rejected"),
  "filter-status": wordOf("connected", "disconnected"),
});

/** The routes of nodes. */
export function nodeRoutes(door: Door, answers: Answers): Route[] {
  return [
    {
      method: "get",
      path: "/orchestrator/nodes",
      tag: "nodes",
      summary: "List nodes, with the age of what is known of each",
      query: ListQuery,
      answer: shapes.Nodes,
      handle: (call) => listNodes(door, answers, call),
    },
    {
      method: "get",
      path: "/orchestrator/nodes/{id}",
      tag: "nodes",
      summary: "One node, by id, the beginning of an id, or name",
      answer: shapes.NodeAnswer,
      handle: (call) => getNode(door, answers, call),
    },
  ];
}

function listNodes(door: Door, answers: Answers, call: Call): Response {
  const query = readQuery(ListQuery, call.query);
  const constraints = query.labels === undefined ? [] : parseSelector(query.labels);
  const nowMs = door.clock.wallMs();
  const nodes = door.desk.queries.listNodes();
  const shown: Shown[] = nodes.map((node) => formatNode(node, { about: door.about, nowMs }));
  if (!isListed(door, nodes)) shown.push(formatRequester(door.about, { nowMs }));
  const kept = shown.filter(({ Info, Membership, Connection }) =>
    constraints.every((constraint) => matches(constraint, Info.Labels)) &&
    isWanted(query["filter-approval"], Membership) && isWanted(query["filter-status"], Connection)
  );
  kept.sort(ORDERS[query.order_by ?? "id"]);
  if (query.reverse) kept.reverse();
  return answers.json(call, { NextToken: "", Nodes: query.limit ? kept.slice(0, query.limit) : kept });
}

const isWanted = (wanted: string | undefined, is: string) => !wanted || wanted.toUpperCase() === is;

const isListed = ({ about }: Door, nodes: readonly Node[]) =>
  nodes.some(({ facts }) => facts.id === about.nodeId);

function getNode(door: Door, answers: Answers, call: Call): Response {
  const id = call.params.id ?? "";
  if (id === "") throw new AppError("bad_request", `Cannot find node ${quote(id)}: it must have an id`);
  const nowMs = door.clock.wallMs();
  const { about } = door;
  const isSelf = id.length >= 3 && about.nodeId.startsWith(id) &&
    !isListed(door, door.desk.queries.listNodes());
  const node = isSelf
    ? formatRequester(about, { nowMs })
    : formatNode(door.desk.queries.getNode(id), { about, nowMs });
  return answers.json(call, { Node: node });
}
