/** Submitting a job and seeing it through: what `job run` and `wasm run` share. */
import { AppError, EXIT } from "../shared/errors.ts";
import type { ParsedJob, ParseJobOptions } from "../shared/spec/parse_job.ts";
import type { Call } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { duration, toggle } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { followJobLogs } from "./log_follow.ts";
import { isData, type Output, printData } from "./output.ts";
import { outcomeExit, reportOutcome } from "./outcome.ts";
import { extentOf } from "./partitions.ts";
import type { Terminal } from "./terminal.ts";
import { waitForJob } from "./wait.ts";
import { itemsOf, textAt } from "./wire.ts";
import { harmless, plural, short } from "./words.ts";

/** Flags of every command that runs a job. */
export const RUN_FLAGS = {
  wait: toggle({ summary: "Wait until the job has ended", initial: true }),
  waitTimeout: duration({ placeholder: "DURATION", summary: "Stop waiting after this; the job goes on" }),
  waitTimeoutSecs: duration({ placeholder: "SECONDS", summary: "The same", isHidden: true }),
  follow: toggle({ summary: "Show what the job prints while it runs", short: "f" }),
  idOnly: toggle({ summary: "Print nothing but the job's ID" }),
  dryRun: toggle({ summary: "Check the job and print it, without submitting it" }),
  force: toggle({ summary: "Make a new version of a job with this name also when nothing has changed" }),
};

/** A job that was checked, and how to print what becomes of it. */
export interface JobToRun {
  /** Bacalhau's JSON, in any casing. */
  readonly wire: Readonly<Record<string, unknown>>;
  readonly parsed: ParsedJob;
  readonly output: Output;
}

/** Submits, waits, and tells how it ended. Returns the exit code. */
export async function runJob(call: Call<typeof RUN_FLAGS>, job: JobToRun): Promise<number> {
  const { flags, terminal, settings } = call;
  for (const warning of job.parsed.warnings) {
    terminal.note(`${terminal.paintNote.warn("Warning:")} ${harmless(warning)}`);
  }
  if (flags.dryRun) return await showDryRun(terminal, job);
  const client = await openClient(settings);
  using interrupt = onInterrupt();
  let jobId: string | undefined;
  try {
    const answer = await submit(client, { job: job.wire, isForced: flags.force, signal: interrupt.signal });
    jobId = answer.jobId;
    await announce(call, { job, answer });
    if (!flags.wait && !flags.follow) return EXIT.ok;
    return await seeThrough(call, { client, jobId, signal: interrupt.signal, output: job.output });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    return sayInterrupted(terminal, jobId);
  }
}

async function showDryRun(terminal: Terminal, { wire, parsed, output }: JobToRun): Promise<number> {
  const { formatSpec } = await import("../shared/spec/format_job.ts");
  // Into a file goes the whole, so that the file can be run.
  const whole = parsed.contents.size ? wire : formatSpec(parsed.spec);
  const value = terminal.isOutTerminal ? shortenContent(whole) : whole;
  await printData(terminal, { value, output: output === "json" ? "json" : "yaml" });
  terminal.note("The job is valid as far as can be told here; nothing was submitted");
  return EXIT.ok;
}

/** Without pages of base64. */
function shortenContent(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith("data:") && value.length > 200) {
    return `${value.slice(0, 60)}… (${plural(value.length, "character")})`;
  }
  if (Array.isArray(value)) return value.map(shortenContent);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, shortenContent(part)]));
}

interface Submitted {
  readonly jobId: string;
  readonly warnings: readonly string[];
  readonly wire: unknown;
}

/** Safe to repeat: the token makes the server answer a lost reply's repetition with the same job. */
async function submit(
  client: Client,
  { job, isForced, signal }: { job: unknown; isForced: boolean; signal: AbortSignal },
): Promise<Submitted> {
  const body = { IdempotencyToken: crypto.randomUUID(), Job: job, ...(isForced && { Force: true }) };
  const wire = await client.put("/orchestrator/jobs", { body, signal });
  const jobId = textAt(wire, "JobID");
  if (!jobId) throw new AppError("internal", `Cannot use the answer of ${client.api}: it names no job`);
  return { jobId, warnings: itemsOf(wire, "Warnings").map(String), wire };
}

async function announce(
  { flags, terminal }: Call<typeof RUN_FLAGS>,
  { job, answer }: { job: JobToRun; answer: Submitted },
): Promise<void> {
  const { jobId, warnings, wire } = answer;
  const local = new Set(job.parsed.warnings);
  for (const warning of warnings.filter((text) => !local.has(text))) {
    terminal.note(`${terminal.paintNote.warn("Warning:")} ${harmless(warning)}`);
  }
  if (flags.idOnly || job.output === "name") return terminal.print(jobId);
  if (isData(job.output)) {
    if (!flags.wait) await printData(terminal, { value: wire, output: job.output });
    return;
  }
  // While the job's own output goes to stdout, nothing else does.
  if (flags.follow) terminal.note(`Job ${jobId}`);
  else terminal.print(jobId);
  const { name, type, count } = job.parsed.spec;
  terminal.note(`Submitted${name ? ` ${harmless(name)}` : ""}: ${extentOf({ type, count })}`);
  if (!flags.wait && !flags.follow) terminal.note(nextSteps(jobId, ["wait", "describe", "logs"]));
}

/** The next commands for a job. */
export function nextSteps(jobId: string, verbs: readonly string[]): string {
  return `Next: ${verbs.map((verb) => `skerry job ${verb} ${short(jobId)}`).join(" · ")}`;
}

/** Waits for the job as the flags say, and tells how it ended. */
export async function seeThrough(
  { flags, terminal }: {
    flags: Pick<Call<typeof RUN_FLAGS>["flags"], "waitTimeout" | "waitTimeoutSecs" | "follow" | "idOnly">;
    terminal: Terminal;
  },
  { client, jobId, signal, output }: { client: Client; jobId: string; signal: AbortSignal; output: Output },
): Promise<number> {
  const timeoutMs = flags.waitTimeout ?? flags.waitTimeoutSecs;
  if (flags.follow) await followJobLogs(client, jobId, { terminal, signal, timeoutMs });
  const job = await waitForJob(client, jobId, { terminal, signal, timeoutMs });
  if (isData(output)) await printData(terminal, { value: job.wire, output });
  const isQuiet = flags.idOnly || output === "name" || isData(output);
  const options = { terminal, showsOutput: flags.follow ? "never" : "always" } as const;
  return isQuiet ? await outcomeExit(client, job) : await reportOutcome(client, job, options);
}

/** Ctrl-C leaves the job alone. */
export function sayInterrupted(terminal: Terminal, jobId: string | undefined): number {
  terminal.progress();
  if (!jobId) {
    terminal.note("Interrupted: whether the job was submitted is unknown; `skerry job list` shows it");
  } else {
    terminal.note(`Interrupted: job ${short(jobId)} goes on`);
    terminal.note(
      `To watch it: skerry job wait ${short(jobId)} · to stop it: skerry job stop ${short(jobId)}`,
    );
  }
  return EXIT.interrupted;
}

/** Checks a spec here, so that mistakes are told without a server. */
export async function checkJob(value: unknown, options?: ParseJobOptions): Promise<ParsedJob> {
  const { parseJob } = await import("../shared/spec/parse_job.ts");
  return parseJob(value, options);
}
