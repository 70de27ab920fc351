/** `skerry job get` */
import { join, resolve } from "node:path";
import { AppError, EXIT } from "../shared/errors.ts";
import { quote } from "../shared/spec/problems.ts";
import { innerPath } from "../shared/tar.ts";
import { type Call, defineCommand } from "./command.ts";
import { type Client, openClient } from "./client.ts";
import { duration, text, toggle } from "./flags.ts";
import { onInterrupt } from "./interrupt.ts";
import { NAMESPACE_FLAG, VERSION_FLAG } from "./job_operand.ts";
import { fetchJob } from "./partitions.ts";
import { cutLines } from "./result_cut.ts";
import { download } from "./result_fetch.ts";
import { findResults, type Result, select, type Selection } from "./result_find.ts";
import { mergeResults, type PartitionFolder } from "./result_merge.ts";
import { openWork, putIntoPlace, refuseTaken, RESULT_NAMES } from "./result_place.ts";
import { unpack } from "./result_unpack.ts";
import type { Terminal } from "./terminal.ts";
import { amountOfBytes, plural, ranges, short } from "./words.ts";

const FLAGS = {
  outputDir: text({
    placeholder: "DIR",
    summary: "Where results go (default: ./job-<short ID>)",
    completes: "folder",
  }),
  ...VERSION_FLAG,
  raw: toggle({ summary: "Keep the archives as they are, in DIR/raw" }),
  force: toggle({ summary: "Replace files of the same name" }),
  timeout: duration({ placeholder: "DURATION", summary: "Give up after this (default: never)" }),
  downloadTimeoutSecs: duration({ placeholder: "SECONDS", summary: "The same", isHidden: true }),
  ...NAMESPACE_FLAG,
};

/** `skerry job get` */
export const GET = defineCommand({
  name: "get",
  summary: "Fetch the results of a job",
  about:
    "One partition: stdout, stderr, exitCode and a folder for each result path. Several: the same, put together " +
    "(stdout and stderr in the order of the partitions, exitCode the first that is not 0), and what each partition " +
    "printed in partition-N. Where partitions wrote files of the same name into a result path, each keeps its own in " +
    "partition-N. JOB/partition-N fetches one partition. A fetch that broke off goes on where it stopped; nothing " +
    "appears in DIR before all is there.",
  operands: [{
    name: "JOB[/PATH]",
    summary: "ID, its beginning, or name; a path fetches only that",
    completes: "job",
  }],
  flags: FLAGS,
  examples: [
    { line: "skerry job get j-0123abcd", does: "Everything, into ./job-0123abcd" },
    { line: "skerry job get j-0123abcd/outputs --output-dir today", does: "Only one result path" },
    {
      line: "skerry job get j-0123abcd/partition-3",
      does: "All of one partition, into ./job-0123abcd/partition-3",
    },
    { line: "skerry job get --raw j-0123abcd", does: "The archives themselves" },
  ],
  run,
});

/** Downloads at the same time. */
const LANES = 4;

async function run({ operands, flags, settings, terminal }: Call<typeof FLAGS>): Promise<number> {
  const [id = "", ...rest] = operands[0]!.split("/");
  const path = innerPath(rest.join("/"));
  if (path === undefined) {
    throw new AppError(
      "forbidden",
      `Cannot fetch ${quote(operands[0]!)}: the path must stay below the job's results`,
    );
  }
  const client = await openClient(settings);
  using interrupt = onInterrupt();
  const timeoutMs = flags.timeout ?? flags.downloadTimeoutSecs;
  const limits = timeoutMs === undefined
    ? [interrupt.signal]
    : [interrupt.signal, AbortSignal.timeout(timeoutMs)];
  const signal = AbortSignal.any(limits);
  try {
    const job = await fetchJob(client, id, { version: flags.jobVersion });
    const selection = select(job, path);
    const { results, gaps } = await findResults(client, job, { ...selection, version: flags.jobVersion });
    const folder = resolve(flags.outputDir ?? `job-${short(job.id).replace(/^j-/, "")}`);
    if (!flags.force) await refuseTaken(folder, flags.raw ? ["raw"] : path === "" ? RESULT_NAMES : []);
    const work = await openWork(folder, job);
    const options = { ...selection, folder, work, signal, isRaw: flags.raw, isForced: flags.force };
    const told = await fetchAll(client, results, { ...options, count: job.count, terminal });
    terminal.progress();
    terminal.print(folder);
    for (const line of [told, ...gaps]) terminal.note(line);
    return EXIT.ok;
  } catch (error) {
    terminal.progress();
    if (interrupt.signal.aborted) {
      terminal.note("Interrupted: the same command goes on where it stopped");
      return EXIT.interrupted;
    }
    if (!signal.aborted) throw error;
    throw new AppError("timed_out", "Stopped fetching: the time-out is over", {
      hint: "The same command goes on where it stopped",
    });
  }
}

interface Fetching extends Selection {
  readonly folder: string;
  readonly work: string;
  /** Partitions of the job. */
  readonly count: number;
  readonly signal: AbortSignal;
  readonly isRaw: boolean;
  readonly isForced: boolean;
  readonly terminal: Terminal;
}

/** Downloads, unpacks, merges and puts into place. Returns what to tell people. */
async function fetchAll(client: Client, results: readonly Result[], fetching: Fetching): Promise<string> {
  const { folder, work, isRaw, isForced } = fetching;
  await downloadAll(client, results, fetching);
  const merged = join(work, "merged");
  await Deno.remove(merged, { recursive: true }).catch(() => {});
  const told = isRaw
    ? await keepRaw(results, { work, merged })
    : await unpackAll(results, { ...fetching, merged });
  await putIntoPlace(merged, { folder, isForced });
  await Deno.remove(work, { recursive: true });
  return told;
}

const archiveOf = (work: string, { executionId }: Result) => join(work, `${executionId}.tar.gz`);

async function downloadAll(
  client: Client,
  results: readonly Result[],
  { work, signal, terminal }: Fetching,
): Promise<void> {
  let [doneCount, gotBytes] = [0, 0];
  const onBytes = (count: number) => {
    gotBytes += count;
    terminal.progress(
      `Fetching ${doneCount} of ${plural(results.length, "partition")}: ${amountOfBytes(gotBytes)}`,
    );
  };
  const queue = [...results];
  const lane = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      await download(client, { url: next.url, path: archiveOf(work, next), signal, onBytes });
      doneCount++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function keepRaw(
  results: readonly Result[],
  { work, merged }: { work: string; merged: string },
): Promise<string> {
  await Deno.mkdir(join(merged, "raw"), { recursive: true });
  for (const result of results) {
    await Deno.rename(archiveOf(work, result), join(merged, "raw", `partition-${result.partition}.tar.gz`));
  }
  return `${plural(results.length, "archive")} in raw`;
}

/** `12 partitions`, `3 of 5 partitions (0-2)`, or `partition 3 of 5`. */
function whichOf(results: readonly Result[], count: number): string {
  if (results.length === count) return plural(count, "partition");
  if (results.length === 1) return `partition ${results[0]!.partition} of ${count.toLocaleString("en")}`;
  const partitions = results.map(({ partition }) => partition).sort((a, b) => a - b);
  return `${results.length.toLocaleString("en")} of ${plural(count, "partition")} (${ranges(partitions)})`;
}

async function unpackAll(
  results: readonly Result[],
  { work, merged, wanted, partition, count }: Fetching & { merged: string },
): Promise<string> {
  let [fileCount, sizeBytes, skippedCount] = [0, 0, 0];
  const partitions: PartitionFolder[] = [];
  const isWanted = (path: string) => wanted === "" || path === wanted || path.startsWith(`${wanted}/`);
  for (const result of results) {
    const target = join(work, "unpacked", String(result.partition));
    await Deno.remove(target, { recursive: true }).catch(() => {});
    const unpacked = await unpack(archiveOf(work, result), { folder: target, wanted: isWanted });
    [fileCount, sizeBytes] = [fileCount + unpacked.fileCount, sizeBytes + unpacked.sizeBytes];
    skippedCount += unpacked.skippedCount;
    partitions.push({ partition: result.partition, folder: target });
  }
  if (wanted !== "" && fileCount === 0) {
    throw new AppError("not_found", `Cannot find ${quote(wanted)} in the results`, {
      hint: "Without a path, `job get` fetches everything",
    });
  }
  const cut = await cutLines(partitions.sort((a, b) => a.partition - b.partition), { count });
  const folder = partition === undefined ? merged : join(merged, `partition-${partition}`);
  const { kept } = await mergeResults(partitions, { folder, count: partition === undefined ? count : 1 });
  return [
    `${whichOf(results, count)}, ${plural(fileCount, "file")}, ${amountOfBytes(sizeBytes)}`,
    ...cut,
    ...kept.map((name) =>
      `Several partitions wrote the same files in ${quote(name)}: each keeps its own in partition-N`
    ),
    ...(skippedCount
      ? [`${plural(skippedCount, "link")} left out: results hold files and folders only`]
      : []),
  ].join("\n");
}
