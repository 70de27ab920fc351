/** The reference of the command line as Markdown: `docs/cli.md`. */
import type { Command, Noun } from "./command.ts";
import type { Flag, Flags } from "./flags.ts";
import { EXIT } from "../shared/errors.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { EXIT_MEANINGS } from "./help.ts";
import { NOUNS } from "./nouns.ts";
import { kebab, opposite } from "./program.ts";
import { environmentName, SETTING_KEYS, SETTINGS } from "./settings.ts";

/** The whole file. The same tree gives the same text. */
export async function cliReference(): Promise<string> {
  const nouns = await Promise.all(NOUNS.map((noun) => noun.load()));
  return [
    "# The command line",
    "Generated from the command tree; do not edit.",
    "Data goes to stdout, messages go to stderr. Colours and the progress line appear on a terminal only.",
    "## Flags of every command",
    flagTable(GLOBAL_FLAGS),
    "## Exit codes",
    exitTable(),
    ...nouns.flatMap(nounPages),
    "## Settings",
    "Flags beat the environment, which beats the config file (`~/.config/skerry/config.yaml`), which beats the default.",
    settingTable(),
  ].join("\n\n") + "\n";
}

function nounPages(noun: Noun): readonly string[] {
  const commands = [...(noun.command ? [noun.command] : []), ...(noun.commands ?? [])].filter((
    { isHidden },
  ) => !isHidden);
  const pages = commands.flatMap((command) =>
    commandPage(command, noun.command ? noun.name : `${noun.name} ${command.name}`)
  );
  return [`## ${noun.name}`, `${noun.summary}.`, ...pages];
}

function commandPage(command: Command, path: string): readonly string[] {
  const operands = command.operands.map(({ name, isOptional, isRepeated }) => {
    const written = `${name}${isRepeated ? "..." : ""}`;
    return isOptional ? `[${written}]` : written;
  });
  const rows = command.operands.map(({ name, summary }) => `| \`${name}\` | ${cell(summary)} |`);
  return [
    `### skerry ${path}`,
    `${command.summary}.`,
    ...(command.about ? [command.about.replaceAll("\n", " ")] : []),
    `    skerry ${[path, ...operands, "[flags]"].join(" ")}`,
    ...(rows.length ? [["| operand | means |", "| --- | --- |", ...rows].join("\n")] : []),
    ...(Object.keys(command.flags).length ? [flagTable(command.flags)] : []),
    command.examples.map(({ line, does }) => `    # ${does}\n    ${line}`).join("\n\n"),
  ];
}

function flagTable(flags: Flags): string {
  const rows = Object.entries(flags).filter(([, flag]) => !flag.isHidden).map(([key, flag]) =>
    `| ${flagName(key, flag)} | ${cell(flagMeaning(flag))} |`
  );
  return ["| flag | means |", "| --- | --- |", ...rows].join("\n");
}

function flagName(key: string, flag: Flag<unknown>): string {
  const long = flag.kind === "switch" && flag.initial === true ? `--no-${kebab(key)}` : `--${kebab(key)}`;
  const short = flag.short ? `-${flag.short}, ` : "";
  return `\`${short}${long}${flag.kind === "switch" ? "" : ` ${flag.placeholder ?? "VALUE"}`}\``;
}

function flagMeaning({ kind, summary, choices, initial }: Flag<unknown>): string {
  if (kind === "switch") return initial === true ? opposite(summary) : summary;
  const facts = [
    ...(choices ? [`one of ${choices.join(", ")}`] : []),
    ...(kind === "list" ? ["may be repeated"] : []),
    ...(kind === "value" && initial !== undefined ? [`default: ${initial}`] : []),
  ];
  return facts.length ? `${summary} (${facts.join("; ")})` : summary;
}

function exitTable(): string {
  const rows = Object.entries(EXIT).map(([name, code]) =>
    `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`
  );
  return ["| code | means |", "| ---: | --- |", ...rows].join("\n");
}

function settingTable(): string {
  const rows = SETTING_KEYS.map((key) =>
    `| \`${key}\` | \`${environmentName(key)}\` | ${cell(SETTINGS[key].summary)} |`
  );
  return ["| key | environment | means |", "| --- | --- | --- |", ...rows].join("\n");
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
