import assert from "node:assert/strict";
import { HEALTH_DEFAULT, type HealthCheck } from "../../shared/model/policy.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import { type AgentFixture, anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";

const SERVICE: Partial<RunOrder> = { jobType: "service" };
const CRASH = { kind: "exited", exitCode: 7 } as const;
const POLICY = {
  attempts: 2,
  intervalMs: 60_000,
  delayMs: 1_000,
  maxDelayMs: 4_000,
  mode: "fail",
} as const;

/** An agent whose journal is a file, so that it can be started again. */
async function withAgent(work: (agent: AgentFixture) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-agent-" });
  const agent = await anAgent({ path: `${folder}/agent.db` });
  try {
    await work(agent);
  } finally {
    await agent.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Time goes by, and what happened at the end of it is written. */
async function later(agent: AgentFixture, ms: number): Promise<void> {
  await agent.pass(ms);
  await agent.pass(20);
}

const runs = ({ engine }: AgentFixture) => engine.started.map(({ run }) => run);
const told = ({ home }: AgentFixture) => home.happened.map(({ event }) => event.message);
const stop = { desired: "stop", executionId: anOrder("e-1").executionId, message: "Enough" } as const;

Deno.test("a service that ends is started again in place after a pause, and its home hears of it", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", SERVICE));
    await later(agent, 20);
    agent.engine.end("e-1", CRASH);
    await later(agent, 20);
    const waiting = agent.home.reportOf("e-1");
    assert.deepEqual([waiting?.phase, waiting?.health?.status, waiting?.lastExit?.exitCode], [
      "preparing",
      "unhealthy",
      7,
    ]);
    assert.match(waiting!.message!, /exit code 7\. Its node starts it again after a pause of 1s/);
    assert.equal(agent.program.load().allocated.cpuMillis, 1000, "it keeps its place");
    await later(agent, 900);
    assert.deepEqual(runs(agent), [0]);
    await later(agent, 200);
    assert.deepEqual(runs(agent), [0, 1]);
    await later(agent, 20);
    const running = agent.home.reportOf("e-1");
    assert.deepEqual([running?.phase, running?.restarts, running?.message], ["running", 1, undefined]);
    assert.deepEqual(agent.workspace.cleared, ["e-1"], "results of the run before are gone");
    assert.deepEqual(told(agent), [
      "Running execution",
      "execution completed unexpectedly with exit code 7. Started again in 1s (restart 1)",
      "Running execution (restart 1)",
    ]);
    assert.equal(agent.home.happened[1]?.event.details?.ExitCode, "7");
  }));

Deno.test("a policy that allows no further start fails the execution, and says how often it was started", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", { restart: POLICY, successExitCodes: [0] }));
    for (const ms of [20, 1_100, 2_100]) {
      await later(agent, ms);
      agent.engine.end("e-1", CRASH);
      await later(agent, 20);
    }
    const report = agent.home.reportOf("e-1");
    assert.deepEqual([report?.phase, report?.code, report?.restarts], ["failed", "program_failed", 2]);
    assert.equal(report?.message, "Program exited with code 7 (started again 2 times on its node before)");
    assert.equal(report?.output?.stdout, "out of e-1 from 7", "the beginning of the last run's output");
    assert.equal(agent.program.load().allocated.cpuMillis, 0);
    assert.deepEqual(agent.engine.forgotten, ["e-1"]);
  }));

Deno.test("while its home cannot be asked to take over, a service is started again, beyond what its policy allows", async () => {
  for (const attempts of [1, 2, 6]) {
    await withAgent(async (agent) => {
      agent.home.order(anOrder("e-1", { ...SERVICE, restart: { ...POLICY, attempts, intervalMs: 600_000 } }));
      await later(agent, 30_000);
      agent.home.sync.close();
      for (let run = 0; run < 10; run++) {
        agent.engine.end("e-1", CRASH);
        await later(agent, POLICY.maxDelayMs + 100);
      }
      assert.equal(runs(agent).at(-1), 10, `${attempts}`);
    });
  }
});

Deno.test("a batch program that fails is not started again in place unless its job says so", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", { successExitCodes: [0] }));
    await later(agent, 20);
    agent.engine.end("e-1", CRASH);
    await later(agent, 20);
    assert.equal(agent.home.phaseOf("e-1"), "failed");
    assert.deepEqual(runs(agent), [0]);
  }));

Deno.test("a stop ends at once what waits for its next run", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", SERVICE));
    await later(agent, 20);
    agent.engine.end("e-1", CRASH);
    await later(agent, 20);
    agent.home.order(stop);
    await agent.settle();
    const report = agent.home.reportOf("e-1");
    assert.deepEqual([report?.phase, report?.message, report?.restarts], ["stopped", "Enough", undefined]);
    await later(agent, 5_000);
    assert.deepEqual(runs(agent), [0]);
  }));

Deno.test("a time-out counts from the first run on, and pauses count too", () =>
  withAgent(async (agent) => {
    const timeouts = { executionMs: 5_000, queueMs: 0, totalMs: 0 };
    const restart = { ...POLICY, delayMs: 4_000 };
    agent.home.order(anOrder("e-1", { restart, successExitCodes: [0], task: aTask({ timeouts }) }));
    await later(agent, 20);
    agent.engine.end("e-1", CRASH);
    await later(agent, 4_100);
    assert.equal(agent.home.phaseOf("e-1"), "running");
    await later(agent, 1_000);
    assert.equal(agent.home.reportOf("e-1")?.code, "execution_timed_out");
    assert.deepEqual(runs(agent), [0, 1]);
  }));

Deno.test("kill -9 between any two steps neither loses nor doubles a run", async () => {
  for (let killAt = 0; killAt < 40; killAt++) {
    await withAgent(async (agent) => {
      let step = 0;
      /** One turn of everything; the agent dies after one of them. */
      const turn = async () => {
        for (const stage of agent.program.stages) await stage.tick();
        agent.home.sync.tick();
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (step++ === killAt) await agent.restart({ isKilled: true });
      };
      agent.home.order(anOrder("e-1", { restart: POLICY, successExitCodes: [0] }));
      for (let run = 0; run < 3; run++) {
        for (let turns = 0; turns < 8 && runs(agent).length <= run; turns++, agent.clock.pass(25)) {
          await turn();
        }
        // The pause may begin again after a crash: it is over at last.
        if (runs(agent).length <= run) await later(agent, 5_000);
        agent.engine.end("e-1", CRASH);
        for (let turns = 0; turns < 3; turns++) await turn();
        agent.clock.pass(5_000);
      }
      await later(agent, 100);
      assert.deepEqual(runs(agent), [0, 1, 2], `killed after step ${killAt}`);
      const report = agent.home.reportOf("e-1");
      assert.deepEqual([report?.phase, report?.restarts], ["failed", 2], `killed after step ${killAt}`);
    });
  }
});

Deno.test("after kill -9 a service runs on, unless its job wants it started again or ended", async () => {
  for (
    const [onAgentRestart, wanted] of [
      ["reattach", { runs: [0], phase: "running", stops: [] }],
      ["restart", { runs: [0, 1], phase: "running", stops: ["e-1"] }],
      ["fail", { runs: [0], phase: "failed", stops: ["e-1"] }],
    ] as const
  ) {
    await withAgent(async (agent) => {
      agent.home.order(anOrder("e-1", { ...SERVICE, onAgentRestart }));
      await later(agent, 20);
      await agent.restart({ isKilled: true });
      await later(agent, 20);
      const { phase, code } = agent.home.reportOf("e-1")!;
      assert.deepEqual({ runs: runs(agent), phase, stops: agent.engine.stopped }, wanted, onAgentRestart);
      if (phase === "failed") assert.equal(code, "interrupted");
    });
  }
});

Deno.test("kill -9 in the middle of a restart that the job asked for begins no second one", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", { ...SERVICE, onAgentRestart: "restart" }));
    await later(agent, 20);
    agent.engine.isDeaf = true;
    await agent.restart({ isKilled: true });
    await later(agent, 20);
    agent.engine.isDeaf = false;
    await agent.restart({ isKilled: true });
    await later(agent, 20);
    assert.deepEqual(runs(agent), [0, 1]);
    assert.deepEqual(agent.home.reportOf("e-1")?.phase, "running");
  }));

Deno.test("after a reboot services are run again at once without their home, and batches handed back to it", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", SERVICE), anOrder("e-2"), anOrder("e-3", { onAgentRestart: "restart" }));
    agent.home.order(anOrder("e-4", { ...SERVICE, onAgentRestart: "fail" }));
    await later(agent, 20);
    agent.engine.held.clear();
    await agent.restart({ isKilled: true });
    await later(agent, 20);
    const phases = ["e-1", "e-2", "e-3", "e-4"].map((id) => agent.home.phaseOf(id));
    assert.deepEqual(phases, ["running", "failed", "running", "failed"]);
    assert.deepEqual(agent.engine.started.slice(4).map(({ executionId, run }) => [executionId, run]), [
      ["e-1", 1],
      ["e-3", 1],
    ]);
    assert.equal(agent.home.reportOf("e-1")?.restarts, 1);
  }));

Deno.test("a start in place that fails is tried again, as a crash is", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", SERVICE));
    await later(agent, 20);
    agent.engine.startError = new Error("the daemon is away");
    agent.engine.end("e-1", CRASH);
    await later(agent, 1_100);
    assert.match(agent.home.reportOf("e-1")?.message ?? "", /the daemon is away/);
    agent.engine.startError = undefined;
    await later(agent, 2_100);
    assert.deepEqual(runs(agent), [0, 2]);
    assert.equal(agent.home.phaseOf("e-1"), "running");
  }));

const PROBED: HealthCheck = {
  ...HEALTH_DEFAULT,
  ...{ intervalMs: 2_000, minHealthyMs: 2_000, retries: 2 },
  exec: { command: ["check"] },
};

Deno.test("a service is healthy once it has run so long, and its home hears of it once", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", SERVICE), anOrder("e-2"));
    await later(agent, 20);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "unknown");
    await later(agent, 10_000);
    const { health } = agent.home.reportOf("e-1")!;
    assert.deepEqual([health?.status, health?.forMs], ["healthy", 20]);
    const count = agent.home.reports.length;
    await later(agent, 60_000);
    assert.equal(agent.home.reports.length, count);
    assert.equal(agent.home.reportOf("e-2")?.health, undefined, "a batch task is not watched");
    await agent.restart({ isKilled: true });
    await later(agent, 20);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "healthy");
  }));

Deno.test("a task whose check fails after it was healthy is ended and started again", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", { ...SERVICE, health: PROBED }));
    await later(agent, 20);
    await later(agent, 1_000);
    await later(agent, 2_000);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "healthy");
    agent.engine.exec = () => Promise.resolve({ exitCode: 2, output: "no table\n" });
    await later(agent, 2_000);
    assert.deepEqual(agent.engine.stopped, []);
    await later(agent, 2_000);
    assert.deepEqual(agent.engine.stopped, ["e-1"]);
    await later(agent, 20);
    const { lastExit, phase } = agent.home.reportOf("e-1")!;
    assert.deepEqual([phase, lastExit?.code], ["preparing", "unhealthy"]);
    assert.match(lastExit!.message, /"check" ended with exit code 2: no table/);
    agent.engine.exec = () => Promise.resolve({ exitCode: 0, output: "" });
    await later(agent, 1_100);
    await later(agent, 20);
    assert.deepEqual([agent.home.phaseOf("e-1"), agent.home.reportOf("e-1")?.restarts], ["running", 1]);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "unknown");
  }));

Deno.test("an engine that cannot be asked says nothing of a task's health", () =>
  withAgent(async (agent) => {
    agent.home.order(anOrder("e-1", { ...SERVICE, health: { ...PROBED, startPeriodMs: 1 } }));
    await later(agent, 20);
    const { AppError } = await import("../../shared/errors.ts");
    agent.engine.exec = () => Promise.reject(new AppError("unavailable", "The daemon is away"));
    for (let look = 0; look < 5; look++) await later(agent, 2_000);
    assert.deepEqual(agent.engine.stopped, []);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "unknown");
    agent.engine.exec = () => Promise.resolve({ exitCode: 0, output: "" });
    for (let look = 0; look < 8; look++) await later(agent, 2_000);
    assert.equal(agent.home.reportOf("e-1")?.health?.status, "healthy", "it is asked again");
  }));

Deno.test("a stop for health's sake that fails is not tried again on the run after", () =>
  withAgent(async (agent) => {
    const { AppError } = await import("../../shared/errors.ts");
    agent.home.order(anOrder("e-1", { ...SERVICE, health: { ...PROBED, startPeriodMs: 1 } }));
    await later(agent, 20);
    agent.engine.exec = () => Promise.resolve({ exitCode: 2, output: "" });
    const stop = agent.engine.stop.bind(agent.engine);
    agent.engine.stop = () => {
      // The daemon is away, and its container ends with it.
      agent.engine.stop = stop;
      agent.engine.end("e-1", CRASH);
      return Promise.reject(new AppError("unavailable", "The daemon is away"));
    };
    for (let look = 0; look < 4 && agent.engine.stop !== stop; look++) await later(agent, 2_000);
    agent.engine.exec = () => Promise.resolve({ exitCode: 0, output: "" });
    await later(agent, 1_000);
    await later(agent, 1_000);
    assert.deepEqual([runs(agent), agent.engine.stopped], [[0, 1], []]);
    assert.equal(agent.home.phaseOf("e-1"), "running");
  }));

Deno.test("an order to stop overtakes a restart for health's sake", () =>
  withAgent(async (agent) => {
    agent.engine.isDeaf = true;
    agent.home.order(anOrder("e-1", { ...SERVICE, health: { ...PROBED, startPeriodMs: 1 } }));
    await later(agent, 20);
    agent.engine.exec = () => Promise.resolve({ exitCode: 2, output: "" });
    for (let look = 0; look < 4; look++) await later(agent, 2_000);
    assert.deepEqual(agent.engine.stopped, ["e-1"]);
    agent.home.order(stop);
    await agent.settle();
    agent.engine.end("e-1", { kind: "stopped" });
    await agent.settle();
    assert.deepEqual([agent.home.phaseOf("e-1"), agent.home.reportOf("e-1")?.message], ["stopped", "Enough"]);
    assert.deepEqual(runs(agent), [0]);
  }));

Deno.test("what ends with its engine is started again at once, however often, and nothing is counted", () =>
  withAgent(async (agent) => {
    const cutShort = { kind: "failed", code: "interrupted", message: "The engine ended it" } as const;
    agent.home.order(anOrder("e-1", { ...SERVICE, restart: POLICY }));
    await later(agent, 20);
    for (let run = 1; run <= 5; run++) {
      agent.engine.end("e-1", { ...cutShort, isBlameless: true });
      await later(agent, 20);
      assert.equal(runs(agent).at(-1), run);
    }
    agent.engine.end("e-1", cutShort);
    await later(agent, 500);
    assert.equal(runs(agent).at(-1), 5, "a fault of its own waits");
    await later(agent, 600);
    assert.equal(runs(agent).at(-1), 6);
  }));
