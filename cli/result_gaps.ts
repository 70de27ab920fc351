/** Which partitions of a job have no results, and why. */
import { type ExecutionView, hasEnded, isTerminal, type JobView } from "./wire.ts";
import { oneLine, ranges } from "./words.ts";

/** More reasons than this help nobody. */
const LINES_MAX = 8;

/** One line for each reason; none when every partition has results. */
export function gapLines(
  job: JobView,
  { present, current }: { present: ReadonlySet<number>; current: readonly ExecutionView[] },
): readonly string[] {
  const executions = new Map(current.map((execution) => [execution.partition, execution]));
  const gaps = Array.from({ length: job.count }, (_, at) => at).filter((at) => !present.has(at));
  const byReason = Map.groupBy(gaps, (partition) => whyNone(job, executions.get(partition)));
  const lines = [...byReason].map(([reason, alike]) =>
    `No results of ${alike.length === 1 ? "partition" : "partitions"} ${ranges(alike)}: ${reason}`
  );
  const more = lines.length - LINES_MAX;
  return more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more reasons`] : lines;
}

/** Why a partition has no results, from the execution that counts for it. */
export function whyNone(job: JobView, execution: ExecutionView | undefined): string {
  if (!execution) return isTerminal(job.state) ? "it was never placed" : "it waits for a node";
  const { state, message } = execution;
  if (!hasEnded(state)) return `it is ${state}`;
  if (state === "completed") return "it published none";
  return message ? `${state} (${oneLine(message)})` : state;
}
