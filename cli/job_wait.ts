/** `skerry job wait` */
import { EXIT } from "../shared/errors.ts";
import { type Call, defineCommand } from "./command.ts";
import { openClient } from "./client.ts";
import { duration } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { JOB_OPERAND, NAMESPACE_FLAG } from "./job_operand.ts";
import { outcomeExit, reportOutcome } from "./outcome.ts";
import { isData, OUTPUT_FLAGS, printData } from "./output.ts";
import { sayInterrupted } from "./submit.ts";
import { waitForJob } from "./wait.ts";

const FLAGS = {
  timeout: duration({ placeholder: "DURATION", summary: "Stop waiting after this (default: never)" }),
  ...NAMESPACE_FLAG,
  ...OUTPUT_FLAGS,
};

/** `skerry job wait` */
export const WAIT = defineCommand({
  name: "wait",
  summary: "Wait until a job has ended, and say how",
  about:
    "Exits with 0 when it completed, 6 when it failed or a task exited with other than 0, 7 after the time-out.",
  operands: [JOB_OPERAND],
  flags: FLAGS,
  examples: [
    { line: "skerry job wait j-0123abcd", does: "However long it takes" },
    {
      line: "skerry job wait --timeout 10m j-0123abcd && skerry job get j-0123abcd",
      does: "Then fetch the results",
    },
  ],
  async run({ operands, flags, settings, terminal }: Call<typeof FLAGS>) {
    const client = await openClient(settings);
    using interrupt = onInterrupt();
    try {
      const options = { terminal, signal: interrupt.signal, timeoutMs: flags.timeout };
      const job = await waitForJob(client, operands[0]!, options);
      if (isData(flags.output)) {
        await printData(terminal, { value: job.wire, output: flags.output });
        return await outcomeExit(client, job);
      }
      if (flags.output === "name") terminal.print(job.id);
      return await reportOutcome(client, job, { terminal, showsOutput: "when_bad" });
    } catch (error) {
      if (!interrupt.signal.aborted) throw error;
      sayInterrupted(terminal, operands[0]);
      return EXIT.interrupted;
    }
  },
});
