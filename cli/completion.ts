/** `skerry completion`: scripts for shells, which ask this executable (`skerry complete -- WORDS`) at each TAB. */
import type { Command as TabCommand, RootCommand } from "@bomb.sh/tab";
import { EXIT } from "../shared/errors.ts";
import { type Call, type Command, defineCommand, type Noun } from "./command.ts";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import type { Completes, Flags } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { TOPICS } from "./help.ts";
import { NOUNS } from "./nouns.ts";
import { kebab } from "./program.ts";
import { SETTING_KEYS, SETTINGS } from "./settings.ts";
import type { Terminal } from "./terminal.ts";
import { itemsOf, readJob, readNode } from "./wire.ts";
import { oneLine, short } from "./words.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
/** At each TAB a user waits: ids of the server are left out when it does not answer at once. */
const ASK_MS = 700;
const ASKED_JOBS = 30;

const PRINT = defineCommand({
  name: "completion",
  summary: "Print a completion script for bash, zsh or fish",
  about: "bash:  skerry completion bash > ~/.local/share/bash-completion/completions/skerry\n" +
    'zsh:   skerry completion zsh > "${fpath[1]}/_skerry"\n' +
    "fish:  skerry completion fish > ~/.config/fish/completions/skerry.fish",
  operands: [{ name: "SHELL", summary: "The shell", choices: SHELLS }],
  flags: {},
  examples: [{ line: "source <(skerry completion bash)", does: "Try it in this shell" }],
  async run({ operands }: Call) {
    const { script } = await import("@bomb.sh/tab");
    script(operands[0]!, "skerry", "skerry");
  },
});

/** `skerry completion` */
export const COMPLETION: Noun = { name: PRINT.name, summary: PRINT.summary, command: PRINT };

/** Answers a shell's question. Never fails: a shell shows nothing then. */
export async function complete(args: readonly string[], _terminal: Terminal): Promise<number> {
  const words = args[0] === "--" ? args.slice(1) : args;
  const { default: root } = await import("@bomb.sh/tab");
  const nouns = await Promise.all(NOUNS.map((noun) => noun.load()));
  const known = await askServer(words, nouns);
  addTree(root, nouns, known);
  root.parse([...words]);
  return EXIT.ok;
}

type Known = ReadonlyMap<Completes, readonly [string, string][]>;

function addTree(root: RootCommand, nouns: readonly Noun[], known: Known): void {
  addFlags(root, GLOBAL_FLAGS, known);
  const help = root.command("help", "Show help for a command or a topic");
  help.argument("topic", (offer) => {
    for (const name of [...NOUNS.map((noun) => noun.name), ...Object.keys(TOPICS)]) offer(name, "");
  });
  for (const noun of nouns) {
    const first = root.command(noun.name, noun.summary);
    if (noun.command) addCommand(first, noun.command, known);
    for (const command of noun.commands ?? []) {
      if (!command.isHidden) {
        addCommand(root.command(`${noun.name} ${command.name}`, command.summary), command, known);
      }
    }
  }
}

function addCommand(target: TabCommand, command: Command, known: Known): void {
  for (const { name, choices, completes, isRepeated } of command.operands) {
    const offers = choices?.map((word) => [word, ""] as [string, string]) ??
      (completes && known.get(completes)) ?? [];
    target.argument(name, (offer) => offers.forEach(([value, about]) => offer(value, about)), isRepeated);
  }
  addFlags(target, { ...command.flags, ...GLOBAL_FLAGS }, known);
}

function addFlags(target: TabCommand, flags: Flags, known: Known): void {
  for (const [key, flag] of Object.entries(flags)) {
    if (flag.isHidden) continue;
    const name = flag.kind === "switch" && flag.initial === true ? `no-${kebab(key)}` : kebab(key);
    const offers = flag.choices?.map((word) => [word, ""] as [string, string]) ??
      (flag.completes && known.get(flag.completes)) ?? [];
    if (flag.kind === "switch") target.option(name, flag.summary, flag.short);
    else {
      target.option(
        name,
        flag.summary,
        (offer) => offers.forEach(([value, about]) => offer(value, about)),
        flag.short,
      );
    }
  }
}

/** What the server or the settings know, for the operand that the words have come to. */
async function askServer(words: readonly string[], nouns: readonly Noun[]): Promise<Known> {
  const plain = words.filter((word) => !word.startsWith("-"));
  const command = nouns.find(({ name }) => name === plain[0])?.commands?.find(({ name }) =>
    name === plain[1]
  );
  const kinds = new Set(command?.operands.map(({ completes }) => completes));
  const known = new Map<Completes, readonly [string, string][]>();
  if (kinds.has("setting")) known.set("setting", SETTING_KEYS.map((key) => [key, SETTINGS[key].summary]));
  if (!kinds.has("job") && !kinds.has("node")) return known;
  try {
    const client = await openClient(openSettings({ flags: { api_timeout: [`${ASK_MS}ms`] } }));
    if (kinds.has("job")) {
      const query = { limit: ASKED_JOBS, order_by: "created_at", reverse: true };
      const jobs = itemsOf(await client.get("/orchestrator/jobs", { query })).map(readJob);
      known.set(
        "job",
        jobs.map(({ id, name, state }) => [short(id), oneLine(`${state}${name === id ? "" : ` ${name}`}`)]),
      );
    } else {
      const nodes = itemsOf(await client.get("/orchestrator/nodes"), "Nodes").map(readNode);
      known.set(
        "node",
        nodes.map(({ id, name, connection }) => [short(id), oneLine(`${connection} ${name}`)]),
      );
    }
  } catch {
    // Completion offers what it has.
  }
  return known;
}
