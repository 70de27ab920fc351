/** `PUT /orchestrator/nodes/{id}`: what an operator does with a node, in Bacalhau's form of node actions. */
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { whyNoName } from "../../shared/spec/texts.ts";
import { quote } from "../../shared/spec/problems.ts";
import type { DrainWish } from "../flow/drain.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./shapes.ts";
import { formatNode } from "./wire.ts";

/** The routes that change nodes. */
export function nodeActionRoutes(door: Door, answers: Answers): Route[] {
  return [{
    method: "put",
    path: "/orchestrator/nodes/{id}",
    tag: "nodes",
    summary: "Empty a node, keep new work away from it, or let it take work again",
    description:
      "`cordon`: it gets nothing new. `drain`: besides, services move to other nodes one at a time, " +
      "batch and ops may end until the deadline, and what is left then is stopped and placed anew at no cost of an " +
      "attempt. `uncordon` ends both.",
    body: shapes.NodeActionBody,
    answer: shapes.NodeActed,
    handle: (call) => act(door, answers, call),
  }];
}

async function act(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const id = call.params.id ?? "";
  const action = fieldOf(body, "Action");
  const node = action === "uncordon"
    ? await door.desk.endDrain(id)
    : await door.desk.drain(id, readWish(action, body));
  const shown = formatNode(door.desk.queries.getNode(node.facts.id), {
    about: door.about,
    nowMs: door.clock.wallMs(),
  });
  return answers.json(call, { Success: true, Node: shown });
}

function readWish(action: unknown, body: Record<string, unknown>): DrainWish {
  const reason = fieldOf(body, "Message") ?? "";
  const why = typeof reason === "string" ? whyNoName(reason) : "must be a string";
  if (why) throw wrong("Message", why, reason);
  if (action === "cordon") return { kind: "cordon", reason: reason as string };
  if (action !== "drain") throw wrong("Action", "must be one of drain, cordon, uncordon", action);
  const deadlineMs = fieldOf(body, "DeadlineMs") ?? LIMITS.drainMs;
  if (deadlineMs === -1) return { kind: "drain", reason: reason as string };
  const isFine = typeof deadlineMs === "number" && Number.isSafeInteger(deadlineMs) && deadlineMs >= 0 &&
    deadlineMs <= LIMITS.timeoutMsMax;
  if (!isFine) throw wrong("DeadlineMs", "must be whole milliseconds, or -1 for none", deadlineMs);
  return { kind: "drain", reason: reason as string, deadlineMs };
}

const wrong = (field: string, must: string, is: unknown) =>
  new AppError("invalid", `Cannot change the node: ${field} ${must}, current value is ${quote(is)}`);
