/** Jobs that a node has acknowledged before it was killed: submitted until it is, and checked when it is back. */
import assert from "node:assert/strict";
import type { NodeProcess } from "./node_process.ts";
import { waitUntil } from "./wait_until.ts";

interface Execution {
  readonly ID: string;
  readonly PartitionIndex?: number;
  readonly ComputeState: { readonly StateType: number };
  readonly RunOutput?: { readonly Stdout: string; readonly ExitCode: number };
}
const COMPLETED = 9;
/** The node's disk is full: it takes no work, and says so. */
const FULL = 507;

/** Submits one, which must be taken. */
export async function submitJob(node: NodeProcess, job: unknown): Promise<string> {
  const answer = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ Job: job }),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text).JobID;
}

/** Submits until the connection breaks; what was acknowledged is noted at once. */
export async function submitSome(
  node: NodeProcess,
  options: {
    jobOf: (count: number) => unknown;
    random: () => number;
    acknowledged: Map<string, number>;
  },
) {
  const { jobOf, random, acknowledged } = options;
  const known = [...acknowledged.keys()];
  while (acknowledged.size < known.length + 6) {
    const count = 1 + Math.floor(random() * 4);
    let answer: Response;
    try {
      answer = await fetch(`${node.url}/api/v1/orchestrator/jobs`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ Job: jobOf(count), IdempotencyToken: crypto.randomUUID() }),
      });
    } catch {
      return; // the node was killed: what it did not acknowledge may be lost
    }
    const text = await answer.text().catch(() => "");
    if (text === "") return;
    if (answer.status === FULL) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    assert.equal(answer.status, 200, text);
    acknowledged.set(JSON.parse(text).JobID, count);
  }
}

/** Every partition of the job has one accepted result, with its output whole. Answers how many attempts it took. */
export async function checkJob(
  node: NodeProcess,
  { id, count }: { id: string; count: number },
): Promise<number> {
  const url = `${node.url}/api/v1/orchestrator/jobs/${id}`;
  const { Job } = await waitUntil(`job ${id} ends`, async () => {
    const answer = await (await fetch(`${url}?wait=terminal&wait_ms=5000`)).json();
    if (answer.Job === undefined) {
      throw new Error(`acknowledged job ${id} is gone: ${JSON.stringify(answer)}`);
    }
    return ["Completed", "Failed", "Stopped"].includes(answer.Job.State.StateType) && answer;
  }, { deadlineMs: 120_000 });
  assert.equal(Job.State.StateType, "Completed", JSON.stringify(Job.State));
  const { Items } = await (await fetch(`${url}/executions?limit=1000`)).json() as { Items: Execution[] };
  const accepted = Items.filter(({ ComputeState }) => ComputeState.StateType === COMPLETED);
  const indexes = accepted.map(({ PartitionIndex }) => PartitionIndex ?? 0).sort((a, b) => a - b);
  assert.deepEqual(indexes, Array.from({ length: count }, (_, index) => index), `results of ${id}`);
  for (const { ID, RunOutput } of accepted) {
    assert.equal(RunOutput?.Stdout, "begin\nend\n", `output of ${ID}`);
  }
  return Items.length;
}
