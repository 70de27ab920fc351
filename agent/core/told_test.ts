import assert from "node:assert/strict";
import { step } from "./execution.ts";
import { tellRestart, tellRunning } from "./told.ts";

const past = (run: number) => ({
  run,
  lastExit: { code: "program_failed", message: "Program exited with code 3", exitCode: 3 },
  outputFrom: { stdout: 0, stderr: 0 },
  ...{ intervalFromMs: 0, intervalCount: 1, streak: 1 },
});

Deno.test("a restart is told with how the run before it ended", () => {
  assert.deepEqual(tellRestart(past(2), 1_234), [{
    type: "tell",
    event: {
      topic: "Restart",
      message: "Program exited with code 3. Started again in 1.3s (restart 2)",
      details: { ErrorCode: "program_failed", ExitCode: "3" },
    },
  }]);
  assert.match(JSON.stringify(tellRestart(past(2), 0)), /Started again now/);
});

Deno.test("after a hundred restarts each hundredth is told, and that it is so", () => {
  assert.match(JSON.stringify(tellRestart(past(100), 0)), /only each 100th restart is listed/);
  assert.deepEqual([tellRestart(past(101), 0), tellRunning(past(199))], [[], []]);
  assert.equal(tellRestart(past(200), 0).length + tellRunning(past(200)).length, 2);
  assert.equal(tellRunning(undefined).length, 1);
});

Deno.test("whether it is healthy is told of the runs that are told of, and of no others", () => {
  const toldOf = (run: number | undefined, status: "healthy" | "unhealthy") => {
    const running = { phase: "running", ...(run !== undefined && { past: past(run) }) } as const;
    const changed = { type: "health_changed", status, sinceMs: 1, restart: { graceMs: 10 } } as const;
    const { next, effects } = step(running, changed);
    assert.equal(next.phase === "running" && next.health?.status, status, "it changes all the same");
    assert.ok(effects.some(({ type }) => type === "stop"));
    return effects.flatMap((effect) => effect.type === "tell" ? [effect.event.message] : []);
  };
  assert.deepEqual([toldOf(undefined, "healthy"), toldOf(100, "healthy")], [["Healthy"], ["Healthy"]]);
  assert.match(toldOf(200, "unhealthy")[0]!, /^Not healthy: /);
  assert.deepEqual([toldOf(101, "healthy"), toldOf(199, "unhealthy")], [[], []]);
});
