/** Job files, as `job run`, `job validate` and `job plan` read them. */
import { AppError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import type { ParsedJob } from "../shared/spec/parse_job.ts";
import { quote } from "../shared/spec/problems.ts";
import type { Settings } from "./config.ts";
import { reasonOf } from "./file_errors.ts";
import { text } from "./flags.ts";
import { checkJob } from "./submit.ts";

/** One job file. */
export const FILE_OPERAND = {
  name: "FILE",
  summary: "Job in YAML or JSON; - reads it from stdin",
  completes: "file",
} as const;

/** What is said beside the file. */
export const FILE_FLAGS = {
  namespace: text({
    placeholder: "NAME",
    completes: "namespace",
    summary: "Namespace of the job, where the file names none",
  }),
};

/** A job file, checked, in the namespace that is meant. Throws `invalid` with every problem and its line. */
export async function readJobFile(
  path: string,
  { namespace, settings }: { namespace?: string; settings: Settings },
): Promise<{ wire: Record<string, unknown>; parsed: ParsedJob }> {
  const { wire, parsed } = await checkJobFile(path);
  const wanted = namespace ?? await settings.get("namespace");
  const hasOwn = Object.entries(wire).some(([key, value]) => key.toLowerCase() === "namespace" && value);
  return { wire: wanted && !hasOwn ? { ...wire, Namespace: wanted } : wire, parsed };
}

/** A job file as it is, checked. Throws `invalid` with every problem and its line. */
export async function checkJobFile(
  path: string,
): Promise<{ wire: Record<string, unknown>; parsed: ParsedJob }> {
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
