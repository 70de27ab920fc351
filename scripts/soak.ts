/**
 * The long runs of the tests that kill things, and their report: `deno task soak`, or `deno task soak rounds outputs power` for
 * some of it. `SKERRY_ROUNDS`, `SKERRY_OUTPUTS`, `SKERRY_REBOOTS` and `SKERRY_KILL_SEED` set how much, and which random points.
 *
 * What each part did is kept in `dist/soak`, the report made of all of them in `docs/soak.md`, where what stands from
 * "What it has found" on is written by hand and stays.
 */
import { VERSION } from "../shared/version.ts";
import type { SoakResult } from "../tests/support/soak_report.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const RESULTS = `${ROOT}/dist/soak`;
const REPORT = `${ROOT}/docs/soak.md`;
const BY_HAND = "## What it has found";

/** Its parts, with what sets how long they run. */
const PARTS: Readonly<Record<string, { file: string; variable: string; amount: number }>> = {
  rounds: { file: "docker_soak_test.ts", variable: "SKERRY_ROUNDS", amount: 100 },
  power: { file: "reboot_test.ts", variable: "SKERRY_REBOOTS", amount: 10 },
  outputs: { file: "output_soak_test.ts", variable: "SKERRY_OUTPUTS", amount: 10_000 },
};

/** The report of these parts; `byHand` is what is kept at its end. */
export function formatReport(
  results: readonly SoakResult[],
  about: { readonly machine: string; readonly byHand: string },
): string {
  const sections = results.map(({ name, seed, commit, endedAt, seconds, docker, counts, failure }) => {
    const rows = Object.entries({
      ...counts,
      "took": `${Math.floor(seconds / 60)} min ${seconds % 60} s`,
      ...(seed !== undefined && { seed }),
      ...(commit !== undefined && { commit }),
      "Docker Engine": docker,
      "ended": endedAt.slice(0, 16).replace("T", " ") + " UTC",
      "result": failure === undefined ? "all as it must be" : `**failed**: ${failure.split("\n")[0]}`,
    });
    const cell = (value: number | string) => typeof value === "number" ? value.toLocaleString("en") : value;
    const table = rows.map(([what, value]) => `| ${what} | ${what === "seed" ? value : cell(value)} |`);
    return `## ${name[0]!.toUpperCase()}${name.slice(1)}\n\n| | |\n|---|---|\n${table.join("\n")}\n`;
  });
  return `# Soak

Made by \`deno task soak\`: the tests that run with few rounds each time (\`tests/e2e/docker_soak_test.ts\`,
\`reboot_test.ts\`, \`output_soak_test.ts\`), for long. ${about.machine}

${sections.join("\n")}
${about.byHand}`;
}

async function textOf(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, cwd: ROOT }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter((name) => PARTS[name] === undefined);
  if (unknown.length > 0) {
    console.error(`There is no part "${unknown[0]}"; the parts are: ${Object.keys(PARTS).join(", ")}`);
    return 2;
  }
  await Deno.mkdir(RESULTS, { recursive: true });
  let isFailed = false;
  for (const [name, { file, variable, amount }] of Object.entries(PARTS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", `tests/e2e/${file}`],
      cwd: ROOT,
      env: {
        SKERRY_SOAK_RESULTS: RESULTS,
        SKERRY_SOAK_COMMIT: await textOf("git", "rev-parse", "--short", "HEAD"),
        [variable]: Deno.env.get(variable) ?? String(amount),
      },
    }).spawn().status;
    isFailed ||= !success;
  }
  await writeReport();
  return isFailed ? 1 : 0;
}

async function writeReport(): Promise<void> {
  const results: SoakResult[] = [];
  for await (const { name } of Deno.readDir(RESULTS)) {
    if (name.endsWith(".json")) results.push(JSON.parse(await Deno.readTextFile(`${RESULTS}/${name}`)));
  }
  results.sort((one, other) => one.name < other.name ? -1 : 1);
  const before = await Deno.readTextFile(REPORT).catch(() => "");
  const at = before.indexOf(BY_HAND);
  const machine =
    `Skerry ${VERSION}, Deno ${Deno.version.deno}, Linux ${Deno.osRelease().split(".", 2).join(".")}, ` +
    `${navigator.hardwareConcurrency} cores.`;
  await Deno.writeTextFile(
    REPORT,
    formatReport(results, { machine, byHand: at < 0 ? `${BY_HAND}\n\nNothing yet.\n` : before.slice(at) }),
  );
  await textOf(Deno.execPath(), "fmt", "--quiet", REPORT);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
