/** `skerry job run` and `skerry job validate`: job files. */
import { EXIT } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { type Call, defineCommand } from "./command.ts";
import { checkJobFile, FILE_FLAGS, FILE_OPERAND, readJobFile } from "./job_file.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { RUN_FLAGS, runJob } from "./submit.ts";
import { harmless, plural } from "./words.ts";

const FLAGS = {
  ...FILE_FLAGS,
  ...RUN_FLAGS,
  ...OUTPUT_FLAGS,
};

/** `skerry job run` */
export const RUN = defineCommand({
  name: "run",
  summary: "Run the job that a file describes, and wait for its end",
  about:
    "Exits with 0 when the job completed, 6 when it failed or a task exited with other than 0. Ctrl-C leaves the " +
    "job running.",
  operands: [FILE_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job run job.yaml", does: "Submit a job and see it through" },
    { line: "skerry job run --follow job.yaml", does: "Show what it prints" },
    {
      line: "generate-job | skerry job run --id-only --no-wait -",
      does: "From another program, for scripts",
    },
    { line: "skerry job run --dry-run job.yaml", does: "Only check it, and show it with every default" },
  ],
  async run(call: Call<typeof FLAGS>) {
    const { flags, settings } = call;
    const file = await readJobFile(call.operands[0]!, { namespace: flags.namespace, settings });
    return await runJob(call, { ...file, output: flags.output });
  },
});

/** `skerry job validate` */
export const VALIDATE = defineCommand({
  name: "validate",
  summary: "Check a job file, without a server",
  about: "Exits with 0 when the job could be submitted, 2 when it could not.",
  operands: [FILE_OPERAND],
  flags: OUTPUT_FLAGS,
  examples: [
    { line: "skerry job validate job.yaml", does: "Name every mistake, with its line" },
    { line: "skerry job validate job.yaml -o yaml", does: "Show the job with every default" },
  ],
  async run({ operands, flags, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const { parsed } = await checkJobFile(operands[0]!);
    for (const warning of parsed.warnings) {
      terminal.note(`${terminal.paintNote.warn("Warning:")} ${harmless(warning)}`);
    }
    if (isData(flags.output)) {
      const { formatSpec } = await import("../shared/spec/format_job.ts");
      await printData(terminal, { value: formatSpec(parsed.spec), output: flags.output });
      return EXIT.ok;
    }
    const { name, count, task } = parsed.spec;
    terminal.print(
      `OK: ${name ? `job ${quote(name)}` : "job without a name"}, ${task.engine.type}, ${
        plural(count, "partition")
      }`,
    );
    return EXIT.ok;
  },
});
