/** Jobs over HTTP, as a client submits and waits for them. */

/** Submits one job and waits for its end; answers the milliseconds. */
export async function runOne(url: string, body: string): Promise<number> {
  const startMs = performance.now();
  const submitted = await fetch(`${url}/api/v1/orchestrator/jobs`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body,
  });
  const { JobID } = await submitted.json();
  let phase = "";
  while (phase !== "Completed") {
    const answer = await fetch(`${url}/api/v1/orchestrator/jobs/${JobID}?wait=terminal&wait_ms=30000`);
    phase = (await answer.json()).Job.State.StateType;
    if (phase === "Failed" || phase === "Stopped") throw new Error(`job ${JobID} is ${phase}`);
  }
  return performance.now() - startMs;
}

/** Runs `count` jobs with so many in flight; answers the seconds. */
export async function runMany(
  url: string,
  options: { count: number; inFlight: number; body: string },
): Promise<number> {
  let left = options.count;
  const startMs = performance.now();
  await Promise.all(Array.from({ length: options.inFlight }, async () => {
    while (left-- > 0) await runOne(url, options.body);
  }));
  return (performance.now() - startMs) / 1000;
}
