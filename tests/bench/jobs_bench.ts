/** A whole node over HTTP with tiny WebAssembly jobs: time, throughput, disk, memory. */
import { startNodeProcess } from "../support/node_process.ts";
import { tinyJob } from "../support/tiny_module.ts";
import { runMany as runJobs, runOne } from "./http_load.ts";
import { type Figure, percentile } from "./report.ts";

/** Small enough that the machine's cores, not its accounting, bound what runs at once. */
const JOB = { cpu: "100m" };
/** One block of the disk for the file `exitCode`: it is a result, and results do not count. */
const RESULT_KIB = 4;

const runMany = (url: string, options: { count: number; inFlight: number }) =>
  runJobs(url, { ...options, body: JSON.stringify({ Job: tinyJob(JOB) }) });

/** The process and all below it. */
function family(pid: number): number[] {
  const children = [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name }) => {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`).trim();
    return text === "" ? [] : text.split(" ").map(Number);
  });
  return [pid, ...children.flatMap(family)];
}

/** Bytes that the node and its children have written to disk. */
function writtenBytes(pid: number): number {
  return family(pid).reduce((sum, one) => {
    const match = /^write_bytes: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${one}/io`));
    return sum + Number(match?.[1] ?? 0);
  }, 0);
}

function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(match?.[1] ?? 0) * 1024;
}

/** CPU seconds of the process, user and system. */
function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function benchJobs(options: { isFull: boolean; executable?: string }): Promise<Figure[]> {
  await using node = await startNodeProcess({ executable: options.executable });
  const { url, pid } = node;
  const figures: Figure[] = [];
  const add = (name: string, value: number, unit: string, rest: Partial<Figure> = {}) =>
    figures.push({ name, value, unit, how: "", ...rest });

  await pause(15_000); // idle: nothing to wait for
  const idleCpu = cpuSeconds(pid);
  await pause(20_000);
  add("idle hybrid node, resident", residentBytes(pid) / 1e6, "MB", {
    aim: "≤ 90",
    how: "35 s after its start",
  });
  add("idle hybrid node, CPU", (cpuSeconds(pid) - idleCpu) / 20 * 100, "% of a core", {
    aim: "≤ 0.5",
    how: "over 20 s",
  });

  const body = JSON.stringify({ Job: tinyJob(JOB) });
  for (let warm = 0; warm < 100; warm++) await runOne(url, body);
  const before = writtenBytes(pid);
  const times: number[] = [];
  for (let count = 0; count < 500; count++) times.push(await runOne(url, body));
  const how = "500 jobs, one at a time, warm";
  add("submit → completed, p50", percentile(times, 0.5), "ms", { aim: "≤ 10", how });
  add("submit → completed, p99", percentile(times, 0.99), "ms", { aim: "≤ 50", how });
  add("disk written per job", (writtenBytes(pid) - before) / 500 / 1024 - RESULT_KIB, "KiB", {
    aim: "≤ 128",
    how,
  });

  await runMany(url, { count: 400, inFlight: 16 });
  const before16 = writtenBytes(pid);
  const seconds16 = await runMany(url, { count: 2000, inFlight: 16 });
  add("jobs per second, 16 in flight", 2000 / seconds16, "jobs/s", { aim: "≥ 400", how: "2,000 jobs" });
  add(
    "disk written per job, 16 in flight",
    (writtenBytes(pid) - before16) / 2000 / 1024 - RESULT_KIB,
    "KiB",
    {
      aim: "≤ 64",
      how: "2,000 jobs",
    },
  );
  const seconds256 = await runMany(url, { count: 3000, inFlight: 256 });
  add("jobs per second, 256 in flight", 3000 / seconds256, "jobs/s", { aim: "≥ 400", how: "3,000 jobs" });
  const partitions = await runOne(url, JSON.stringify({ Job: tinyJob({ ...JOB, count: 500 }) }));
  add("one job of 500 partitions", partitions / 1000, "s", { aim: "≤ 1.5", how: "submit → completed" });
  if (options.isFull) figures.push(...await benchMemory(options.executable));
  return figures;
}

/** Memory of a node of its own that does nothing but such jobs, 16 in flight. */
async function benchMemory(executable: string | undefined): Promise<Figure[]> {
  await using node = await startNodeProcess({ executable });
  await runMany(node.url, { count: 1000, inFlight: 16 });
  const few = residentBytes(node.pid);
  await runMany(node.url, { count: 9000, inFlight: 16 });
  const many = residentBytes(node.pid);
  const how = "16 in flight, the node without its children";
  return [
    { name: "resident after 1,000 jobs", value: few / 1e6, unit: "MB", how },
    { name: "resident after 10,000 jobs", value: many / 1e6, unit: "MB", how },
    { name: "resident, 10,000 jobs ÷ 1,000 jobs", value: many / few, unit: "×", aim: "≤ 1.3", how },
  ];
}
