/** `skerry node drain` */
import { AppError, EXIT } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { formatDuration } from "../shared/spec/units.ts";
import { openClient } from "./client.ts";
import { type Call, defineCommand } from "./command.ts";
import { waitForDrain, whatIsLeft } from "./drain_wait.ts";
import { duration, parsed, parseSpan, text, toggle } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { isData, type Output, OUTPUT_FLAGS, printData } from "./output.ts";
import type { Terminal } from "./terminal.ts";
import { asRecord, type NodeView, readNode } from "./wire.ts";
import { harmless, short } from "./words.ts";

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
  wait: toggle({ summary: "Wait until nothing is left there" }),
  timeout: duration({
    placeholder: "DURATION",
    summary: "With --wait: stop waiting after this (default: never)",
  }),
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
    { line: "skerry node drain n-0123abcd --wait && reboot", does: "Go on once nothing is left there" },
    { line: "skerry node drain n-0123abcd --keep", does: "Let what is there go on, and give it nothing new" },
    { line: "skerry node drain n-0123abcd --cancel", does: "Let it take work again" },
  ],
  run,
});

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<number> {
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
  if (flags.wait && (flags.keep || flags.cancel)) {
    throw new AppError(
      "bad_request",
      "Cannot drain: --wait is for what leaves, --keep and --cancel let it stay",
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
  const node = readNode(answer);
  if (!flags.wait) {
    await show(node, { terminal, output: flags.output });
    return EXIT.ok;
  }
  const isTold = flags.output === "table" || flags.output === "wide";
  if (isTold && !isEmpty(node)) terminal.note(told(node));
  using interrupt = onInterrupt();
  try {
    const options = { terminal, signal: interrupt.signal, timeoutMs: flags.timeout };
    await show(await waitForDrain(client, node.id, options), { terminal, output: flags.output });
    return EXIT.ok;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    terminal.progress();
    terminal.note("Interrupted: the drain goes on; the same command waits again, --cancel ends it");
    return EXIT.interrupted;
  }
}

async function show(
  node: NodeView,
  { terminal, output }: { terminal: Terminal; output: Output },
): Promise<void> {
  if (isData(output)) return await printData(terminal, { value: node.wire, output });
  terminal.print(output === "name" ? node.id : told(node));
}

function told(node: NodeView): string {
  const name = node.name ? ` (${harmless(node.name)})` : "";
  const which = `node ${short(node.id)}${name}`;
  if (node.drain === undefined) return `The ${which} takes work again`;
  if (node.drain.state === "cordoned") return `The ${which} gets nothing new`;
  return isEmpty(node)
    ? `The ${which} is empty and gets nothing new`
    : `Draining ${which}: ${whatIsLeft(node)}`;
}

const isEmpty = ({ drain, running, queued }: NodeView): boolean =>
  drain?.state === "drained" || running + queued === 0;
