/** `skerry serve`: a node in this process. */
import { type Call, defineCommand, type Noun } from "./command.ts";
import { resolveServe } from "./config.ts";
import { type Flag, list, text, toggle } from "./flags.ts";
import { unheeded, unusedDockerHost } from "./environment.ts";
import { DOCKER_HOST, SETTING_KEYS, type SettingKey, SETTINGS } from "./settings.ts";
import { harmless } from "./words.ts";

/** Settings that only clients use. */
const CLIENT_KEYS: ReadonlySet<SettingKey> = new Set(["api", "api_timeout", "namespace"]);

const FLAGS = Object.fromEntries(
  SETTING_KEYS.filter((key) => !CLIENT_KEYS.has(key)).map((key) => [camel(key), flagOf(key)]),
);

const COMMAND = defineCommand({
  name: "serve",
  summary: "Run a node: orchestrator and agent in one process",
  about:
    "Takes jobs on its API, runs them on this machine, and keeps everything in its data folder. Every flag is " +
    "also a setting: see `skerry config list`. Stop it with Ctrl-C or SIGTERM: running work is found again.",
  operands: [],
  flags: FLAGS,
  examples: [
    { line: "skerry serve", does: "Listen on 127.0.0.1:1234, with everything by default" },
    {
      line: "skerry serve --allow-path /srv/measurements --cpu 2",
      does: "Let jobs read a folder, and use two cores",
    },
    {
      line: "skerry serve --listen 0.0.0.0:1234 --insecure",
      does: "Serve a network on which you trust everybody",
    },
  ],
  run,
});

/** `skerry serve` */
export const SERVE: Noun = { name: COMMAND.name, summary: COMMAND.summary, command: COMMAND };

async function run({ settings, terminal }: Call): Promise<number> {
  const config = await resolveServe(settings);
  const warn = (text: string) => terminal.note(`${terminal.paintNote.warn("Warning:")} ${text}`);
  for (const text of unheeded(Deno.env.toObject())) warn(text);
  const elsewhere = unusedDockerHost(Deno.env.get(DOCKER_HOST));
  if (elsewhere && (await settings.show("docker_socket")).source === "default") warn(elsewhere);
  for (const { path } of config.allowPaths) {
    const why = await whyUnreadable(path);
    if (why) warn(`--allow-path ${harmless(path)}: ${why}`);
  }
  const { serve } = await import("./serve.ts");
  return await serve(config);
}

/** A path may appear later: a disk that is plugged in, a share that is mounted. */
async function whyUnreadable(path: string): Promise<string | undefined> {
  try {
    await Deno.stat(path);
  } catch (error) {
    return error instanceof Deno.errors.NotFound
      ? "there is no such folder or file yet; jobs that name it are refused until there is"
      : "this user cannot read it";
  }
}

function flagOf(key: SettingKey): Flag<unknown> {
  const { summary, placeholder, choices, isList, initial, initialShown = initial?.() } = SETTINGS[key];
  if (placeholder === "BOOL") return toggle({ summary });
  const facts = [
    ...(choices ? [`one of ${choices.join(", ")}`] : []),
    ...(initialShown === undefined ? [] : [`default: ${initialShown}`]),
  ];
  const shown = facts.length ? `${summary} (${facts.join("; ")})` : summary;
  if (isList) return list({ summary, placeholder });
  return text({ summary: shown, placeholder });
}

function camel(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
