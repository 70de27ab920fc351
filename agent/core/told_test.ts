import assert from "node:assert/strict";
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
