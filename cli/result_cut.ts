/** Output that was longer than what nodes keep. */
import { join } from "node:path";
import { LIMITS } from "../shared/limits.ts";
import type { PartitionFolder } from "./result_merge.ts";
import { amountOfBytes, ranges } from "./words.ts";

/** One line for each stream that reached the limit. */
export async function cutLines(
  partitions: readonly PartitionFolder[],
  { count, limitBytes = LIMITS.logBytes }: { count: number; limitBytes?: number },
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const stream of ["stdout", "stderr"]) {
    const cut: number[] = [];
    for (const { partition, folder } of partitions) {
      const sizeBytes = await Deno.stat(join(folder, stream)).then(({ size }) => size, () => 0);
      if (sizeBytes >= limitBytes) cut.push(partition);
    }
    if (cut.length === 0) continue;
    const of = count === 1 ? "" : ` of ${cut.length === 1 ? "partition" : "partitions"} ${ranges(cut)}`;
    lines.push(`${stream}${of} was cut: nodes keep the first ${amountOfBytes(limitBytes)}`);
  }
  return lines;
}
