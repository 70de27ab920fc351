/**
 * Writes the documents that follow from the code: `docs/openapi.json` from the routes, `docs/errors.md` and
 * `docs/limits.md` from their tables, `docs/lifecycle.md` from the state machines. `--check` writes nothing and exits with 1 when one of them is not current.
 */
import { agentLifecycleTable } from "../agent/core/lifecycle.ts";
import { homeLifecycleTable } from "../orchestrator/core/lifecycle.ts";
import { livesTable } from "../orchestrator/core/lives.ts";
import type { Desk } from "../orchestrator/flow/desk.ts";
import { createApp } from "../orchestrator/http/app.ts";
import { systemClock } from "../shared/clock.ts";
import { type ErrorKind, ERRORS, EXIT } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import { silentLog } from "../shared/log.ts";
import type { NodeId } from "../shared/model/ids.ts";
import { formatBytes, formatDuration } from "../shared/spec/units.ts";
import { VERSION } from "../shared/version.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const NOTE = "<!-- Written by scripts/generate.ts: do not edit. -->";

/** The API's document; nothing behind the routes is ever called. */
export async function openapiText(): Promise<string> {
  const app = createApp({
    desk: undefined as unknown as Desk,
    about: {
      nodeId: "n-0" as NodeId,
      version: VERSION,
      commit: "",
      buildDate: "",
      os: "linux",
      arch: "amd64",
    },
    config: () => ({}),
    clock: systemClock,
    log: silentLog,
    listenHost: "127.0.0.1",
  });
  return `${JSON.stringify(await app.document(), null, 2)}\n`;
}

/** The table of errors as a page. */
export function errorsText(): string {
  const exits = Object.entries(EXIT).map(([name, code]) =>
    `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`
  );
  const rows = Object.entries<ErrorKind>(ERRORS).map(([code, kind]) => {
    const retry = kind.isRetryable ? "yes" : "no";
    return `| \`${code}\` | ${kind.meaning} | ${kind.status} \`${kind.wireCode}\` | ${kind.exit} | ${retry} |`;
  });
  return [
    "# Errors",
    NOTE,
    "Every failure of the API is answered with one envelope. `Details.code` is the code of this table, `Code` is " +
    "Bacalhau's name for it. A released code keeps its meaning.",
    [
      "| code | means | HTTP status and name | exit code | worth a retry |",
      "| --- | --- | --- | --- | --- |",
      ...rows,
    ].join("\n"),
    "## Exit codes of the command line",
    ["| exit code | means |", "| --- | --- |", ...exits].join("\n"),
    "",
  ].join("\n\n").replace(/\n+$/, "\n");
}

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "Done",
  failed: "Failed",
  usage: "Wrong usage, or input that is not allowed",
  notFound: "Not found",
  refused: "Refused",
  tryAgain: "Not possible at the moment: try again later",
  jobFailed: "The job failed, or a task exited with other than 0",
  timedOut: "Timed out waiting",
  changes: "`job plan --detailed-exitcode`: a submission would change something",
  interrupted: "Interrupted; a job goes on",
};

/** The table of limits as a page: values from the table, reasons from the comments before them. */
export function limitsText(source: string): string {
  const rows: string[] = [];
  let reason = "";
  let isOpen = false;
  for (const line of source.split("\n")) {
    const comment = /^\s*(?:\/\*\*|\*)\s?(.*?)\s*(\*\/)?$/.exec(line);
    const entry = /^ {2}(\w+):/.exec(line);
    if (comment && !line.trim().startsWith("*/")) {
      reason = isOpen ? `${reason} ${comment[1]}` : comment[1] ?? "";
      isOpen = comment[2] === undefined;
    } else if (entry && entry[1]! in LIMITS) {
      const name = entry[1] as keyof typeof LIMITS;
      rows.push(`| \`${name}\` | ${formatLimit(name, LIMITS[name])} | ${reason.trim()} |`);
    }
  }
  const missing = Object.keys(LIMITS).filter((name) => !rows.some((row) => row.startsWith(`| \`${name}\``)));
  if (missing.length) throw new Error(`shared/limits.ts: no reason can be read for ${missing.join(", ")}`);
  return [
    "# Limits",
    NOTE,
    "Everything has a bound. What is beyond one is refused with an error that names the bound, unless told otherwise here.",
    ["| limit | value | why, and what happens there |", "| --- | --- | --- |", ...rows].join("\n"),
    "",
  ].join("\n\n").replace(/\n+$/, "\n");
}

/** The state machines as a page: every state with every event. */
export function lifecycleText(): string {
  const home = homeLifecycleTable();
  return [
    "# Lifecycle",
    NOTE,
    "What becomes of jobs and executions. Columns are states, rows are events; every pair has its answer. `·` means " +
    "that nothing changes: the event is late, doubled or no longer matters.",
    "## The four lives",
    "What the home makes of a job's executions, by the job's type. The job here has two of them (`ops` and `daemon` are for two " +
    "nodes, `here` and `there`), of which both run unless said otherwise; what the row tells has become of the first. With " +
    "a pause of one second after a failure of the program, and none after the first that was not its own.",
    livesTable(),
    "## A job at its home",
    "(counted): one more partition has its result. (noted): only what is told to users changes.",
    home.jobs,
    "## An execution at its home",
    "What was `lost` may be corrected by a late report; every other end stays. (stop): the home wants it stopped, and " +
    "tells the agent.",
    home.executions,
    "## An execution on its node",
    "In parentheses: what the agent does next. Only what is on disk starts, and what was told to stop never does.",
    agentLifecycleTable(),
    "",
  ].join("\n\n").replace(/\n+$/, "\n");
}

function formatLimit(name: string, value: number): string {
  if (/bytes/i.test(name)) return formatBytes(value);
  if (/Ms(Max)?$/.test(name)) return formatDuration(value);
  return value.toLocaleString("en-US");
}

/** Path → text of every generated document. */
export async function generate(): Promise<Map<string, string>> {
  const limits = await Deno.readTextFile(`${ROOT}/shared/limits.ts`);
  return new Map([
    ["docs/openapi.json", await openapiText()],
    ["docs/errors.md", errorsText()],
    ["docs/limits.md", limitsText(limits)],
    ["docs/lifecycle.md", lifecycleText()],
  ]);
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  const stale: string[] = [];
  for (const [path, text] of await generate()) {
    const before = await Deno.readTextFile(`${ROOT}/${path}`).catch(() => undefined);
    if (before === text) continue;
    stale.push(path);
    if (!isCheck) await Deno.writeTextFile(`${ROOT}/${path}`, text);
  }
  for (const path of stale) {
    console.log(isCheck ? `error: ${path} is not current: run scripts/generate.ts` : `wrote ${path}`);
  }
  Deno.exit(isCheck && stale.length > 0 ? 1 : 0);
}
