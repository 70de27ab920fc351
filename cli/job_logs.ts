/** `skerry job logs` */
import { AppError, EXIT } from "../shared/errors.ts";
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { parsed, parseSpan, text, toggle, whole } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { JOB_OPERAND, NAMESPACE_FLAG, VERSION_FLAG } from "./job_operand.ts";
import { showLogs } from "./log_follow.ts";

const FLAGS = {
  follow: toggle({ summary: "Show new output as it comes, until the job has ended", short: "f" }),
  partition: whole({ placeholder: "N", summary: "Only this partition, numbered from 0" }),
  executionId: text({
    placeholder: "ID",
    short: "e",
    summary: "Only this execution, also one that was replaced",
  }),
  execution: text({ placeholder: "ID", summary: "The same", isHidden: true }),
  ...VERSION_FLAG,
  tail: whole({ placeholder: "N", short: "t", summary: "Only the last N lines of each partition" }),
  since: parsed({
    placeholder: "WHEN",
    summary: "Only output since: 10m, or 2026-03-01T12:00:00Z",
    parse: parseSince,
  }),
  ...NAMESPACE_FLAG,
};

/** `skerry job logs` */
export const LOGS = defineCommand({
  name: "logs",
  summary: "Show what a job printed, or prints",
  about:
    "What the tasks wrote to stdout goes to stdout, and stderr to stderr. With several partitions each line " +
    'begins with its partition, such as "3| ".',
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job logs j-0123abcd", does: "All of it" },
    { line: "skerry job logs --follow --since 1m j-0123abcd", does: "The last minute, and then as it comes" },
    { line: "skerry job logs --partition 3 --tail 20 j-0123abcd", does: "The last lines of one partition" },
  ],
  async run({ operands, flags, settings, terminal }: Call<typeof FLAGS>) {
    const client = await openClient(settings);
    using interrupt = onInterrupt();
    const selection = {
      isFollowing: flags.follow,
      tail: flags.tail,
      sinceMs: flags.since === undefined ? undefined : sinceMs(flags.since, client.nowMs()),
      partition: flags.partition,
      executionId: flags.executionId ?? flags.execution,
      version: flags.jobVersion,
    };
    try {
      await showLogs(client, operands[0]!, { terminal, signal: interrupt.signal, selection });
    } catch (error) {
      if (!interrupt.signal.aborted) throw error;
    }
    return interrupt.signal.aborted ? EXIT.interrupted : EXIT.ok;
  },
});

/** A moment, or how long ago. */
type Since = { readonly atMs: number } | { readonly agoMs: number };

function parseSince(written: string): Since {
  const atMs = /^\d{4}-\d\d-\d\d/.test(written) ? Date.parse(written) : NaN;
  if (!Number.isNaN(atMs)) return { atMs };
  try {
    return { agoMs: parseSpan(written) };
  } catch (cause) {
    throw new AppError("invalid", "must be a duration such as 10m, or a time such as 2026-03-01T12:00:00Z", {
      cause,
    });
  }
}

/** By the server's clock. */
const sinceMs = (since: Since, nowMs: number): number => "atMs" in since ? since.atMs : nowMs - since.agoMs;
