import assert from "node:assert/strict";
import { AppError } from "../shared/errors.ts";
import { aTerminal } from "../tests/support/terminal.ts";
import { openClient } from "./client.ts";
import { openSettings } from "./config.ts";
import { waitForJob } from "./wait.ts";

/** A server whose job is in these states, one for each time that it is asked; the last one stays. */
async function waitOn(
  states: readonly string[],
  timeoutMs?: number,
  { Message = "no room", phases = [] }: { Message?: string; phases?: readonly string[] } = {},
) {
  const waits: number[] = [];
  const executions = phases.map((Phase, PartitionIndex) => ({
    ...{ ID: `e-${PartitionIndex}`, NodeID: "n-1", PartitionIndex },
    ComputeState: { Details: { Phase } },
  }));
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    if (request.url.includes("/executions")) return Response.json({ Items: executions });
    waits.push(Number(new URL(request.url).searchParams.get("wait_ms")));
    const StateType = states[Math.min(waits.length, states.length) - 1];
    if (StateType === "gone") return new Response(null, { status: 503 });
    return Response.json({ Job: { ID: "j-1", Count: phases.length || 1, State: { StateType, Message } } });
  });
  const terminal = aTerminal();
  try {
    const api = [`http://127.0.0.1:${server.addr.port}`];
    const client = await openClient(openSettings({ path: "/dev/null", flags: { api } }));
    const job = await waitForJob(client, "j-1", {
      terminal,
      signal: new AbortController().signal,
      timeoutMs,
    });
    return { state: job.state, waits, notes: terminal.texts().notes };
  } finally {
    await server.shutdown();
  }
}

Deno.test("a job that has ended is told at once", async () => {
  assert.deepEqual((await waitOn(["Completed"])).state, "completed");
});

Deno.test("the first question is answered at once, the next are held back by the server", async () => {
  const { waits } = await waitOn(["Running", "Running", "Failed"]);
  assert.equal(waits[0], 0);
  assert.ok(waits[1]! > 1000);
});

Deno.test("a link that is lost while waiting is said once, and does not end the waiting", async () => {
  const lost = ["gone", "gone", "gone", "gone"];
  const { state, notes } = await waitOn(["Running", ...lost, "Completed"]);
  assert.equal(state, "completed");
  assert.match(notes, /the job does not need this link.*\nThe server answers again\n$/);
});

Deno.test("a server that is away from the start is an error", async () => {
  await assert.rejects(waitOn(["gone"]), (error: unknown) => (error as AppError).kind.isRetryable);
});

Deno.test("after the time-out the state, its reason and the next commands are told", async () => {
  await assert.rejects(waitOn(["Queued"], 300), (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, "timed_out");
    assert.match(`${error.message} ${error.hint}`, /it is queued \(no room\).*job wait j-1.*job stop j-1/);
    return true;
  });
});

Deno.test("after the time-out a job that stands in a queue says whose, and one at work how far it is", async () => {
  const told = async (state: string, phases: readonly string[]) => {
    const error = await waitOn([state], 100, { Message: "", phases }).catch((error) => error);
    return (error as AppError).message;
  };
  assert.match(
    await told("Pending", ["queued"]),
    /it is pending \(waits until earlier work on n-1 has ended/,
  );
  assert.match(await told("Running", ["running"]), /it is running$/);
  assert.match(await told("Running", ["completed", "running", "running"]), /\(1 completed, 2 running\)$/);
});
