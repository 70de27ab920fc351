/** `/orchestrator/namespaces`: Skerry's own. */
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Amounts } from "../../shared/model/namespace.ts";
import { type Dimension, DIMENSIONS, NO_RESOURCES } from "../../shared/model/resources.ts";
import { quote } from "../../shared/spec/problems.ts";
import { whyNoName } from "../../shared/spec/texts.ts";
import { parseBytes, parseCpu } from "../../shared/spec/units.ts";
import { FIELDS } from "../core/filters.ts";
import type { AmountChanges, NamespaceChange } from "../flow/namespaces.ts";
import type { NamespaceView } from "../store/queries.ts";
import type { Answers } from "./answer.ts";
import { fieldOf, readObject } from "./body.ts";
import type { Call, Door, Route } from "./door.ts";
import * as shapes from "./shapes.ts";
import { formatAmounts, toRfc3339 } from "./wire.ts";

/** The routes of namespaces. */
export function namespaceRoutes(door: Door, answers: Answers): Route[] {
  const path = "/orchestrator/namespaces/{name}";
  return [
    {
      method: "get",
      path: "/orchestrator/namespaces",
      tag: "namespaces",
      summary: "List namespaces that are set up or in use, by name, with what they hold",
      answer: shapes.Namespaces,
      handle: (call) => {
        const items = door.desk.queries.listNamespaces().map(formatNamespace);
        return answers.json(call, { NextToken: "", Items: items });
      },
    },
    {
      method: "get",
      path,
      tag: "namespaces",
      summary: "One namespace",
      answer: shapes.NamespaceAnswer,
      handle: (call) =>
        answers.json(call, { Namespace: formatNamespace(door.desk.queries.getNamespace(nameOf(call))) }),
    },
    {
      method: "put",
      path,
      tag: "namespaces",
      summary: "Set a namespace up, or change it",
      description:
        "What is absent stays as it is, null removes a bound. What runs goes on, whatever the bounds.",
      body: shapes.NamespaceBody,
      answer: shapes.NamespaceAnswer,
      handle: (call) => putNamespace(door, answers, call),
    },
    {
      method: "delete",
      path,
      tag: "namespaces",
      summary: "Remove the bounds of a namespace; its jobs stay",
      answer: shapes.NamespaceDeleted,
      handle: async (call) => {
        await door.desk.deleteNamespace(nameOf(call));
        return answers.json(call, { Success: true });
      },
    },
  ];
}

async function putNamespace(door: Door, answers: Answers, call: Call): Promise<Response> {
  const body = await readObject(call.request, { clock: door.clock });
  const name = nameOf(call);
  const why = name === "*" ? 'must not be "*"' : name.trim() === "" ? "must not be empty" : whyNoName(name);
  if (why) throw wrong("its name", why, name);
  await door.desk.setNamespace(name, readChange(body));
  return answers.json(call, { Namespace: formatNamespace(door.desk.queries.getNamespace(name)) });
}

const nameOf = ({ params }: Call): string => params.name ?? "";

function readChange(body: Record<string, unknown>): NamespaceChange {
  const weight = fieldOf(body, "Weight");
  if (weight !== undefined) {
    const isFine = typeof weight === "number" && weight >= LIMITS.weightMin && weight <= LIMITS.weightMax;
    if (!isFine) throw wrong("Weight", `must be from ${LIMITS.weightMin} to ${LIMITS.weightMax}`, weight);
  }
  const jobs = fieldOf(body, "MaxJobs");
  if (jobs !== undefined && jobs !== null && !(Number.isSafeInteger(jobs) && (jobs as number) >= 0)) {
    throw wrong("MaxJobs", "must be a whole number, or null", jobs);
  }
  return {
    ...(weight !== undefined && { weight: weight as number }),
    ...(jobs !== undefined && { jobsMax: (jobs as number | null) ?? undefined }),
    defaults: readAmounts(body, "Defaults"),
    maxima: readAmounts(body, "Maxima"),
    quota: readAmounts(body, "Quota"),
  };
}

const READ: Record<Dimension, (text: string) => number | undefined> = {
  cpuMillis: parseCpu,
  memoryBytes: parseBytes,
  diskBytes: parseBytes,
  gpuCount: (text) => /^\d{1,6}$/.test(text) ? Number(text) : undefined,
};

/** `{"CPU": "2", "Memory": "4GB", "GPU": null}` */
function readAmounts(body: Record<string, unknown>, field: string): AmountChanges {
  const given = fieldOf(body, field);
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrong(field, "must be an object of amounts", given);
  }
  const known = Object.values(FIELDS);
  const odd = Object.keys(given).find((key) =>
    !known.some((name) => name.toLowerCase() === key.toLowerCase())
  );
  if (odd !== undefined) throw wrong(field, `must name amounts of ${known.join(", ")}`, odd);
  const changes: Record<string, number | undefined> = {};
  for (const dimension of DIMENSIONS) {
    const value = fieldOf(given as Record<string, unknown>, FIELDS[dimension]);
    if (value === undefined) continue;
    const amount = value === null ? undefined : READ[dimension](String(value));
    if (value !== null && amount === undefined) {
      throw wrong(
        `${field}.${FIELDS[dimension]}`,
        'must be an amount such as "2" or "512MB", or null',
        value,
      );
    }
    changes[dimension] = amount;
  }
  return changes;
}

const wrong = (field: string, must: string, is: unknown) =>
  new AppError("invalid", `Cannot set up the namespace: ${field} ${must}, current value is ${quote(is)}`);

function formatNamespace({ namespace, isSetUp, held, share, liveJobCount }: NamespaceView) {
  const { name, weight, defaults, maxima, quota, jobsMax, modifiedAtMs } = namespace;
  return {
    ...{ Name: name, Weight: weight },
    ...{ Defaults: formatBounds(defaults), Maxima: formatBounds(maxima), Quota: formatBounds(quota) },
    ...(jobsMax !== undefined && { MaxJobs: jobsMax }),
    ...{ Held: formatAmounts(held), Share: share, Jobs: liveJobCount },
    ...(isSetUp && { ModifiedAt: toRfc3339(modifiedAtMs) }),
  };
}

/** As amounts, but for 0, which is a bound too. */
function formatBounds(amounts: Amounts): Record<string, number> {
  return Object.fromEntries(
    DIMENSIONS.flatMap((dimension) => {
      const value = amounts[dimension];
      if (value === undefined) return [];
      const shown = formatAmounts({ ...NO_RESOURCES, [dimension]: value });
      return [[FIELDS[dimension], shown[FIELDS[dimension]] ?? 0]];
    }),
  );
}
