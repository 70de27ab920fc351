/** What a shell may offer for the word at its cursor. */
import type { Command, Noun } from "./command.ts";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import type { Completes, Flag, Flags } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { TOPICS } from "./help.ts";
import { NOUNS } from "./nouns.ts";
import { kebab } from "./program.ts";
import { SETTING_KEYS, SETTINGS } from "./settings.ts";
import { itemsOf, type JobView, readJob, readNode, textAt } from "./wire.ts";
import { oneLine, short } from "./words.ts";

/** A word, and what it means. */
export interface Offer {
  readonly value: string;
  readonly about: string;
}

/** What may stand at the cursor: words, or something to be found out. */
export interface Place {
  readonly offers: readonly Offer[];
  readonly completes?: Completes;
}

/** At each TAB a user waits: what the server knows is left out when it does not answer at once. */
const ASK_MS = 700;
const ASKED_JOBS = 30;

/** The lines that a completion script reads. Never throws: a shell offers nothing then. */
export async function complete(words: readonly string[]): Promise<string> {
  const nouns: Noun[] = [];
  for (const entry of NOUNS) if (words.slice(0, -1).includes(entry.name)) nouns.push(await entry.load());
  const { offers, completes } = placeOf(words, nouns);
  if (completes === "file" || completes === "folder") return `:${completes}`;
  const known = completes === undefined ? offers : await askFor(completes);
  const current = words.at(-1) ?? "";
  return known.filter(({ value }) => value.startsWith(current)).map(({ value, about }) =>
    `${value}\t${oneLine(about)}`
  )
    .join("\n");
}

/** The place that the last word stands at. */
export function placeOf(words: readonly string[], nouns: readonly Noun[]): Place {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const noun = nouns.find(({ name }) => before.includes(name));
  const after = noun ? before.slice(before.indexOf(noun.name) + 1) : before;
  const command = noun?.command ?? noun?.commands?.find(({ name }) => after.includes(name));
  const flags: Flags = { ...command?.flags, ...GLOBAL_FLAGS };
  if (before.includes("--")) return { offers: [] };
  const [, name, isAssigned] = /^--([a-z-]+)(=)/.exec(current) ?? [];
  const asked = isAssigned ? findFlag(flags, `--${name}`) : findFlag(flags, before.at(-1) ?? "");
  if (asked && asked.kind !== "switch") return valuesOf(asked, isAssigned ? `--${name}=` : "");
  if (current.startsWith("-")) return { offers: flagOffers(flags) };
  if (!noun) return { offers: before.includes("help") ? helpOffers() : [...nounOffers(), HELP] };
  if (!command) {
    return { offers: (noun.commands ?? []).map(({ name, summary }) => ({ value: name, about: summary })) };
  }
  return operandPlace(command, {
    flags,
    words: noun.command ? after : after.slice(after.indexOf(command.name) + 1),
  });
}

const HELP: Offer = { value: "help", about: "Show help for a command or a topic" };
const nounOffers = (): Offer[] => NOUNS.map(({ name, summary }) => ({ value: name, about: summary }));
const helpOffers =
  (): Offer[] => [...nounOffers(), ...Object.keys(TOPICS).map((value) => ({ value, about: "" }))];

function findFlag(flags: Flags, word: string): Flag<unknown> | undefined {
  return Object.entries(flags).find(([key, flag]) => word === `--${kebab(key)}` || word === `-${flag.short}`)
    ?.[1];
}

function valuesOf({ choices, completes }: Flag<unknown>, head: string): Place {
  if (!choices) return { offers: [], completes };
  return { offers: choices.map((word) => ({ value: `${head}${word}`, about: "" })) };
}

function flagOffers(flags: Flags): readonly Offer[] {
  return Object.entries(flags).filter(([, flag]) => !flag.isHidden).map((
    [key, { kind, initial, summary }],
  ) => ({
    value: kind === "switch" && initial === true ? `--no-${kebab(key)}` : `--${kebab(key)}`,
    about: summary,
  }));
}

function operandPlace(command: Command, { flags, words }: { flags: Flags; words: readonly string[] }): Place {
  const takesNext = (word: string) => {
    const flag = findFlag(flags, word);
    return flag !== undefined && flag.kind !== "switch";
  };
  const count = words.filter((word, at) => !word.startsWith("-") && !takesNext(words[at - 1] ?? "")).length;
  const last = command.operands.at(-1);
  const operand = command.operands[count] ?? (last?.isRepeated ? last : undefined);
  const offers = (operand?.choices ?? []).map((value) => ({ value, about: "" }));
  return { offers, completes: operand?.completes };
}

/** Every job by its name and by its ID; a name that a shell would read as several words only by the ID. */
export function offersOf(jobs: readonly Pick<JobView, "id" | "name" | "state">[]): readonly Offer[] {
  const isWord = (name: string) => /^[\p{L}\p{N}_.:+@%,=-]+$/u.test(name);
  return jobs.flatMap(({ id, name, state }) => [
    ...(name !== id && isWord(name) ? [{ value: name, about: `${state} ${short(id)}` }] : []),
    { value: short(id), about: name === id ? state : `${state} ${name}` },
  ]);
}

/** What the settings or the server know. */
async function askFor(kind: Completes): Promise<readonly Offer[]> {
  if (kind === "setting") return SETTING_KEYS.map((key) => ({ value: key, about: SETTINGS[key].summary }));
  try {
    const client = await openClient(openSettings({ flags: { api_timeout: [`${ASK_MS}ms`] } }));
    if (kind === "node") {
      const nodes = itemsOf(await client.get("/orchestrator/nodes"), "Nodes").map(readNode);
      return nodes.map(({ id, name, connection }) => ({ value: short(id), about: `${connection} ${name}` }));
    }
    if (kind === "namespace") {
      const namespaces = itemsOf(await client.get("/orchestrator/namespaces"));
      return namespaces.map((it) => ({ value: textAt(it, "Name") ?? "", about: "" }));
    }
    const query = { limit: ASKED_JOBS, order_by: "created_at", reverse: true };
    const jobs = itemsOf(await client.get("/orchestrator/jobs", { query })).map(readJob);
    return offersOf(jobs);
  } catch {
    return [];
  }
}
