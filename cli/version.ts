/** `skerry version` */
import { asAppError } from "../shared/errors.ts";
import { VERSION } from "../shared/version.ts";
import { type Call, defineCommand, type Noun } from "./command.ts";
import { openClient } from "./client.ts";
import { toggle } from "./flags.ts";
import { OUTPUT_FLAGS, printRecord } from "./output.ts";
import { textAt } from "./wire.ts";

const FLAGS = {
  client: toggle({ summary: "Show only this program's version, without asking the server" }),
  ...OUTPUT_FLAGS,
};

const version = defineCommand({
  name: "version",
  summary: "Show the versions of this program and of the server",
  operands: [],
  flags: FLAGS,
  examples: [
    { line: "skerry version", does: "Both versions" },
    { line: "skerry version --client --output json", does: "This program's, for scripts" },
  ],
  run,
});

/** `skerry version` */
export const VERSION_NOUN: Noun = { name: version.name, summary: version.summary, command: version };

async function run({ flags, settings, terminal }: Call<typeof FLAGS>): Promise<void> {
  const record: Record<string, string> = { client: VERSION, deno: Deno.version.deno };
  if (!flags.client) {
    const client = await openClient(settings);
    record.server = await client.get("/agent/version").then(
      (answer) => textAt(answer, "SkerryVersion") ?? textAt(answer, "GitVersion") ?? "unknown",
      (error) => `unknown: ${asAppError(error).message}`,
    );
  }
  await printRecord(terminal, { record, output: flags.output });
}
