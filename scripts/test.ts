/**
 * Runs all tests, or the groups that are named: `deno task test`, `deno task test unit sim`. The last line is
 * `N passed, N failed`, over all groups.
 *
 * A group is a folder of `tests/`; `unit` is what lies beside the code, `doc` the examples in doc comments, `check` the
 * formatter, the linter, the types and the rules of `check.ts`. Groups run one after the other, the slow ones last.
 * With CI set, a test that is skipped, a group that is empty and a tool that cannot be had each count as failed.
 */
import { check as checkRules, sourceFiles } from "./check.ts";
import { bacalhauClient, compileBase, SetupError, wasiCompiler } from "./setup.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** How tests ended. */
export interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const NONE: Count = { passed: 0, failed: 0, ignored: 0 };
const plus = (a: Count, b: Count): Count => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  ignored: a.ignored + b.ignored,
});

/**
 * Reads the last summary line of `deno test`. When the process failed without a failed test that is a failure of its
 * own: a type error, a crash, a leaked promise.
 */
export function readCount(output: string, exitCode: number): Count {
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const summary = [...plain.matchAll(/^(?:ok|FAILED) \| .*\bpassed\b.*$/gm)].at(-1)?.[0] ?? "";
  const of = (word: string): number => Number(new RegExp(`\\b(\\d+) ${word}\\b`).exec(summary)?.[1] ?? 0);
  const count = { passed: of("passed"), failed: of("failed"), ignored: of("ignored") };
  return exitCode !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

/** The count as it is told: in CI what is skipped has failed. */
export function strict(count: Count, isCi: boolean): Count {
  return isCi ? { ...count, failed: count.failed + count.ignored, ignored: 0 } : count;
}

/** The groups in the order in which they run: the quick ones first. Folders of `tests/` that are not named here come before sim. */
const FIRST = ["check", "unit", "doc", "contract", "property", "golden"];
const LAST = ["sim", "e2e"];

/** Test files by group. A file is in exactly one group, so that none is forgotten. */
export function groupFiles(
  files: readonly string[],
  hasExample: (path: string) => boolean,
): Map<string, string[]> {
  const groups = new Map<string, string[]>([...FIRST, ...LAST].map((it) => [it, []]));
  const put = (group: string, path: string) => groups.set(group, [...groups.get(group) ?? [], path]);
  for (const path of files) {
    const [top, folder, file] = path.split("/");
    if (path.endsWith("_test.ts")) {
      put(top === "tests" && file !== undefined ? folder ?? "unit" : "unit", path);
    } else if (top !== "tests" && hasExample(path)) put("doc", path);
  }
  const middle = [...groups.keys()].filter((it) => !FIRST.includes(it) && !LAST.includes(it)).sort();
  const used = (it: string): boolean => it === "check" || (groups.get(it)?.length ?? 0) > 0;
  const order = [...FIRST, ...middle, ...LAST].filter((it) => used(it) || !["doc", ...middle].includes(it));
  return new Map(order.map((it) => [it, groups.get(it) ?? []]));
}

/** A group that takes longer than this hangs: it is ended, and has failed. */
const GROUP_MS_MAX = 45 * 60_000;

/** Groups whose files share nothing outside their process. */
const PARALLEL = new Set(["unit", "doc", "property"]);

/** Runs a command, hands its output on as it comes, and keeps the end of it. */
async function stream(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const isTerminal = Deno.stdout.isTerminal();
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { ...env, ...isTerminal && !Deno.noColor ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" } },
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
    signal: AbortSignal.timeout(GROUP_MS_MAX),
  }).spawn();
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    for (let at = 0; at < chunk.length;) at += await Deno.stdout.write(chunk.subarray(at));
    output = (output + decoder.decode(chunk, { stream: true })).slice(-65_536);
  }
  return { code: (await child.status).code, output };
}

/** One thing of the group `check`: says how it went. */
async function step(name: string, body: () => Promise<boolean>): Promise<Count> {
  const isOk = await body();
  console.log(`${name} ... ${isOk ? "ok" : "FAILED"}`);
  return { ...NONE, [isOk ? "passed" : "failed"]: 1 };
}

async function runCheck(files: readonly string[]): Promise<Count> {
  const deno = (...args: string[]) => async () => (await stream(args)).code === 0;
  const counts = [
    await step("formatted (deno fmt)", deno("fmt", "--check", "--quiet")),
    await step("lint, with the pure core", deno("lint", "--quiet")),
    await step("types", deno("check", "--quiet", ...files)),
    await step("lock file is current", deno("install", "--frozen", "--quiet")),
    await step("layers, names, doc comments", async () => {
      const texts = await Promise.all(files.map((path) => Deno.readTextFile(`${ROOT}/${path}`)));
      const { problems, warnings } = checkRules(new Map(files.map((path, at) => [path, texts[at] ?? ""])));
      for (const it of warnings) console.log(`warning: ${it}`);
      for (const { path, rule } of problems) console.log(`error: ${path}: ${rule}`);
      return problems.length === 0;
    }),
  ];
  if (files.includes("scripts/generate.ts")) {
    counts.push(
      await step("generated docs are current", deno("run", "-A", "scripts/generate.ts", "--check")),
    );
  }
  return counts.reduce(plus);
}

async function runTests(
  group: string,
  files: readonly string[],
  env: Record<string, string>,
): Promise<Count> {
  // types are the group `check`'s concern; examples are checked nowhere else
  const how = group === "doc" ? ["--doc"] : ["--no-check"];
  const parallel = PARALLEL.has(group) ? ["--parallel"] : [];
  const { code, output } = await stream(["test", "--quiet", "-A", ...how, ...parallel, ...files], env);
  return readCount(output, code);
}

/** What tests need beyond Deno, and the variable that tells them outside CI that it cannot be had. */
const NEEDS: readonly {
  readonly group: string;
  readonly flag: string;
  readonly get: () => Promise<unknown>;
}[] = [
  { group: "e2e", flag: "SKERRY_NO_BACALHAU", get: bacalhauClient },
  { group: "e2e", flag: "SKERRY_NO_WASI_COMPILER", get: wasiCompiler },
  { group: "e2e", flag: "SKERRY_NO_COMPILE", get: compileBase },
];

/** Gets what a group needs, and returns the variables for its tests: in CI none, so that they fail instead of skipping. */
async function setUp(group: string, isCi: boolean): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const { flag, get } of NEEDS.filter((it) => it.group === group)) {
    try {
      await get();
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      console.log(isCi ? error.message : `${error.message}. Tests that need it are skipped`);
      if (!isCi) env[flag] = "1";
    }
  }
  return env;
}

async function main(wanted: readonly string[]): Promise<number> {
  const isCi = !["", "0", "false"].includes(Deno.env.get("CI") ?? "");
  const files = await sourceFiles(ROOT);
  const texts = new Map(
    await Promise.all(files.map(async (it) => [it, await Deno.readTextFile(`${ROOT}/${it}`)] as const)),
  );
  const groups = groupFiles(files, (path) => /^\s*\* ```ts$/m.test(texts.get(path) ?? ""));
  const unknown = wanted.filter((it) => !groups.has(it));
  if (unknown.length > 0) {
    console.error(
      `There is no group "${unknown.join('", "')}"; the groups are: ${[...groups.keys()].join(", ")}`,
    );
    return 2;
  }
  const lines: string[] = [];
  let total = NONE;
  for (const [group, members] of groups) {
    if (wanted.length > 0 && !wanted.includes(group)) continue;
    const startedAtMs = performance.now();
    console.log(`\n== ${group}`);
    const count = await runGroup(group, { members, files, isCi });
    total = plus(total, count);
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    const skipped = count.ignored > 0 ? `, ${count.ignored} skipped` : "";
    lines.push(
      `${group.padEnd(10)} ${
        seconds.padStart(7)
      } s  ${count.passed} passed, ${count.failed} failed${skipped}`,
    );
  }
  console.log(`\n${lines.join("\n")}\n\n${total.passed} passed, ${total.failed} failed`);
  return total.failed > 0 ? 1 : 0;
}

async function runGroup(
  group: string,
  { members, files, isCi }: { members: readonly string[]; files: readonly string[]; isCi: boolean },
): Promise<Count> {
  if (group === "check") return await runCheck(files);
  if (members.length === 0) {
    console.log(`no tests in tests/${group}`);
    return isCi ? { ...NONE, failed: 1 } : NONE;
  }
  return strict(await runTests(group, members, await setUp(group, isCi)), isCi);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
