/** `skerry namespace set|list|describe|delete` */
import { AppError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { parseBytes, parseCpu } from "../shared/spec/units.ts";
import { type Client, openClient } from "./client.ts";
import { type Call, defineCommand, type Noun } from "./command.ts";
import { type Flag, parsed } from "./flags.ts";
import { amounts } from "./node_describe.ts";
import { formatFacts, isData, OUTPUT_FLAGS, printData, printList } from "./output.ts";
import { asRecord, itemsOf, numberAt, recordAt, textAt, type Wire } from "./wire.ts";
import { harmless } from "./words.ts";

const OPERAND = { name: "NAME", summary: "Name of the namespace", completes: "namespace" } as const;
/** Removes a bound, as the API writes it. */
const NONE = null;

/** An amount in words that the server reads too; `none` removes the bound. */
function amount(what: "cpu" | "memory" | "disk" | "gpu", summary: string): Flag<string | null | undefined> {
  const read = { cpu: parseCpu, memory: parseBytes, disk: parseBytes, gpu: count }[what];
  return parsed({
    placeholder: { cpu: "CORES", memory: "BYTES", disk: "BYTES", gpu: "N" }[what],
    summary,
    parse(word) {
      if (word === "none") return NONE;
      if (read(word) !== undefined) return word;
      throw new AppError("invalid", "must be an amount such as 2, 500m or 2GiB, or none");
    },
  });
}

const count = (text: string) => /^\d{1,6}$/.test(text) ? Number(text) : undefined;

const SET_FLAGS = {
  weight: parsed({
    placeholder: "N",
    summary: "While others wait too it gets so many times what one of weight 1 gets",
    parse(word) {
      const weight = Number(word);
      if (weight >= LIMITS.weightMin && weight <= LIMITS.weightMax) return weight;
      throw new AppError("invalid", `must be a number from ${LIMITS.weightMin} to ${LIMITS.weightMax}`);
    },
  }),
  defaultCpu: amount("cpu", "Cores of a task that does not ask"),
  defaultMemory: amount("memory", "Memory of a task that does not ask"),
  defaultDisk: amount("disk", "Disk of a task that does not ask"),
  defaultGpu: amount("gpu", "GPUs of a task that does not ask"),
  maxCpu: amount("cpu", "The most cores that one task may ask for"),
  maxMemory: amount("memory", "The most memory that one task may ask for"),
  maxDisk: amount("disk", "The most disk that one task may ask for"),
  maxGpu: amount("gpu", "The most GPUs that one task may ask for"),
  quotaCpu: amount("cpu", "Cores that all its executions hold together; beyond that they wait"),
  quotaMemory: amount("memory", "Memory that all its executions hold together"),
  quotaDisk: amount("disk", "Disk that all its executions hold together"),
  quotaGpu: amount("gpu", "GPUs that all its executions hold together"),
  maxJobs: parsed({
    placeholder: "N",
    summary: "The most jobs that have not ended; beyond that submissions are refused",
    parse(word) {
      if (word === "none") return NONE;
      const jobs = /^\d{1,9}$/.test(word) ? Number(word) : undefined;
      if (jobs !== undefined) return jobs;
      throw new AppError("invalid", "must be a whole number, or none");
    },
  }),
  ...OUTPUT_FLAGS,
};

const set = defineCommand({
  name: "set",
  summary: "Set up a namespace, or change it",
  about: "What is not named stays as it is; `none` removes a bound. What runs goes on, whatever the bounds.",
  operands: [OPERAND],
  flags: SET_FLAGS,
  examples: [
    { line: "skerry namespace set team-a --weight 2", does: "Twice as much as others while both wait" },
    {
      line: "skerry namespace set team-a --quota-cpu 8 --quota-memory 32GiB --max-cpu 4",
      does: "At most 8 cores at once, at most 4 for one task",
    },
    { line: "skerry namespace set team-a --quota-cpu none", does: "Without that bound again" },
  ],
  async run({ operands, flags, given, settings, terminal }: Call<typeof SET_FLAGS>) {
    const of = (kind: string) =>
      Object.fromEntries(
        ["CPU", "Memory", "Disk", "GPU"].flatMap((field) => {
          const value = flags[`${kind}${field[0]}${field.slice(1).toLowerCase()}` as keyof typeof flags];
          return value === undefined ? [] : [[field, value]];
        }),
      );
    if ([...given].every((name) => name === "output")) {
      throw new AppError("bad_request", "Cannot set up the namespace: name at least one thing to set", {
        hint: "`skerry namespace set --help` shows what there is",
      });
    }
    const body = {
      Weight: flags.weight,
      MaxJobs: flags.maxJobs,
      ...{ Defaults: of("default"), Maxima: of("max"), Quota: of("quota") },
    };
    const client = await openClient(settings);
    const answer = await client.put(pathOf(operands[0]!), { body });
    const namespace = recordAt(answer, "Namespace");
    if (isData(flags.output)) return await printData(terminal, { value: namespace, output: flags.output });
    terminal.print(flags.output === "name" ? operands[0]! : describeNamespace(namespace, terminal));
  },
});

const list = defineCommand({
  name: "list",
  summary: "List namespaces, with what they hold and may hold",
  operands: [],
  flags: OUTPUT_FLAGS,
  examples: [{ line: "skerry namespace list", does: "Those that are set up or in use" }],
  async run({ flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const client = await openClient(settings);
    await printList(terminal, {
      rows: itemsOf(await client.get("/orchestrator/namespaces")).map(asRecord),
      output: flags.output,
      wireOf: (wire) => wire,
      nameOf: (wire) => textAt(wire, "Name") ?? "",
      empty: "No namespaces yet: each job is in one, `default` unless it says so",
      columns: [
        {
          title: "NAME",
          cell: (wire) => textAt(wire, "Name") ?? "",
          tint: (_, name) => terminal.paint.accent(name),
        },
        { title: "WEIGHT", cell: (wire) => String(numberAt(wire, "Weight") ?? 1), isNumber: true },
        { title: "JOBS", cell: jobsOf, isNumber: true },
        { title: "SHARE", cell: shareOf, isNumber: true },
        { title: "HOLDS", cell: (wire) => amounts(recordAt(wire, "Held")) || "-" },
        { title: "QUOTA", cell: (wire) => bounds(recordAt(wire, "Quota")) || "-" },
        { title: "MAX PER TASK", cell: (wire) => bounds(recordAt(wire, "Maxima")) || "-", isWide: true },
        { title: "DEFAULTS", cell: (wire) => bounds(recordAt(wire, "Defaults")) || "-", isWide: true },
      ],
    });
  },
});

const describe = defineCommand({
  name: "describe",
  summary: "Show one namespace",
  operands: [OPERAND],
  flags: OUTPUT_FLAGS,
  examples: [{ line: "skerry namespace describe team-a", does: "Its bounds, and what it holds of them" }],
  async run({ operands, flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const client: Client = await openClient(settings);
    const namespace = recordAt(await client.get(pathOf(operands[0]!)), "Namespace");
    if (isData(flags.output)) return await printData(terminal, { value: namespace, output: flags.output });
    terminal.print(flags.output === "name" ? operands[0]! : describeNamespace(namespace, terminal));
  },
});

const remove = defineCommand({
  name: "delete",
  summary: "Remove the bounds of a namespace; its jobs stay",
  operands: [OPERAND],
  flags: {},
  examples: [{ line: "skerry namespace delete team-a", does: "Weight 1 and no bounds, as if never set up" }],
  async run({ operands, settings, terminal }: Call) {
    const client = await openClient(settings);
    await client.delete(pathOf(operands[0]!), {});
    terminal.print(`Namespace ${harmless(operands[0]!)} has no bounds any more`);
  },
});

const pathOf = (name: string) => `/orchestrator/namespaces/${encodeURIComponent(name)}`;

function jobsOf(wire: Wire): string {
  const most = numberAt(wire, "MaxJobs");
  return `${numberAt(wire, "Jobs") ?? 0}${most === undefined ? "" : ` of ${most}`}`;
}

const shareOf = (wire: Wire) => `${Math.round((numberAt(wire, "Share") ?? 0) * 100)} %`;

/** As amounts; what is 0 is a bound too. */
function bounds(wire: Wire): string {
  const none = ["CPU", "Memory", "Disk", "GPU"].filter((field) => numberAt(wire, field) === 0)
    .map((field) => `no ${field === "Memory" || field === "Disk" ? field.toLowerCase() : field}`);
  return [amounts(wire), ...none].filter(Boolean).join(", ");
}

/** Several lines. */
export function describeNamespace(wire: Wire, { paint }: Parameters<typeof printData>[0]): string {
  const isSetUp = textAt(wire, "ModifiedAt") !== undefined;
  return formatFacts(
    [
      ["Namespace", `${harmless(textAt(wire, "Name") ?? "")}${isSetUp ? "" : " (not set up: no bounds)"}`],
      ["Weight", String(numberAt(wire, "Weight") ?? 1)],
      ["Jobs", jobsOf(wire)],
      ["Holds", `${amounts(recordAt(wire, "Held")) || "nothing"} (${shareOf(wire)} of all nodes)`],
      ["Quota", bounds(recordAt(wire, "Quota"))],
      ["Task max", bounds(recordAt(wire, "Maxima"))],
      ["Defaults", bounds(recordAt(wire, "Defaults"))],
    ],
    paint,
  );
}

/** `skerry namespace` */
export const NAMESPACE: Noun = {
  name: "namespace",
  summary: "Share nodes between namespaces: weights, defaults, maxima and quotas",
  commands: [set, list, describe, remove],
};
