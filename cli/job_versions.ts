/** `skerry job versions` */
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { JOB_OPERAND, NAMESPACE_FLAG } from "./job_operand.ts";
import { OUTPUT_FLAGS, printList } from "./output.ts";
import { itemsOf, type JobView, readJob } from "./wire.ts";
import { moment } from "./words.ts";

const FLAGS = {
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job versions` */
export const VERSIONS = defineCommand({
  name: "versions",
  summary: "List the versions of a job: each submission under its name, and each rerun",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [{ line: "skerry job versions sea-breeze", does: "When each was made" }],
  async run({ operands, flags, settings, terminal }: Call<typeof FLAGS>) {
    const client = await openClient(settings);
    const answer = await client.get(`/orchestrator/jobs/${encodeURIComponent(operands[0]!)}/versions`, {
      query: { namespace: client.namespace },
    });
    await printList(terminal, {
      rows: itemsOf(answer, "Items").map(readJob),
      output: flags.output,
      wireOf: ({ wire }) => wire,
      nameOf: ({ version }) => String(version),
      empty: "No versions",
      columns: [
        { title: "VERSION", cell: ({ version }: JobView) => String(version), isNumber: true },
        { title: "TYPE", cell: ({ type }) => type },
        { title: "STATE", cell: ({ state }) => state },
        { title: "PARTITIONS", cell: ({ count }) => String(count), isNumber: true },
        { title: "CREATED AT", cell: ({ createdAtMs }) => moment(createdAtMs) },
      ],
    });
  },
});
