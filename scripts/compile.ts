/**
 * Makes one executable of the whole program: `deno task compile`, with `--output FILE` (dist/skerry unless given) and
 * `--target TRIPLE`.
 *
 * `deno compile` takes the base that it appends the program to from Deno's own site, or from the file that DENORT_BIN
 * names. That base must be of the same version as the Deno that compiles: DENO_COMPILE_BIN names that Deno when the
 * running one is of another version.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { sourceFiles } from "./check.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
/**
 * Who may start programs may do everything, and Deno lets only who has all rights read which process is which below
 * /proc. Children that run modules give theirs up.
 */
const PERMISSIONS = "--allow-all";
/** A small young generation: a node's memory then stays near what it needs, as on edge devices it must. */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";

/** The parts of `deno info --json` that are read. */
interface Graph {
  readonly modules: readonly { readonly kind?: string; readonly npmPackage?: string }[];
  readonly npmPackages?: Readonly<
    Record<string, { name: string; version: string; dependencies: readonly string[] }>
  >;
}

/** The packages that a program reaches, as `name@version`, from what `deno info` says of its entry points. */
export function reachedPackages(graphs: readonly Graph[]): Set<string> {
  const reached = new Set<string>();
  for (const { modules, npmPackages = {} } of graphs) {
    const seen = new Set<string>();
    const waiting = modules.flatMap((it) => it.npmPackage ?? []);
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const found = npmPackages[id];
      if (!found || seen.has(id)) continue;
      seen.add(id);
      reached.add(`${found.name}@${found.version}`);
      waiting.push(...found.dependencies);
    }
  }
  return reached;
}

/** Modules that the program starts by path, so that the compiler does not see them: Web Workers. */
async function workers(): Promise<string[]> {
  return (await sourceFiles(ROOT)).filter((path) =>
    /^(shared|orchestrator|agent|cli)\/.*_worker\.ts$/.test(path)
  );
}

async function graphOf(deno: string, path: string): Promise<Graph> {
  const { success, stdout, stderr } = await new Deno.Command(deno, {
    args: ["info", "--json", path],
    cwd: ROOT,
  }).output();
  if (!success) {
    throw new Error(`Cannot read the imports of "${path}": ${new TextDecoder().decode(stderr).trim()}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Folders of packages that only tests and scripts use: Deno would embed all that is installed. */
function unreachedFolders(reached: ReadonlySet<string>): string[] {
  const names = new Set([...reached].map((it) => it.slice(0, it.lastIndexOf("@"))));
  const found: string[] = [];
  for (const entry of readFolder(`${ROOT}/node_modules/.deno`)) {
    const match = /^(.+@[^_]+)(_\d+)?$/.exec(entry.replace("+", "/"));
    if (match?.[1] && !reached.has(match[1])) found.push(`node_modules/.deno/${entry}`);
  }
  for (const entry of readFolder(`${ROOT}/node_modules`)) {
    const packages = entry.startsWith("@")
      ? readFolder(`${ROOT}/node_modules/${entry}`).map((it) => `${entry}/${it}`)
      : [entry];
    found.push(
      ...packages.filter((it) => !it.startsWith(".") && !names.has(it)).map((it) => `node_modules/${it}`),
    );
  }
  return found;
}

function readFolder(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map((it) => it.name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { output: { type: "string" }, target: { type: "string" } } });
  // a task runs in the root, whatever folder it was called from
  const output = resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), values.output ?? `${ROOT}/dist/skerry`);
  const deno = Deno.env.get("DENO_COMPILE_BIN") ?? Deno.execPath();
  const included = await workers();
  const graphs = await Promise.all(["mod.ts", ...included].map((path) => graphOf(deno, path)));
  const excluded = unreachedFolders(reachedPackages(graphs));
  const { code } = await new Deno.Command(deno, {
    args: [
      ...["compile", "--quiet", "--no-check", PERMISSIONS, V8_FLAGS, "--output", output],
      ...values.target === undefined ? [] : ["--target", values.target],
      ...included.flatMap((it) => ["--include", it]),
      ...excluded.flatMap((it) => ["--exclude", it]),
      "mod.ts",
    ],
    cwd: ROOT,
  }).spawn().status;
  if (code !== 0) {
    console.error(
      "hint: the base is fetched from Deno's site; DENORT_BIN names a file of the same version to use instead",
    );
    return code;
  }
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${(size / 1e6).toFixed(1)} MB`);
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
