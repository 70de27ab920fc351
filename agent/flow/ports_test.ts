import assert from "node:assert/strict";
import { anAgent, anOrder, aTask } from "../../tests/support/agent_fixture.ts";
import type { PortWish } from "../../shared/model/port.ts";

const anOrderWith = (id: string, ...ports: PortWish[]) =>
  anOrder(id, { task: aTask({ network: { type: "bridge", domains: [], ports } }) });

Deno.test("two that need the same port are not on the node at the same time, over restarts of the agent", async () => {
  const path = await Deno.makeTempFile();
  const agent = await anAgent({ path });
  agent.home.order(anOrderWith("e-1", { name: "web", hostPort: 8080, targetPort: 80 }));
  await agent.pass(20);
  assert.deepEqual(agent.home.reportOf("e-1")?.ports, [
    { name: "web", hostPort: 8080, targetPort: 80, hostAddress: "127.0.0.1" },
  ]);
  await agent.restart({ isKilled: true });
  agent.home.order(anOrderWith("e-2", { name: "web", hostPort: 8080 }));
  await agent.settle();
  assert.equal(agent.home.reportOf("e-2")?.code, "refused");
  assert.match(agent.home.reportOf("e-2")?.message ?? "", /port 8080 .* execution e-1/);
  agent.engine.end("e-1");
  await agent.settle();
  agent.home.order(anOrderWith("e-3", { name: "web", hostPort: 8080 }));
  await agent.pass(20);
  assert.equal(agent.home.phaseOf("e-3"), "running");
  await agent.close();
  await Deno.remove(path);
});

Deno.test("ports are given when the task is accepted; what another program has is not given", async () => {
  const path = await Deno.makeTempFile();
  const agent = await anAgent({ path });
  agent.home.order(anOrderWith("e-1", { name: "a" }), anOrderWith("e-2", { name: "a" }));
  await agent.pass(20);
  const portsOf = (id: string) => agent.home.reportOf(id)?.ports?.map(({ hostPort }) => hostPort);
  assert.deepEqual([portsOf("e-1"), portsOf("e-2")], [[20_000], [20_001]]);
  const [first] = agent.engine.started;
  assert.equal(first?.env.BACALHAU_HOST_PORT_a, "20000");
  assert.equal(first?.env.SKERRY_PORT_a, "20000");
  await agent.restart({ isKilled: true });
  agent.machine.takenPorts.add(20_002);
  agent.home.order(anOrderWith("e-3", { name: "a", hostPort: 20_002 }), anOrderWith("e-4", { name: "a" }));
  await agent.pass(20);
  assert.match(agent.home.reportOf("e-3")?.message ?? "", /20002 .* another program/);
  assert.deepEqual(portsOf("e-4"), [20_003]);
  await agent.close();
  await Deno.remove(path);
});
