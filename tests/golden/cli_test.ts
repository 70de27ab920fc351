/** What the command line says: help pages, errors, tables. */
import assert from "node:assert/strict";
import type { Noun } from "../../cli/command.ts";
import { NOUNS } from "../../cli/nouns.ts";
import { helpText } from "../../cli/program.ts";
import { cliReference } from "../../cli/reference.ts";
import { assertGolden } from "../support/golden.ts";
import { skerry } from "../support/node_process.ts";

/** Nobody's own settings, and an address at which nothing listens. */
const ENV = {
  SKERRY_CONFIG: "/nowhere/config.yaml",
  SKERRY_API: "http://127.0.0.1:65531",
  HOME: "/home/ada",
};

const nouns: readonly Noun[] = await Promise.all(NOUNS.map((noun) => noun.load()));
const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("every help page", async () => {
  const paths = [
    [],
    ...nouns.flatMap(({ name, commands = [] }) => [[name], ...commands.map((it) => [name, it.name])]),
  ];
  const pages = paths.map((path) => `$ ${["skerry", ...path, "--help"].join(" ")}\n${helpText(path, nouns)}`);
  await assertGolden("cli/help.txt", pages.join("\n\n"));
});

Deno.test("every command has a summary, an example of itself, and flags that say what they do", () => {
  for (const { name, command, commands = [] } of nouns) {
    for (const it of command ? [command] : commands) {
      const path = command ? `skerry ${name}` : `skerry ${name} ${it.name}`;
      assert.ok(it.examples.some(({ line }) => line.includes(path)), path);
      assert.match(it.summary, /^[A-Z].*[^.]$/, path);
      for (const [key, flag] of Object.entries(it.flags)) {
        assert.match(flag.summary, /^\S.*[^.]$/, `${path} ${key}`);
      }
    }
  }
});

Deno.test("docs/cli.md is what the command tree says", async () => {
  const path = new URL("../../docs/cli.md", import.meta.url);
  const reference = await cliReference();
  if (Deno.env.get("UPDATE_GOLDEN")) return await Deno.writeTextFile(path, reference);
  assert.equal(await Deno.readTextFile(path), reference, "write it anew with UPDATE_GOLDEN=1");
});

/** Command lines that fail or tell something without a server. Words in quotes are one. */
const LINES = [
  "--version",
  "version --client --output json --no-color",
  "help exit-codes",
  "help environment",
  "help jbo",
  "jbo list",
  "job lsit",
  "logs part",
  "ps",
  "job cancel x",
  "job ls",
  "--api http://127.0.0.2:65531 node status",
  "help logs",
  "job",
  "job list --ouptut json",
  "job list --output xml",
  "job list --limit many",
  "job list --limit 0",
  "job list --state runing",
  "job list",
  "--api http://127.0.0.2:65531 node list",
  "node list --api ftp://hub",
  "node list --filter-status gone",
  "job run /tmp",
  "job describe",
  "job describe a b",
  "job stop",
  "job logs j-1 --since yesterday",
  "job wait j-1 --timeout soon",
  "job run nowhere.yaml",
  "job validate tests/golden/cli/wrong.yaml",
  "job validate tests/golden/cli/good.yaml",
  "job run --dry-run tests/golden/cli/good.yaml",
  "job run tests/golden/cli/good.yaml",
  "wasm run",
  "wasm run nowhere.wasm",
  "wasm run tests/golden/cli/good.yaml",
  "wasm run https://example.org/a.wasm -x",
  "wasm run https://example.org/a.wasm -o json",
  "wasm run https://example.org/a.wasm -i flie:///srv",
  "wasm run https://example.org/a.wasm -e NOVALUE",
  "wasm run https://example.org/a.wasm --cpu lots --memory -1",
  "wasm run https://example.org/a.wasm --constraints 'region in (eu'",
  "wasm run https://example.org/a.wasm -o out:/out -i file:///srv:/in -I https://example.org/lib.wasm -e A=b --count 3 " +
  "--cpu 500m --timeout 10m --constraints region=eu,!old -l team=a --network HTTP --domain example.org --dry-run -- --x 1",
  "serve --listen 0.0.0.0:1234",
  "serve --listen nonsense",
  "serve --capacity-ratio 2",
  "serve --lisen 127.0.0.1:1",
  "config get lisen",
  "config get listen",
  "config set cpu many",
  "config unset lisen",
  "config unset listen",
  "config set cpu",
  "--config /nowhere/else.yaml config get listen",
  "completion bsh",
];

const split = (line: string) =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");

async function tell(line: string): Promise<string> {
  const { code, stdout, stderr } = await skerry(split(line), { env: ENV, cwd: ROOT });
  const messages = stderr.replace(/^/gm, "! ").replace(/! $/, "");
  return `$ skerry ${line}\n${stdout}${messages}[exit ${code}]\n`.replaceAll(Deno.version.deno, "DENO");
}

Deno.test("errors, and what needs no server", async () => {
  const told = new Map<string, string>();
  const queue = [...LINES];
  const lane = async () => {
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) told.set(line, await tell(line));
  };
  await Promise.all([lane(), lane()]);
  await assertGolden("cli/lines.txt", LINES.map((line) => told.get(line)).join("\n"));
});
