/** `skerry job executions` */
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { whole } from "./flags.ts";
import { JOB_OPERAND, NAMESPACE_FLAG, VERSIONS_FLAGS } from "./job_operand.ts";
import { tintState } from "./job_list.ts";
import { OUTPUT_FLAGS, printList } from "./output.ts";
import { livesColumns } from "./lives_columns.ts";
import { checkPartition, fetchExecutions, fetchJob } from "./partitions.ts";
import type { ExecutionView } from "./wire.ts";
import { age, moment, plural, short } from "./words.ts";

const FLAGS = {
  partition: whole({ placeholder: "N", summary: "Only executions of this partition" }),
  ...VERSIONS_FLAGS,
  limit: whole({ placeholder: "N", short: "n", summary: "At most so many (default: all)", least: 1 }),
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job executions` */
export const EXECUTIONS = defineCommand({
  name: "executions",
  summary: "List the executions of a job: every attempt at every partition",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job executions j-0123abcd", does: "Where each partition runs or ran" },
    { line: "skerry job executions j-0123abcd --partition 3 -o wide", does: "All attempts at one partition" },
    { line: "skerry job executions sea-breeze --all-job-versions", does: "Of earlier versions too" },
  ],
  async run({ operands, flags, settings, terminal }: Call<typeof FLAGS>) {
    const client = await openClient(settings);
    const version = flags.allJobVersions ? "all" : flags.jobVersion;
    const all = await fetchExecutions(client, operands[0]!, { version });
    const rows = all.filter(({ partition }) => flags.partition === undefined || partition === flags.partition)
      .sort((a, b) => a.version - b.version || a.partition - b.partition || a.createdAtMs - b.createdAtMs);
    if (rows.length === 0 && (flags.jobVersion ?? flags.partition) !== undefined) {
      const job = await fetchJob(client, operands[0]!, { version: flags.jobVersion });
      if (flags.partition !== undefined) checkPartition(job, flags.partition);
    }
    const shown = rows.slice(0, flags.limit ?? rows.length);
    const nowMs = client.nowMs();
    const { paint } = terminal;
    await printList(terminal, {
      rows: shown,
      output: flags.output,
      wireOf: ({ wire }) => wire,
      nameOf: ({ id }) => id,
      empty: "No executions yet",
      columns: [
        { title: "ID", cell: ({ id }: ExecutionView) => short(id) },
        ...version === "all"
          ? [{ title: "VERSION", cell: ({ version }: ExecutionView) => String(version), isNumber: true }]
          : [],
        { title: "PARTITION", cell: ({ partition }) => String(partition), isNumber: true },
        { title: "NODE", cell: ({ nodeId }) => short(nodeId) },
        {
          title: "STATE",
          cell: ({ state }) => state,
          tint: ({ state }, text) => tintState(state, text, paint),
        },
        { title: "SINCE", cell: ({ modifiedAtMs }) => age(modifiedAtMs, nowMs) },
        { title: "DESIRED", cell: ({ desired }) => desired, isWide: true },
        { title: "CREATED AT", cell: ({ createdAtMs }) => moment(createdAtMs), isWide: true },
        { title: "REPLACES", cell: ({ previousId }) => previousId ? short(previousId) : "-", isWide: true },
        { title: "IMAGE", cell: ({ image }) => image || "-", isWide: true },
        {
          title: "EXIT",
          cell: ({ exitCode }) => exitCode === undefined ? "-" : String(exitCode),
          tint: ({ exitCode }, text) => exitCode ? paint.bad(text) : text,
          isNumber: true,
        },
        ...livesColumns(shown, paint),
        ...shown.some(({ ports }) => ports.length > 0)
          ? [{ title: "PORTS", cell: ({ ports }: ExecutionView) => ports.join(", ") || "-" }]
          : [],
        { title: "MESSAGE", cell: ({ message, lastExit }) => message || lastExit && `before: ${lastExit}` },
      ],
    });
    const hidden = rows.length - shown.length;
    if (hidden > 0 && flags.output === "table") {
      terminal.note(`${plural(hidden, "more execution")} not shown`);
    }
  },
});
