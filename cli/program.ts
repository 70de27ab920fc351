/** The command tree as commander sees it: parsing, and the text of help. */
import { Argument, Command as Parser, Option } from "commander";
import { AppError } from "../shared/errors.ts";
import type { Command, Noun } from "./command.ts";
import { type Flag, type Flags, notOneOf, readWritten } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { NOUNS } from "./nouns.ts";

/** A value that is null, in commander's hands: it would make an empty text of it. */
const NULL = Symbol("null");

/** A command line that was understood. */
export interface Parsed {
  readonly command: Command;
  /** `job list` */
  readonly path: string;
  readonly operands: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
  readonly given: ReadonlySet<string>;
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Lines that help may take. */
const HELP_COLUMNS = 100;

/** Reads a command line. Throws commander's errors; `--help` and `--version` are among them, already written. */
export function parseArgs(
  args: readonly string[],
  options: { nouns: readonly Noun[]; write: (text: string) => void },
): Parsed {
  let parsed: Parsed | undefined;
  const program = buildProgram({ ...options, onCall: (found) => parsed = found });
  program.parse([...spellSwitches(args, options.nouns)], { from: "user" });
  if (!parsed) throw new Error("no command was called");
  return parsed;
}

/** The text of `skerry PATH --help`. */
export function helpText(path: readonly string[], nouns: readonly Noun[]): string {
  let parser = buildProgram({ nouns, write: () => {}, onCall: () => {} });
  for (const word of path) parser = parser.commands.find((child) => child.name() === word) ?? parser;
  return parser.helpInformation();
}

interface BuildOptions {
  readonly nouns: readonly Noun[];
  readonly write: (text: string) => void;
  readonly onCall: (parsed: Parsed) => void;
}

const examplesOf = new WeakMap<Parser, string>();

function buildProgram(options: BuildOptions): Parser {
  const program = new Parser("skerry")
    .description("Skerry runs jobs where the data is, also where the link comes and goes.")
    .version("", "-V, --version", "Show the version")
    .helpCommand("help [COMMAND...]", "Show help for a command or a topic: exit-codes, environment");
  configure(program, options.write);
  addFlags(program, GLOBAL_FLAGS);
  for (const entry of NOUNS) {
    const noun = options.nouns.find((loaded) => loaded.name === entry.name);
    const parser = noun?.command
      ? buildCommand(noun.command, { program, path: noun.name, options })
      : new Parser(entry.name).description(entry.summary);
    if (!noun?.command) configure(parser, options.write);
    for (const command of noun?.commands ?? []) {
      const path = `${entry.name} ${command.name}`;
      parser.addCommand(buildCommand(command, { program, path, options }), {
        hidden: command.isHidden ?? false,
      });
    }
    if (noun?.commands?.length) parser.helpCommand("help [COMMAND]", "Show help for one of these");
    if (noun?.about) parser.description(`${noun.summary}\n\n${noun.about}`);
    program.addCommand(parser);
  }
  addExamples(program, [
    { line: "skerry serve", does: "Start a node on this machine" },
    { line: "skerry wasm run hello.wasm", does: "Run a module and show what it prints" },
    { line: "skerry job list", does: "See what runs and what has ended" },
  ]);
  return program;
}

function configure(parser: Parser, write: (text: string) => void): void {
  parser.exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: write, writeErr: () => {}, getOutHelpWidth: () => HELP_COLUMNS })
    .helpOption("-h, --help", "Show this help")
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions,
      sortOptions: false,
      sortSubcommands: false,
    });
  parser.helpInformation = helpOf(parser);
}

/** `--version` belongs to `skerry` alone. */
function visibleGlobalOptions(parser: Parser): Option[] {
  let top: Parser = parser;
  while (top.parent) top = top.parent;
  return top === parser ? [] : top.options.filter(({ hidden, long }) => !hidden && long !== "--version");
}

/** Commander's help with its headings, plus the examples. */
function helpOf(parser: Parser): () => string {
  const plain = parser.helpInformation.bind(parser);
  return () => `${plain()}${examplesOf.get(parser) ?? ""}`;
}

interface CommandPlace {
  readonly program: Parser;
  readonly path: string;
  readonly options: BuildOptions;
}

function buildCommand(command: Command, { program, path, options }: CommandPlace): Parser {
  const about = command.about ? `${command.summary}.\n\n${command.about}` : `${command.summary}.`;
  const parser = new Parser(command.name).summary(command.summary).description(about);
  configure(parser, options.write);
  for (const { name, summary, isOptional, isRepeated, choices } of command.operands) {
    const written = `${name}${isRepeated ? "..." : ""}`;
    const argument = new Argument(isOptional ? `[${written}]` : `<${written}>`, summary);
    if (choices) {
      argument.argParser((text: string) => readWritten((word) => oneOf(word, choices), { name, text }));
    }
    parser.addArgument(argument);
  }
  addFlags(parser, command.flags);
  addExamples(parser, command.examples);
  parser.action(() => {
    const values = Object.fromEntries(
      Object.entries(parser.opts()).map(([key, value]) => [key, value === NULL ? null : value]),
    );
    refuseEmpty(parser.args, command.operands);
    options.onCall({
      command,
      path,
      operands: parser.args,
      values: { ...initials(command.flags), ...values },
      given: new Set(Object.keys(values)),
      globals: { ...initials(GLOBAL_FLAGS), ...program.opts() },
    });
  });
  return parser;
}

/** What is empty names nothing. Arguments of programs may be empty. */
function refuseEmpty(words: readonly string[], operands: Command["operands"]): void {
  for (const [at, word] of words.entries()) {
    const operand = operands[Math.min(at, operands.length - 1)];
    if (word.trim() !== "" || !operand || (operand.isOptional && !operand.completes)) continue;
    throw new AppError("bad_request", `Cannot use ${operand.name}: it must not be empty`, {
      hint: "A variable of the shell that is not set is empty",
    });
  }
}

function oneOf(word: string, choices: readonly string[]): string {
  if (choices.includes(word)) return word;
  throw notOneOf(word, choices);
}

const initials = (flags: Flags) =>
  Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, flag.initial]));

function addFlags(parser: Parser, flags: Flags): void {
  for (const [key, flag] of Object.entries(flags)) {
    for (const option of optionsOf(kebab(key), flag)) parser.addOption(option);
  }
}

function optionsOf(name: string, flag: Flag<unknown>): readonly Option[] {
  const short = flag.short ? `-${flag.short}, ` : "";
  if (flag.kind === "switch") {
    const [yes, no] = [
      new Option(`${short}--${name}`, flag.summary),
      new Option(`--no-${name}`, opposite(flag.summary)),
    ];
    const isOn = flag.initial === true;
    return [yes.hideHelp(flag.isHidden || isOn), no.hideHelp(flag.isHidden || !isOn)];
  }
  const option = new Option(`${short}--${name} <${flag.placeholder ?? "VALUE"}>`, describe(flag)).hideHelp(
    flag.isHidden ?? false,
  );
  option.argParser((text: string, before: unknown) => {
    const value = readWritten(flag.parse, { name: `--${name}`, text });
    return flag.kind === "list" ? [...(before as unknown[] | undefined ?? []), value] : value ?? NULL;
  });
  return [option];
}

function describe({ summary, choices, initial, kind }: Flag<unknown>): string {
  const facts = [
    ...(choices ? [`one of ${choices.join(", ")}`] : []),
    ...(kind === "list" ? ["may be repeated"] : []),
    ...(initial !== undefined && kind === "value" ? [`default: ${initial}`] : []),
  ];
  return facts.length ? `${summary} (${facts.join("; ")})` : summary;
}

/** "Wait until …" as help for `--no-wait`. */
export function opposite(summary: string): string {
  return /^(Wait|Ask|Show|Merge|Print)\b/.test(summary)
    ? `Do not ${summary[0]!.toLowerCase()}${summary.slice(1)}`
    : `No ${summary[0]!.toLowerCase()}${summary.slice(1)}`;
}

function addExamples(parser: Parser, examples: Command["examples"]): void {
  const lines = examples.map(({ line, does }) => `  # ${does}\n  ${line}\n`);
  if (lines.length) examplesOf.set(parser, `\nExamples:\n${lines.join("\n")}`);
}

/** `--wait=false` as `--no-wait`: commander's switches take no value. */
function* spellSwitches(args: readonly string[], nouns: readonly Noun[]): Iterable<string> {
  const commands = nouns.flatMap((
    noun,
  ) => [...(noun.commands ?? []), ...(noun.command ? [noun.command] : [])]);
  const switches = new Set(
    [GLOBAL_FLAGS, ...commands.map((command) => command.flags)].flatMap((flags: Flags) =>
      Object.entries(flags).filter(([, flag]) => flag.kind === "switch").map(([key]) => kebab(key))
    ),
  );
  let isOver = false;
  for (const arg of args) {
    isOver ||= arg === "--";
    const found = isOver ? null : /^--(no-)?([a-z-]+)=(true|yes|1|false|no|0)$/i.exec(arg);
    if (!found || !switches.has(found[2]!)) yield arg;
    else yield /^(true|yes|1)$/i.test(found[3]!) === !found[1] ? `--${found[2]}` : `--no-${found[2]}`;
  }
}

/** `output-dir` of `outputDir` */
export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
