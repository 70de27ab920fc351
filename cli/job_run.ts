/** `skerry job run` and `skerry job validate`: job files. */
import { AppError, EXIT } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import type { ParsedJob } from "../shared/spec/parse_job.ts";
import { quote } from "../shared/spec/problems.ts";
import { type Call, defineCommand } from "./command.ts";
import { reasonOf } from "./file_errors.ts";
import { text } from "./flags.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { checkJob, RUN_FLAGS, runJob } from "./submit.ts";
import { harmless, plural } from "./words.ts";

const FILE = {
  name: "FILE",
  summary: "Job in YAML or JSON; - reads it from stdin",
  completes: "file",
} as const;

const FLAGS = {
  namespace: text({ placeholder: "NAME", summary: "Namespace of the job, where the file names none" }),
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
  operands: [FILE],
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
    const { wire, parsed } = await readJobFile(call.operands[0]!);
    const namespace = call.flags.namespace ?? await call.settings.get("namespace");
    const hasOwn = Object.entries(wire).some(([key, value]) => key.toLowerCase() === "namespace" && value);
    const job = namespace && !hasOwn ? { ...wire, Namespace: namespace } : wire;
    return await runJob(call, { wire: job, parsed, output: call.flags.output });
  },
});

/** `skerry job validate` */
export const VALIDATE = defineCommand({
  name: "validate",
  summary: "Check a job file, without a server",
  about: "Exits with 0 when the job could be submitted, 2 when it could not.",
  operands: [FILE],
  flags: OUTPUT_FLAGS,
  examples: [
    { line: "skerry job validate job.yaml", does: "Name every mistake, with its line" },
    { line: "skerry job validate job.yaml -o yaml", does: "Show the job with every default" },
  ],
  async run({ operands, flags, terminal }: Call<typeof OUTPUT_FLAGS>) {
    const { parsed } = await readJobFile(operands[0]!);
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

/** A job file, checked. Throws `invalid` with every problem and its line. */
async function readJobFile(path: string): Promise<{ wire: Record<string, unknown>; parsed: ParsedJob }> {
  const source = await readText(path);
  const { readJobText } = await import("../shared/spec/job_text.ts");
  const { value, locate } = readJobText(source);
  return { wire: value as Record<string, unknown>, parsed: await checkJob(value, { locate }) };
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = path === "-" ? await readAll(Deno.stdin.readable) : await Deno.readFile(path);
    if (bytes.length > LIMITS.httpBodyBytes) {
      throw new AppError(
        "too_large",
        `Cannot read the job ${quote(path)}: it has more than ${LIMITS.httpBodyBytes} bytes`,
        {
          hint: "Give large inputs by path or URL instead of inline",
        },
      );
    }
    return new TextDecoder().decode(bytes);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const code = error instanceof Deno.errors.NotFound ? "not_found" : "io";
    throw new AppError(code, `Cannot read the job file ${quote(path)}: ${reasonOf(error)}`, {
      hint: "Name a file with a job in YAML or JSON, or - for stdin",
      cause: error,
    });
  }
}

/** At most a little more than a server takes. */
async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    if (sizeBytes > LIMITS.httpBodyBytes) break;
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}
