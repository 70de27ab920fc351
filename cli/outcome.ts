/** How a job ended: in words, and as an exit code. */
import { EXIT } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import { badExits, currentOf, fetchExecutions } from "./partitions.ts";
import type { Paint } from "./paint.ts";
import type { Terminal } from "./terminal.ts";
import type { ExecutionView, JobView } from "./wire.ts";
import { harmless, indent, oneLine, plural, short, span } from "./words.ts";

/** Lines of output that a report shows of one stream. */
const SHOWN_LINES = 12;
/** Partitions that a line names. */
const SHOWN_PARTITIONS = 20;
const SHOWN_PROBLEMS = 12;

/** 0, or 6 when the job failed, was stopped, or a task exited with a code that is no success. */
export async function outcomeExit(client: Client, job: JobView): Promise<number> {
  if (job.state !== "completed") return EXIT.jobFailed;
  return badExits(job, currentOf(await fetchExecutions(client, job.id))).length ? EXIT.jobFailed : EXIT.ok;
}

/** Tells people on stderr how the job ended, and what to do next. Returns the exit code. */
export async function reportOutcome(
  client: Client,
  job: JobView,
  { terminal, showsOutput }: { terminal: Terminal; showsOutput: "always" | "when_bad" | "never" },
): Promise<number> {
  const current = currentOf(await fetchExecutions(client, job.id));
  const bad = badExits(job, current);
  const isGood = job.state === "completed" && bad.length === 0;
  const paint = terminal.paintNote;
  terminal.note(headline(job, { current, bad, paint }));
  for (const line of problems(job, { current, bad, paint })) terminal.note(line);
  if (showsOutput === "always" || (showsOutput === "when_bad" && !isGood)) {
    const shown = bad[0] ?? current.find(({ stdout, stderr }) => stdout || stderr);
    if (shown) { for (const line of lastLines(shown, { count: job.count, paint })) terminal.note(line); }
  }
  const verbs = isGood ? ["logs", "get", "describe"] : ["describe", "logs", "history"];
  terminal.note(paint.dim(`Next: ${verbs.map((verb) => `skerry job ${verb} ${short(job.id)}`).join(" · ")}`));
  return isGood ? EXIT.ok : EXIT.jobFailed;
}

interface Ended {
  readonly current: readonly ExecutionView[];
  readonly bad: readonly ExecutionView[];
  readonly paint: Paint;
}

function headline(job: JobView, { current, bad, paint }: Ended): string {
  const tookMs = job.modifiedAtMs - job.createdAtMs;
  const took = tookMs < 1000 ? `${Math.max(1, Math.round(tookMs))} ms` : span(tookMs);
  const done = current.filter(({ state }) => state === "completed").length;
  const of = job.count === 1 ? "" : `, ${done} of ${plural(job.count, "partition")}`;
  const word = `${job.state[0]?.toUpperCase()}${job.state.slice(1)}`;
  const tint = job.state !== "completed" ? paint.bad : bad.length ? paint.warn : paint.good;
  const message = job.state !== "completed" && job.message ? `: ${lines(job.message)}` : "";
  return `${tint(word)} after ${took}${of}${message}`;
}

/** The first line, and the others below it. */
const lines = (text: string): string => indent(harmless(text.trim())).trimStart();

function problems(job: JobView, { current, bad, paint }: Ended): readonly string[] {
  const isTold = ({ message }: ExecutionView) => message === "" || job.message.includes(message);
  const failed = job.state === "completed"
    ? []
    : current.filter((it) => it.state !== "completed" && !isTold(it));
  const hint = (text: string) =>
    text && text !== job.hint ? [`    ${paint.accent("Hint:")} ${oneLine(text)}`] : [];
  const told = [
    ...(job.hint && job.state !== "completed" ? [`  ${paint.accent("Hint:")} ${harmless(job.hint)}`] : []),
    ...exitLines(job, bad).map((line) => `  ${line}`),
    ...failed.flatMap(({ partition, state, message, hint: text }) => [
      `  ${job.count === 1 ? "the task" : `partition ${partition}`} ${state}: ${oneLine(message)}`,
      ...hint(text),
    ]),
  ];
  const more = told.length - SHOWN_PROBLEMS;
  return more > 0 ? [...told.slice(0, SHOWN_PROBLEMS), `  and ${more} more`] : told;
}

/** `partitions 0, 3 exited with 7`: a line for each exit code. */
export function exitLines(job: JobView, bad: readonly ExecutionView[]): readonly string[] {
  return [...Map.groupBy(bad, ({ exitCode }) => exitCode)].map(([exitCode, alike]) => {
    if (job.count === 1) return `the task exited with ${exitCode}`;
    if (alike.length === job.count) return `every partition exited with ${exitCode}`;
    const names = alike.slice(0, SHOWN_PARTITIONS).map(({ partition }) => partition).join(", ");
    const more = alike.length > SHOWN_PARTITIONS ? ` and ${alike.length - SHOWN_PARTITIONS} more` : "";
    return `${alike.length === 1 ? "partition" : "partitions"} ${names}${more} exited with ${exitCode}`;
  });
}

/** The end of what a partition printed. */
export function lastLines(
  { partition, stdout, stderr }: ExecutionView,
  { count, paint }: { count: number; paint: Paint },
): readonly string[] {
  const of = count === 1 ? "" : ` of partition ${partition}`;
  return [["stdout", stdout], ["stderr", stderr]].flatMap(([stream, text]) => {
    if (!text) return [];
    const lines = harmless(text).trimEnd().split("\n");
    const isCut = lines.length > SHOWN_LINES;
    const title = `${isCut ? `Last ${SHOWN_LINES} lines of ${stream}` : stream}${of}:`;
    return [paint.dim(title), indent(lines.slice(-SHOWN_LINES).join("\n"))];
  });
}
