import assert from "node:assert/strict";
import { openEmbeddedBus } from "../shared/bus/embedded_bus.ts";
import { systemClock } from "../shared/clock.ts";
import { silentLog } from "../shared/log.ts";
import type { NodeId } from "../shared/model/ids.ts";
import { systemIds } from "../shared/random.ts";
import { supervise } from "../shared/supervise.ts";
import { anOrder, aTask, SimulatedEngine, SimulatedHome } from "../tests/support/agent_fixture.ts";
import { waitUntil } from "../tests/support/wait_until.ts";
import { type AgentOptions, checkAgentStore, startAgent } from "./main.ts";

const HOME = "n-hub/orchestrator";

function optionsOf(dataDir: string, more: Partial<AgentOptions> = {}): AgentOptions {
  return {
    ...{ dataDir, bus: openEmbeddedBus(), clock: systemClock, ids: systemIds, log: silentLog, home: HOME },
    engines: [new SimulatedEngine()],
    onBug: (error) => {
      throw error;
    },
    ...more,
  };
}

async function inFolder(body: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "skerry-agent-" });
  try {
    await body(`${folder}/agent`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("an agent on a real disk runs what its home orders, and has its id for ever", () =>
  inFolder(async (folder) => {
    const engine = new SimulatedEngine();
    engine.behave = (task) => {
      Deno.writeTextFileSync(`${task.folder}/stdout`, "hello\n");
      return { kind: "exited", exitCode: 0 };
    };
    const options = optionsOf(folder, { engines: [engine] });
    const agent = await startAgent(options);
    const done = Promise.withResolvers<void>();
    const ids = systemIds;
    const home: SimulatedHome = new SimulatedHome({
      ...{ bus: options.bus, clock: systemClock, ids, agent: agent.peer },
      nudge: () => stage.nudge(),
    });
    const tick = () => {
      const isMore = home.sync.tick();
      if (home.phaseOf("e-1") === "completed" && home.facts.length > 0) done.resolve();
      return isMore;
    };
    const stage = supervise({ name: "home", tick }, { log: silentLog, onBug: options.onBug });
    home.open();
    const task = aTask({ resultPaths: [{ name: "outputs", path: "/outputs" }] });
    home.order(anOrder("e-1", { task: { ...task, resources: { ...task.resources, cpuMillis: 100 } } }));
    await done.promise;
    assert.equal(home.reportOf("e-1")?.output?.stdout, "hello\n");
    assert.equal(home.facts[0]?.id, agent.nodeId);
    assert.deepEqual(home.facts[0]?.inputs, ["inline", "local", "localDirectory"]);
    assert.ok((await Deno.stat(`${folder}/executions/e-1/outputs`)).isDirectory);
    assert.ok((await Deno.stat(`${folder}/reserve`)).size > 0);
    await stage.close();
    await agent.close();
    home.close();
    const again = await startAgent(optionsOf(folder));
    assert.equal(again.nodeId, agent.nodeId);
    await again.close();
  }));

Deno.test("an engine that is not available is told as absent, with its reason", () =>
  inFolder(async (folder) => {
    const engine = new SimulatedEngine();
    engine.probe = () =>
      Promise.resolve({ isAvailable: false, reason: "no socket", hint: "Start it" }) as never;
    const agent = await startAgent(optionsOf(folder, { engines: [engine] }));
    assert.deepEqual([agent.facts().engines, agent.facts().absent], [[], { wasm: "no socket" }]);
    await agent.close();
  }));

Deno.test("an engine that fails to say what it offers is asked again, and the agent lives on", () =>
  inFolder(async (folder) => {
    const engine = new SimulatedEngine();
    const available = await engine.probe();
    const away = { isAvailable: false, isAway: true, reason: "no answer", hint: "Start it" } as const;
    const answers = [away, away, new Error("it cannot say")];
    engine.probe = () => {
      const answer = answers.shift() ?? available;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
    };
    const agent = await startAgent(optionsOf(folder, { engines: [engine] }));
    assert.deepEqual(agent.facts().engines, []);
    await waitUntil("it is offered", () => agent.facts().engines.length > 0);
    await agent.close();
  }));

Deno.test("a data folder that is in use, or another node's, is refused with what to do", () =>
  inFolder(async (folder) => {
    const agent = await startAgent(optionsOf(folder, { nodeId: "n-1" as NodeId }));
    await assert.rejects(startAgent(optionsOf(folder)), { code: "in_use" });
    await agent.close();
    await assert.rejects(startAgent(optionsOf(folder, { nodeId: "n-2" as NodeId })), { code: "store" });
    assert.throws(() => checkAgentStore(folder, "n-2" as NodeId), { code: "store" });
    checkAgentStore(folder, "n-1" as NodeId);
    await (await startAgent(optionsOf(folder))).close();
  }));
