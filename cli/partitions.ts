/** What became of each partition of a job, from its executions. */
import { AppError } from "../shared/errors.ts";
import type { Client } from "./client.ts";
import {
  asRecord,
  type ExecutionView,
  isTerminal,
  itemsOf,
  type JobView,
  readExecution,
  readJob,
  recordAt,
  textAt,
} from "./wire.ts";
import { age, plural, ranges, short } from "./words.ts";

const PAGE = 1000;

/** How many partitions a job has, in words. */
export function extentOf({ type, count }: Pick<JobView, "type" | "count">): string {
  if (type !== "ops" && type !== "daemon") return plural(count, "partition");
  const nodes = count === 0 ? "every node that matches" : `${plural(count, "node")} so far`;
  return type === "ops" ? `once on ${nodes}` : `on ${nodes}`;
}

/** How far the latest version of a job without an end has come, in words; "" for others. */
export function rolloutLine({ version, count, rollout }: JobView, nowMs: number): string {
  if (rollout === undefined) return "";
  const { state, upCount, sinceAtMs, rolledBackFrom, message } = rollout;
  const how = { good: "is up", failed: "will not do", rolling: "comes up" }[state] ?? state;
  const why = rolledBackFrom === undefined
    ? message && `\n${message}`
    : `\nIt came back in place of version ${rolledBackFrom}: ${message}`;
  return `${version} ${how}: ${upCount} of ${count}, ${age(sinceAtMs, nowMs)}${why}`;
}

/** The job as it was submitted in that version, the latest unless told. Throws `not_found` when there is none such. */
export async function fetchJob(
  client: Client,
  id: string,
  { version, signal }: { version?: number; signal?: AbortSignal } = {},
): Promise<JobView> {
  const query = { namespace: client.namespace, job_version: version };
  return readJob(
    recordAt(await client.get(`/orchestrator/jobs/${encodeURIComponent(id)}`, { query, signal }), "Job"),
  );
}

/** Every execution of one version of the job, the latest unless told, or of all; oldest first. */
export async function fetchExecutions(
  client: Client,
  id: string,
  { version, ...options }: { signal?: AbortSignal; version?: number | "all" } = {},
): Promise<readonly ExecutionView[]> {
  const all: ExecutionView[] = [];
  let token = "";
  do {
    const query = {
      limit: PAGE,
      next_token: token,
      namespace: client.namespace,
      ...(version === "all" ? { all_job_versions: true } : { job_version: version }),
    };
    const page = await client.get(`/orchestrator/jobs/${encodeURIComponent(id)}/executions`, {
      query,
      ...options,
    });
    all.push(...itemsOf(page).map(readExecution));
    token = textAt(page, "NextToken") ?? "";
  } while (token);
  return all;
}

/** The execution that counts for each partition: a completed one, else the newest. Sorted by partition. */
export function currentOf(executions: readonly ExecutionView[]): readonly ExecutionView[] {
  const current = new Map<number, ExecutionView>();
  for (const execution of executions) {
    const other = current.get(execution.partition);
    if (!other || isBetter(execution, other)) current.set(execution.partition, execution);
  }
  return [...current.values()].sort((a, b) => a.partition - b.partition);
}

function isBetter(a: ExecutionView, b: ExecutionView): boolean {
  const [aDone, bDone] = [a.state === "completed", b.state === "completed"];
  if (aDone !== bDone) return aDone;
  if (a.previousId === b.id || b.nextId === a.id) return true;
  return b.previousId !== a.id && a.createdAtMs >= b.createdAtMs;
}

/** How many partitions are in which state, in the order of a partition's life. */
export function countStates(job: JobView, current: readonly ExecutionView[]): readonly [string, number][] {
  const counts = new Map<string, number>();
  for (const { state } of current) counts.set(state, (counts.get(state) ?? 0) + 1);
  const unplaced = Math.max(0, job.count - current.length);
  if (unplaced > 0) counts.set(isTerminal(job.state) ? "never placed" : "waiting", unplaced);
  const order = ["completed", "publishing", "running", "preparing", "queued", "placed", "waiting"];
  const rank = (state: string) => order.includes(state) ? order.indexOf(state) : order.length;
  return [...counts].sort(([a], [b]) => rank(a) - rank(b));
}

/** Throws `not_found` when the job has no such partition. */
export function checkPartition(job: JobView, partition: number): void {
  if (partition < job.count) return;
  throw new AppError(
    "not_found",
    `Cannot find partition ${partition}: the job has ${plural(job.count, "partition")}`,
    {
      hint: `Partitions are numbered from 0 to ${job.count - 1}`,
    },
  );
}

/** Partitions that completed with an exit code that the job does not take for success. */
export function badExits(job: JobView, current: readonly ExecutionView[]): readonly ExecutionView[] {
  const accepted = new Set(itemsOf(asRecord(job.wire), "SuccessExitCodes").map(Number));
  const isGood = (code: number) => accepted.size ? accepted.has(code) : code === 0;
  return current.filter(({ state, exitCode }) =>
    state === "completed" && exitCode !== undefined && !isGood(exitCode)
  );
}

/** For a job that waits although a node has it: the reason is the node's. */
export function whyItWaits(job: JobView, current: readonly ExecutionView[]): string {
  if (isTerminal(job.state) || current.some(({ state }) => ["running", "preparing"].includes(state))) {
    return "";
  }
  const queued = current.filter(({ state }) => state === "queued");
  const nodes = [...new Set(queued.map(({ nodeId }) => short(nodeId)))].join(", ");
  return queued.length ? `waits until earlier work on ${nodes} has ended and made room` : "";
}

/** `partitions 0-2, 5`, or the task of a job of one partition. Sorted by partition. */
export function whoOf({ count }: JobView, alike: readonly ExecutionView[]): string {
  if (count === 1) return "the task";
  return `${alike.length === 1 ? "partition" : "partitions"} ${ranges(alike.map((it) => it.partition))}`;
}

/** Executions that ended in the same way for the same reason, and that nothing says in the job's own message. */
export function untold(
  job: JobView,
  executions: readonly ExecutionView[],
): readonly (readonly ExecutionView[])[] {
  // Of a refusal the job tells without "this node".
  const isTold = ({ message, state }: ExecutionView) =>
    (job.count === 1 || state === "refused") && job.message.includes(message.replace(/^this node /, ""));
  const told = executions.filter((it) => it.message && !isTold(it));
  return [...Map.groupBy(told, ({ state, message }) => `${state}: ${message}`).values()];
}
