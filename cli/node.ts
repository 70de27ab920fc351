/** `skerry node list|describe|drain` */
import { type Call, defineCommand, type Noun } from "./command.ts";
import { openClient } from "./client.ts";
import { oneOf, text } from "./flags.ts";
import { amounts, describeNode } from "./node_describe.ts";
import { DRAIN } from "./node_drain.ts";
import { isData, OUTPUT_FLAGS, printData, printList } from "./output.ts";
import { asRecord, itemsOf, readNode } from "./wire.ts";
import { age, short } from "./words.ts";

const LIST_FLAGS = {
  labels: text({
    placeholder: "SELECTOR",
    short: "l",
    summary: "Only nodes with these labels, such as site=pier",
  }),
  filterStatus: oneOf({
    placeholder: "STATUS",
    summary: "Only nodes in this state",
    choices: ["connected", "disconnected"],
  }),
  ...OUTPUT_FLAGS,
};

const list = defineCommand({
  name: "list",
  summary: "List the nodes that jobs may run on",
  operands: [],
  flags: LIST_FLAGS,
  examples: [
    { line: "skerry node list", does: "Every node, when it was last seen, and what is free" },
    {
      line: "skerry node list --labels site=pier --output wide",
      does: "Some nodes, with their engines and labels",
    },
  ],
  async run({ flags, settings, terminal }: Call<typeof LIST_FLAGS>) {
    const client = await openClient(settings);
    const query = { labels: flags.labels, "filter-status": flags.filterStatus };
    const answer = await client.get("/orchestrator/nodes", { query });
    const nowMs = client.nowMs();
    const { paint } = terminal;
    await printList(terminal, {
      rows: itemsOf(answer, "Nodes").map(readNode),
      output: flags.output,
      wireOf: ({ wire }) => wire,
      nameOf: ({ id }) => id,
      empty: "No nodes",
      columns: [
        { title: "ID", cell: ({ id }) => short(id), tint: (_, id) => paint.accent(id) },
        { title: "NAME", cell: ({ name }) => name || "-" },
        {
          title: "STATE",
          cell: ({ connection, membership, drain }) =>
            [connection, ...(membership === "approved" ? [] : [membership]), ...(drain ? [drain.state] : [])]
              .join(", "),
          tint: ({ connection, drain }, state) =>
            connection === "connected" && drain === undefined ? paint.good(state) : paint.warn(state),
        },
        { title: "SEEN", cell: ({ seenAtMs }) => age(seenAtMs, nowMs) },
        { title: "RUNNING", cell: ({ running }) => String(running), isNumber: true },
        { title: "WAITING", cell: ({ queued }) => String(queued), isNumber: true },
        { title: "ENGINES", cell: ({ engines }) => engines.join(","), isWide: true },
        { title: "VERSION", cell: ({ version }) => version, isWide: true },
        { title: "CAPACITY", cell: ({ capacity }) => amounts(capacity), isWide: true },
        {
          title: "LABELS",
          cell: ({ labels }) => Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(","),
          isWide: true,
        },
        { title: "AVAILABLE", cell: ({ available }) => amounts(available) },
      ],
    });
  },
});

const describe = defineCommand({
  name: "describe",
  summary: "Show one node: its state, engines, capacity and labels",
  operands: [{ name: "NODE", summary: "ID, its beginning, or name", completes: "node" }],
  flags: OUTPUT_FLAGS,
  examples: [
    { line: "skerry node describe n-0123abcd", does: "For people" },
    { line: "skerry node describe n-0123abcd -o json", does: "Everything that the server knows" },
  ],
  async run({ operands, flags, settings, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const client = await openClient(settings);
    const answer = asRecord(await client.get(`/orchestrator/nodes/${encodeURIComponent(operands[0]!)}`)).Node;
    if (isData(flags.output)) return await printData(terminal, { value: answer, output: flags.output });
    const node = readNode(answer);
    terminal.print(
      flags.output === "name" ? node.id : describeNode(node, { terminal, nowMs: client.nowMs() }),
    );
  },
});

/** `skerry node` */
export const NODE: Noun = {
  name: "node",
  summary: "See the nodes that jobs run on, and empty them",
  commands: [list, describe, DRAIN],
};
