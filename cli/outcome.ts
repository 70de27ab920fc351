/** How a job ended: in words, and as an exit code. */
import { EXIT } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import { fetchLastOutput, lastLines } from "./last_output.ts";
import { badExits, currentOf, fetchExecutions, rolloutLine, untold, whoOf } from "./partitions.ts";
import type { Paint } from "./paint.ts";
import type { Terminal } from "./terminal.ts";
import { type EventView, type ExecutionView, isTerminal, itemsOf, type JobView, readEvent } from "./wire.ts";
import { harmless, indent, oneLine, plural, short, span } from "./words.ts";

const SHOWN_PROBLEMS = 12;

/** 0; or 6 when the job failed, was rolled back, was stopped, or a task exited with a code that is no success. */
export async function outcomeExit(client: Client, job: JobView): Promise<number> {
  if (job.rollout !== undefined && !isTerminal(job.state)) return isUp(job) ? EXIT.ok : EXIT.jobFailed;
  if (job.state !== "completed") return EXIT.jobFailed;
  return badExits(job, currentOf(await fetchExecutions(client, job.id))).length ? EXIT.jobFailed : EXIT.ok;
}

/** Tells people on stderr how the job ended, and what to do next. Returns the exit code. */
export async function reportOutcome(
  client: Client,
  job: JobView,
  { terminal, showsOutput }: { terminal: Terminal; showsOutput: "always" | "when_bad" | "never" },
): Promise<number> {
  if (job.rollout !== undefined && !isTerminal(job.state)) return await reportRollout(client, job, terminal);
  const current = currentOf(await fetchExecutions(client, job.id));
  const bad = badExits(job, current);
  const isGood = job.state === "completed" && bad.length === 0;
  const paint = terminal.paintNote;
  terminal.note(headline(job, { current, bad, paint }));
  for (const line of problems(job, { current, bad, paint })) terminal.note(line);
  if (showsOutput === "always" || (showsOutput === "when_bad" && !isGood)) {
    const shown = await fetchLastOutput(client, { job, current });
    for (const line of shown ? lastLines(shown, { count: job.count, paint }) : []) terminal.note(line);
  }
  const verbs = isGood ? ["logs", "get", "describe"] : ["describe", "logs", "history"];
  terminal.note(paint.dim(`Next: ${verbs.map((verb) => `skerry job ${verb} ${short(job.id)}`).join(" · ")}`));
  return isGood ? EXIT.ok : EXIT.jobFailed;
}

/** The version that was asked for, and not the one that came back in its place. */
const isUp = ({ rollout }: JobView): boolean =>
  rollout?.state === "good" && rollout.rolledBackFrom === undefined;

async function reportRollout(client: Client, job: JobView, terminal: Terminal): Promise<number> {
  const paint = terminal.paintNote;
  const tint = isUp(job) ? paint.good : paint.bad;
  terminal.note(`Version ${tint(rolloutLine(job, Date.now()))}`);
  const verbs = isUp(job) ? ["describe", "logs --follow", "stop"] : ["describe", "logs", "history"];
  const bad = job.rollout?.rolledBackFrom;
  const last = isUp(job) ? undefined : await lastTrouble(client, job, bad);
  if (last) terminal.note(`  Last of it: ${short(last.executionId)}: ${oneLine(last.message)}`);
  const version = bad === undefined ? "" : ` -v ${bad}`;
  const next = verbs.map((verb) => `skerry job ${verb} ${short(job.id)}${version}`);
  terminal.note(paint.dim(`Next: ${next.join(" · ")}`));
  return isUp(job) ? EXIT.ok : EXIT.jobFailed;
}

/** Events that are looked at: more have not happened to a version that will not do, or they are alike. */
const TROUBLES_READ = 500;

/** What went wrong last with the executions of a version, if anything did. */
async function lastTrouble(client: Client, job: JobView, version?: number): Promise<EventView | undefined> {
  const query = {
    namespace: client.namespace,
    job_version: version,
    event_type: "execution",
    limit: TROUBLES_READ,
  };
  const events = itemsOf(await client.get(`/orchestrator/jobs/${job.id}/history`, { query })).map(readEvent);
  return events.findLast(({ topic, message }) =>
    topic === "Restart" || /^(Not healthy|Failed|Rejected)\b/.test(message)
  );
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
  const of = job.count === 1
    ? ""
    : `, ${done} of ${plural(job.count, job.type === "ops" ? "node" : "partition")}`;
  const word = `${job.state[0]?.toUpperCase()}${job.state.slice(1)}`;
  const tint = job.state !== "completed" ? paint.bad : bad.length ? paint.warn : paint.good;
  const message = job.state !== "completed" && job.message ? `: ${lines(job.message)}` : "";
  // A later version began at another time than the job was made.
  const after = job.version === 1 ? ` after ${took}` : ` (version ${job.version})`;
  return `${tint(word)}${after}${of}${message}`;
}

/** The first line, and the others below it. */
const lines = (text: string): string => indent(harmless(text.trim())).trimStart();

/** Ends that an execution came to by itself. */
const WENT_WRONG: ReadonlySet<string> = new Set(["failed", "refused", "lost"]);

function problems(job: JobView, { current, bad, paint }: Ended): readonly string[] {
  const isGood = job.state === "completed";
  const wrong = isGood ? [] : current.filter(({ state }) => WENT_WRONG.has(state));
  const hint = (text: string, by: string) => text ? [`${by}${paint.accent("Hint:")} ${oneLine(text)}`] : [];
  const told = [
    ...hint(isGood ? "" : job.hint, "  "),
    ...exitLines(job, bad).map((line) => `  ${line}`),
    ...[...new Set(bad.map((it) => it.hint))].flatMap((text) => hint(text, "    ")),
    ...untold(job, wrong).flatMap((alike) => [
      `  ${whoOf(job, alike)} ${alike[0]!.state}: ${oneLine(alike[0]!.message)}`,
      ...hint(alike[0]!.hint === job.hint ? "" : alike[0]!.hint, "    "),
    ]),
  ];
  const more = told.length - SHOWN_PROBLEMS;
  return more > 0 ? [...told.slice(0, SHOWN_PROBLEMS), `  and ${more} more`] : told;
}

/** `partitions 0-3 exited with 7`: a line for each exit code. */
export function exitLines(job: JobView, bad: readonly ExecutionView[]): readonly string[] {
  return [...Map.groupBy(bad, ({ exitCode }) => exitCode)].map(([exitCode, alike]) => {
    const who = job.count > 1 && alike.length === job.count ? "every partition" : whoOf(job, alike);
    return `${who} exited with ${exitCode}`;
  });
}
