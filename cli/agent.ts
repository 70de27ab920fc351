/** `skerry agent alive|version|node|config`: the server that answers. */
import { type Call, type Command, defineCommand, type Noun } from "./command.ts";
import { openClient } from "./client.ts";
import { describeNode } from "./node_describe.ts";
import { isData, OUTPUT_FLAGS, printData, printRecord } from "./output.ts";
import { asRecord, readNode, recordAt } from "./wire.ts";

/** One question with a flat answer. */
function question(
  { name, path, summary, unwrap = asRecord }: {
    name: string;
    path: string;
    summary: string;
    unwrap?: (answer: unknown) => Readonly<Record<string, unknown>>;
  },
): Command {
  return defineCommand({
    name,
    summary,
    operands: [],
    flags: OUTPUT_FLAGS,
    examples: [
      { line: `skerry agent ${name}`, does: summary },
      { line: `skerry agent ${name} --output json`, does: "The same for scripts" },
    ],
    async run({ flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
      const client = await openClient(settings);
      const wire = unwrap(await client.get(path));
      await printRecord(terminal, { record: flatten(wire), output: flags.output, wire });
    },
  });
}

/** `{a: {b: 1}}` as `{"a.b": "1"}`. */
function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) => {
      const isObject = typeof part === "object" && part !== null && !Array.isArray(part);
      if (isObject) return Object.entries(flatten(asRecord(part), `${prefix}${key}.`));
      return [[`${prefix}${key}`, Array.isArray(part) ? part.map(shown).join(", ") : shown(part)]];
    }),
  );
}

const shown = (value: unknown): string =>
  typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "-");

const node = defineCommand({
  name: "node",
  summary: "Show the node of the server that answers",
  operands: [],
  flags: OUTPUT_FLAGS,
  examples: [{ line: "skerry agent node", does: "Its engines, capacity and labels" }],
  async run({ flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const client = await openClient(settings);
    const wire = await client.get("/agent/node");
    if (isData(flags.output)) return await printData(terminal, { value: wire, output: flags.output });
    const view = readNode({ Info: "Info" in asRecord(wire) ? recordAt(wire, "Info") : wire });
    const text = describeNode(view, { terminal, nowMs: client.nowMs(), isSelf: true });
    terminal.print(flags.output === "name" ? view.id : text);
  },
});

/** `skerry agent` */
export const AGENT: Noun = {
  name: "agent",
  summary: "See the server that answers: whether it lives, its version and its configuration",
  commands: [
    question({ name: "alive", path: "/agent/alive", summary: "Ask whether the server lives" }),
    question({ name: "version", path: "/agent/version", summary: "Show the server's version" }),
    node,
    question({
      name: "config",
      path: "/agent/config",
      summary: "Show the server's configuration, without secrets",
      unwrap: (answer) => "config" in asRecord(answer) ? recordAt(answer, "config") : asRecord(answer),
    }),
  ],
};
