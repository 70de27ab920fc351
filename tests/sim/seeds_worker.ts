/** Runs chunks of seeds in a thread of its own. */
import { describeFailure } from "./failure.ts";
import { runSeed } from "./world.ts";

/** What a thread is asked, and answers. */
export interface Chunk {
  readonly seeds: readonly number[];
}
export interface ChunkReport {
  readonly failures: readonly { seed: number; text: string }[];
  readonly simulatedMs: number;
  readonly realMs: number;
  readonly startCount: number;
  readonly jobCount: number;
}

/** Runs them one after the other. */
export async function runChunk({ seeds }: Chunk): Promise<ChunkReport> {
  const startedAtMs = performance.now();
  const failures: { seed: number; text: string }[] = [];
  let [simulatedMs, startCount, jobCount] = [0, 0, 0];
  for (const seed of seeds) {
    const report = await runSeed({ seed });
    simulatedMs += report.simulatedMs;
    startCount += report.startCount;
    jobCount += report.jobCount;
    if (report.violation !== undefined) failures.push({ seed, text: describeFailure(report) });
  }
  return { failures, simulatedMs, startCount, jobCount, realMs: performance.now() - startedAtMs };
}

const scope = globalThis as unknown as {
  onmessage?: (event: MessageEvent<Chunk>) => void;
  postMessage?: (report: ChunkReport) => void;
};
if (
  scope.postMessage !== undefined && !("document" in globalThis) && "DedicatedWorkerGlobalScope" in globalThis
) {
  scope.onmessage = ({ data }) => runChunk(data).then((report) => scope.postMessage!(report));
}
