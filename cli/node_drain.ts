/** `skerry node drain` */
import { AppError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { formatDuration } from "../shared/spec/units.ts";
import { openClient } from "./client.ts";
import { type Call, defineCommand } from "./command.ts";
import { parsed, parseSpan, text, toggle } from "./flags.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { asRecord, type NodeView, readNode } from "./wire.ts";
import { harmless, plural, short } from "./words.ts";

/** No deadline, as the API writes it. */
const NONE = -1;

const FLAGS = {
  deadline: parsed({
    placeholder: "DURATION",
    summary:
      `When everything that is left is stopped and placed elsewhere: a duration such as 10m, 0 for at once, or none (${
        formatDuration(LIMITS.drainMs)
      } unless given)`,
    parse: (word) => word === "none" ? NONE : parseSpan(word),
  }),
  reason: text({ placeholder: "TEXT", summary: "Why, for whoever waits for the node" }),
  keep: toggle({ summary: "Only give it nothing new; what is there stays" }),
  cancel: toggle({ summary: "Let the node take work again" }),
  ...OUTPUT_FLAGS,
};

/** `skerry node drain` */
export const DRAIN = defineCommand({
  name: "drain",
  summary: "Empty a node: it gets nothing new, and what is there moves or ends",
  about:
    "Services move to other nodes at once, one at a time for each job. Batch and ops jobs may end until the deadline; " +
    "what is left then is stopped and placed elsewhere, which costs no attempt. Daemons are stopped last. " +
    "A drain outlives restarts of the server; `--cancel` ends it.",
  operands: [{ name: "NODE", summary: "ID, its beginning, or name", completes: "node" }],
  flags: FLAGS,
  examples: [
    {
      line: "skerry node drain n-0123abcd --deadline 10m --reason 'new kernel'",
      does: "Empty it in 10 minutes",
    },
    { line: "skerry node drain n-0123abcd --keep", does: "Let what is there go on, and give it nothing new" },
    { line: "skerry node drain n-0123abcd --cancel", does: "Let it take work again" },
  ],
  run,
});

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<void> {
  if (flags.cancel && (flags.keep || flags.deadline !== undefined || flags.reason !== undefined)) {
    throw new AppError("bad_request", "Cannot drain: --cancel stands alone");
  }
  if (flags.keep && flags.deadline !== undefined) {
    throw new AppError(
      "bad_request",
      "Cannot drain: --keep leaves what is there alone, --deadline does not",
      {
        hint: "Give one of the two",
      },
    );
  }
  const client = await openClient(settings);
  const body = {
    Action: flags.cancel ? "uncordon" : flags.keep ? "cordon" : "drain",
    Message: flags.reason,
    DeadlineMs: flags.deadline,
  };
  const answer = asRecord(
    await client.put(`/orchestrator/nodes/${encodeURIComponent(operands[0]!)}`, { body }),
  ).Node;
  if (isData(flags.output)) return await printData(terminal, { value: answer, output: flags.output });
  const node = readNode(answer);
  terminal.print(flags.output === "name" ? node.id : told(node));
}

function told(node: NodeView): string {
  const name = node.name ? ` (${harmless(node.name)})` : "";
  const which = `node ${short(node.id)}${name}`;
  if (node.drain === undefined) return `The ${which} takes work again`;
  if (node.drain.state === "cordoned") return `The ${which} gets nothing new`;
  const there = node.running + node.queued;
  const until = node.drain.leftMs === undefined
    ? "however long that takes"
    : `${formatDuration(Math.round(node.drain.leftMs / 1000) * 1000)} at most`;
  return there === 0
    ? `The ${which} is empty and gets nothing new`
    : `Draining ${which}: ${plural(there, "execution")} there, ${until}`;
}
