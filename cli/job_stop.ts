/** `skerry job stop` */
import { AppError, asAppError, EXIT } from "../shared/errors.ts";
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { text, toggle } from "./flags.ts";
import { JOB_OPERAND } from "./job_operand.ts";
import { fetchJobs } from "./job_list.ts";
import { fetchJob } from "./partitions.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { type JobView, textAt } from "./wire.ts";
import { harmless, plural, short } from "./words.ts";

const FLAGS = {
  selector: text({
    placeholder: "SELECTOR",
    short: "l",
    summary: "Stop every running or waiting job with these labels",
  }),
  reason: text({ placeholder: "TEXT", summary: "Why, for the job's history" }),
  namespace: text({ placeholder: "NAME", completes: "namespace", summary: "Namespace of the jobs" }),
  quiet: toggle({ summary: "Print nothing", short: "q" }),
  ...OUTPUT_FLAGS,
};

/** `skerry job stop` */
export const STOP = defineCommand({
  name: "stop",
  summary: "Stop jobs",
  about: "Tasks get a signal and some time (10 s unless the job says otherwise), then they are killed.",
  operands: [{ ...JOB_OPERAND, isOptional: true, isRepeated: true }],
  flags: FLAGS,
  examples: [
    { line: "skerry job stop j-0123abcd", does: "One job" },
    {
      line: "skerry job stop --selector team=a,stage=test",
      does: "All jobs with these labels that have not ended",
    },
  ],
  run,
});

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<number> {
  if ((operands.length > 0) === (flags.selector !== undefined)) {
    throw new AppError("bad_request", "Cannot stop: name jobs, or give --selector, and not both", {
      hint: "`skerry job list --state running` shows what runs",
    });
  }
  const client = await openClient(settings);
  const jobs = flags.selector === undefined
    ? await Promise.all(operands.map((id) => fetchJob(client, id)))
    : await findLive(client, flags.selector);
  if (jobs.length === 0 && !flags.quiet) terminal.note("No running or waiting job has these labels");
  let exit: number = EXIT.ok;
  const stopped: unknown[] = [];
  for (const job of jobs) {
    try {
      const answer = await stop(client, job, flags.reason);
      stopped.push({ JobID: job.id, ...answer });
      if (flags.quiet || isData(flags.output)) continue;
      terminal.print(flags.output === "name" ? job.id : told(job, answer));
    } catch (error) {
      if (jobs.length === 1) throw error;
      const { message, kind } = asAppError(error);
      terminal.note(`Error: ${short(job.id)}: ${message}`);
      exit = kind.exit;
    }
  }
  if (isData(flags.output)) await printData(terminal, { value: stopped, output: flags.output });
  else if (jobs.length > 1 && !flags.quiet) terminal.note(`Stopped ${plural(stopped.length, "job")}`);
  return exit;
}

async function findLive(client: Client, selector: string): Promise<readonly JobView[]> {
  const states = ["pending", "queued", "running"];
  const limit = Number.POSITIVE_INFINITY;
  return (await fetchJobs(client, { states, labels: [selector], limit, isOldestFirst: true })).jobs;
}

async function stop(client: Client, job: JobView, reason = "Stopped from the command line") {
  const query = { namespace: job.namespace };
  const answer = await client.delete(`/orchestrator/jobs/${job.id}`, { query, body: { reason } });
  return { EvaluationID: textAt(answer, "EvaluationID") ?? "" };
}

function told(job: JobView, { EvaluationID: evaluationId }: { EvaluationID: string }): string {
  const name = job.name && job.name !== job.id ? ` (${harmless(job.name)})` : "";
  return evaluationId
    ? `Stopping job ${short(job.id)}${name}`
    : `Job ${short(job.id)}${name} was stopped already`;
}
