/** `skerry job rerun` */
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { duration, text, toggle, whole } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { JOB_OPERAND, NAMESPACE_FLAG } from "./job_operand.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { nextSteps, sayInterrupted, seeThrough } from "./submit.ts";
import { numberAt, textAt } from "./wire.ts";
import { short } from "./words.ts";

const FLAGS = {
  jobVersion: whole({
    placeholder: "N",
    short: "v",
    summary: "Version to run again (default: the current one)",
    least: 1,
  }),
  reason: text({ placeholder: "TEXT", summary: "Why, for the job's history" }),
  ...NAMESPACE_FLAG,
  wait: toggle({ summary: "Wait until the job has ended", initial: true }),
  waitTimeout: duration({ placeholder: "DURATION", summary: "Stop waiting after this; the job goes on" }),
  waitTimeoutSecs: duration({ placeholder: "SECONDS", summary: "The same", isHidden: true }),
  follow: toggle({ summary: "Show what the job prints while it runs", short: "f" }),
  idOnly: toggle({ summary: "Print nothing but the job's ID" }),
  ...OUTPUT_FLAGS,
};

/** `skerry job rerun` */
export const RERUN = defineCommand({
  name: "rerun",
  summary: "Run a job again, as a new version of it",
  about: "What runs of it is stopped first. Earlier versions keep their executions, history and results.",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job rerun sea-breeze", does: "Once more as it was" },
    {
      line: "skerry job rerun sea-breeze --job-version 2 --wait=false",
      does: "As it was in its second version",
    },
  ],
  async run({ operands, flags, settings, terminal }: Call<typeof FLAGS>) {
    const client = await openClient(settings);
    using interrupt = onInterrupt();
    const path = `/orchestrator/jobs/${encodeURIComponent(operands[0]!)}/rerun`;
    const wire = await client.put(path, {
      query: { namespace: client.namespace },
      body: { JobVersion: flags.jobVersion ?? 0, Reason: flags.reason ?? "" },
      signal: interrupt.signal,
    });
    const jobId = textAt(wire, "JobID") ?? operands[0]!;
    const isPlain = flags.idOnly || flags.output === "name";
    if (isPlain) terminal.print(jobId);
    else if (isData(flags.output)) {
      if (!flags.wait) await printData(terminal, { value: wire, output: flags.output });
    } else terminal.note(`Running ${short(jobId)} again, as version ${numberAt(wire, "JobVersion")}`);
    if (!flags.wait && !flags.follow) {
      if (!isPlain && !isData(flags.output)) terminal.note(nextSteps(jobId, ["wait", "describe", "logs"]));
      return 0;
    }
    try {
      return await seeThrough({ flags, terminal }, {
        ...{ client, jobId, signal: interrupt.signal },
        output: flags.output,
      });
    } catch (error) {
      if (!interrupt.signal.aborted) throw error;
      return sayInterrupted(terminal, jobId);
    }
  },
});
