/** One command line from its words to its exit code. */
import { CommanderError } from "commander";
import { AppError, asAppError, EXIT } from "../shared/errors.ts";
import { InvariantError } from "../shared/invariant.ts";
import { VERSION } from "../shared/version.ts";
import type { Noun } from "./command.ts";
import { openSettings, type SettingFlags } from "./config.ts";
import { flagHint, habitHint } from "./habits.ts";
import { NOUNS } from "./nouns.ts";
import { parseArgs, type Parsed } from "./program.ts";
import { SETTING_KEYS } from "./settings.ts";
import { openTerminal, type Terminal } from "./terminal.ts";

/** Runs a command line and returns the exit code. Never throws. */
export async function main(args: readonly string[]): Promise<number> {
  const isColourless = !!Deno.env.get("NO_COLOR") || args.includes("--no-color") ||
    args.includes("--color=false");
  const terminal = openTerminal({ isColourless });
  try {
    return await runCommandLine(args, terminal);
  } catch (error) {
    // The reader of our output has gone, as in `skerry job list | head -1`.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok;
    try {
      return showError(error, terminal);
    } catch {
      return EXIT.failed;
    }
  }
}

async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args[0] === "__complete") {
    terminal.print(await (await import("./complete.ts")).complete(args.slice(1)));
    return EXIT.ok;
  }
  const words = firstWords(args);
  if (words.isVersion) {
    terminal.print(VERSION);
    return EXIT.ok;
  }
  if (words.isHelp) return await (await import("./help.ts")).showHelp(words.words, terminal);
  const nouns: Noun[] = await Promise.all(
    NOUNS.filter(({ name }) => args.includes(name)).map((noun) => noun.load()),
  );
  try {
    return await call(parseArgs(args, { nouns, write: (text) => terminal.print(text.trimEnd()) }), terminal);
  } catch (error) {
    if (error instanceof CommanderError) return showUsageError(error, { args, nouns, terminal });
    throw error;
  }
}

/** `skerry`, `skerry help …` and `skerry --version` need no parsing. */
function firstWords(
  args: readonly string[],
): { words: readonly string[]; isHelp: boolean; isVersion: boolean } {
  const words = args.filter((arg) => !arg.startsWith("-"));
  const isVersion = args.length === 1 && (args[0] === "--version" || args[0] === "-V");
  return { words: words.slice(1), isHelp: args.length === 0 || words[0] === "help", isVersion };
}

async function call(parsed: Parsed, terminal: Terminal): Promise<number> {
  const { command, operands, values, given, globals } = parsed;
  const flags: SettingFlags = {};
  for (const key of SETTING_KEYS) {
    const value = globals[camel(key)] ?? (given.has(camel(key)) ? values[camel(key)] : undefined);
    if (value !== undefined) flags[key] = Array.isArray(value) ? value.map(String) : [String(value)];
  }
  const settings = openSettings({ path: globals.config as string | undefined, flags });
  return await command.run({ operands, flags: values as never, given, settings, terminal }) ?? EXIT.ok;
}

const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

interface UsageContext {
  readonly args: readonly string[];
  readonly nouns: readonly Noun[];
  readonly terminal: Terminal;
}

function showUsageError(error: CommanderError, { args, nouns, terminal }: UsageContext): number {
  if (error.exitCode === 0) return EXIT.ok;
  const words = args.filter((arg) => !arg.startsWith("-"));
  const unknown = /^error: unknown command '([^']*)'/.exec(error.message)?.[1];
  // A flag's value may stand before the noun.
  const at = words.findIndex((word) => word === unknown || nouns.some(({ name }) => name === word));
  const [noun, verb] = words.slice(Math.max(0, at));
  const known = nouns.find(({ name }) => name === noun);
  const path = [known?.name, known?.commands?.find(({ name }) => name === verb)?.name].filter(Boolean);
  if (error.code === "commander.help") {
    const about = known
      ? `Name what to do: ${known.commands?.map(({ name }) => name).join(", ")}`
      : "Name a command";
    terminal.note(`Error: ${about}`);
  } else {
    const [text = "", guess] = error.message.replace(/^error: /, "").split("\n");
    terminal.note(`Error: ${text[0]?.toUpperCase()}${text.slice(1).replaceAll("'", '"')}`);
    const isForProgram = error.code === "commander.unknownOption" && (noun === "wasm" || noun === "docker");
    const flag = /^error: unknown option '([^'=]*)/.exec(error.message)?.[1] ?? "";
    const habit = unknown === undefined ? flagHint(flag, known?.name) : habitHint(unknown, known?.name);
    if (habit) terminal.note(`Hint: ${habit}`);
    else if (guess) terminal.note(`Hint: ${guess.replace(/^\((.*)\)$/, "$1")}`);
    else if (isForProgram) terminal.note("Hint: What the program itself should get follows after --");
  }
  terminal.note(`See \`${["skerry", ...path].join(" ")} --help\``);
  return EXIT.usage;
}

/** Message and hint to stderr, in words that people can act on. */
function showError(error: unknown, terminal: Terminal): number {
  if (error instanceof InvariantError || !(error instanceof AppError)) {
    terminal.note(`${terminal.paintNote.bad("Error:")} ${asAppError(error).message}`);
    if (Deno.env.get("SKERRY_DEBUG") && error instanceof Error) terminal.note(error.stack ?? "");
    else terminal.note("Hint: This is a bug in Skerry; SKERRY_DEBUG=1 shows where it happened");
    return EXIT.failed;
  }
  terminal.note(`${terminal.paintNote.bad("Error:")} ${error.message}`);
  if (error.hint) terminal.note(`${terminal.paintNote.accent("Hint:")} ${error.hint}`);
  return error.kind.exit;
}
