/** The end of what a job printed: the part that people look at first. */
import type { Client } from "./client.ts";
import { streamLogs } from "./log_stream.ts";
import type { Paint } from "./paint.ts";
import { badExits } from "./partitions.ts";
import { type ExecutionView, hasEnded, type JobView } from "./wire.ts";
import { harmless, indent } from "./words.ts";

/** Lines of each stream. */
const SHOWN_LINES = 12;
/** A server or node that is slow to tell more than the preview is not waited for. */
const TAIL_MS = 3000;

/** What one partition printed last. */
export interface LastOutput {
  readonly partition: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What of the output this is: all of it unless told. */
  readonly part?: "beginning" | "end" | "so far";
}

/**
 * The last output of the partition that needs a look most: one with a bad exit code, one that failed, else any that
 * printed something. Absent when none has. Records keep only the beginning of long output; its end is asked for.
 */
export async function fetchLastOutput(
  client: Client,
  { job, current }: { job: JobView; current: readonly ExecutionView[] },
): Promise<LastOutput | undefined> {
  const hasOutput = ({ stdout, stderr }: ExecutionView) => stdout !== "" || stderr !== "";
  const execution = badExits(job, current).find(hasOutput) ??
    current.find((it) => it.state === "failed" && hasOutput(it)) ?? current.find(hasOutput) ??
    current.find(({ state }) => state === "running");
  if (!execution) return undefined;
  const { partition, stdout, stderr } = execution;
  if (hasOutput(execution) && !execution.isTruncated) return { partition, stdout, stderr };
  const tail = await readTail(client, execution);
  if (tail) return { partition, ...tail, part: hasEnded(execution.state) ? "end" : "so far" };
  return hasOutput(execution) ? { partition, stdout, stderr, part: "beginning" } : undefined;
}

async function readTail(
  client: Client,
  execution: ExecutionView,
): Promise<Pick<LastOutput, "stdout" | "stderr"> | undefined> {
  const texts = { stdout: "", stderr: "" };
  const signal = AbortSignal.timeout(TAIL_MS);
  const query = { execution_id: execution.id, tail: 2 * SHOWN_LINES, follow: false };
  try {
    for await (
      const { isError, text } of streamLogs(client, `/orchestrator/jobs/${execution.jobId}/logs`, {
        query,
        signal,
      })
    ) texts[isError ? "stderr" : "stdout"] += text;
  } catch {
    return undefined;
  }
  return texts.stdout === "" && texts.stderr === "" ? undefined : texts;
}

/** Titles and lines, stdout first. */
export function lastLines(
  { partition, stdout, stderr, part }: LastOutput,
  { count, paint }: { count: number; paint: Paint },
): readonly string[] {
  const of = count === 1 ? "" : ` of partition ${partition}`;
  return [["stdout", stdout], ["stderr", stderr]].flatMap(([stream, text = ""]) => {
    if (text === "") return [];
    const lines = harmless(text).trimEnd().split("\n");
    if (part === "beginning") {
      const shown = `${lines.slice(0, SHOWN_LINES).join("\n")}…`;
      return [paint.dim(`Beginning of ${stream}${of} (its end could not be had in time):`), indent(shown)];
    }
    const title = lines.length > SHOWN_LINES
      ? `Last ${SHOWN_LINES} lines of ${stream}${of}`
      : part === "end"
      ? `End of ${stream}${of}`
      : `${stream}${of}${part === "so far" ? " so far" : ""}`;
    return [paint.dim(`${title}:`), indent(lines.slice(-SHOWN_LINES).join("\n"))];
  });
}
