/** `skerry help`: commands, and topics that belong to no command. */
import { EXIT } from "../shared/errors.ts";
import { nearest } from "../shared/spec/suggest.ts";
import type { Noun } from "./command.ts";
import { habitHint } from "./habits.ts";
import { NOUNS } from "./nouns.ts";
import { helpText } from "./program.ts";
import { environmentName, SETTING_KEYS, SETTINGS } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** What each exit code means. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "it worked; a job that was waited for completed",
  failed: "something went wrong that no other code tells",
  usage: "the command line, the job or a setting has a mistake",
  notFound: "the named job, node or file does not exist",
  refused: "it is not allowed, or not possible in this state",
  tryAgain: "the server cannot be reached or is busy: try again later",
  jobFailed: "the job failed or was stopped, or a task exited with a code that is no success",
  timedOut: "the time to wait is over; the job goes on",
  changes: "with job plan --detailed-exitcode: submitting the job would change something",
  interrupted: "Ctrl-C; the job goes on",
};

/** Topics of `skerry help`. */
export const TOPICS: Readonly<Record<string, () => string>> = {
  "exit-codes": () =>
    [
      "Exit codes:",
      ...Object.entries(EXIT).map(([name, code]) =>
        `${String(code).padStart(5)}  ${EXIT_MEANINGS[name as keyof typeof EXIT]}`
      ),
    ].join("\n"),
  environment: () =>
    [
      "Environment (flags beat it, and it beats the config file):",
      ...SETTING_KEYS.map((key) => `  ${environmentName(key).padEnd(22)}  ${SETTINGS[key].summary}`),
      `  ${"SKERRY_CONFIG".padEnd(22)}  Config file to use`,
      `  ${"SKERRY_DEBUG".padEnd(22)}  Show where an internal error happened`,
      `  ${"NO_COLOR".padEnd(22)}  No colours`,
    ].join("\n"),
};

/** Prints the help of a command, a noun or a topic. Returns the exit code. */
export async function showHelp(words: readonly string[], terminal: Terminal): Promise<number> {
  const [first, second] = words;
  const topic = first !== undefined && Object.hasOwn(TOPICS, first) ? TOPICS[first] : undefined;
  if (topic) {
    terminal.print(topic());
    return EXIT.ok;
  }
  const entry = NOUNS.find(({ name }) => name === first);
  const nouns: Noun[] = entry ? [await entry.load()] : [];
  const known = first === undefined
    ? []
    : entry
    ? nouns[0]!.commands?.map(({ name }) => name) ?? []
    : undefined;
  const missing = known === undefined
    ? first
    : second !== undefined && !known.includes(second)
    ? second
    : undefined;
  if (missing !== undefined) {
    const near = nearest(missing, known ?? [...NOUNS.map(({ name }) => name), ...Object.keys(TOPICS)]);
    terminal.note(`Error: There is no help for "${missing}"`);
    const habit = habitHint(missing, entry?.name) ?? (near && `Did you mean ${near}?`);
    terminal.note(`Hint: ${habit ?? "`skerry help` lists everything"}`);
    return EXIT.usage;
  }
  terminal.print(helpText(words, nouns).trimEnd());
  return EXIT.ok;
}
