import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { aTask, someFacts } from "../../tests/support/builders.ts";
import { aHome, NODE } from "../../tests/support/home_fixture.ts";

const task = aTask({
  network: { type: "host", domains: [], ports: [{ name: "web", hostPort: 8080 }, { name: "b" }] },
});

Deno.test("a job whose port is in use waits, says so, and starts as soon as the port is free", async () => {
  const { submit, store, report, plan, explain } = await aHome({ task });
  assert.deepEqual(store.projection.find(NODE)!.hostPorts, [8080]);
  const other = await submit({ name: "other", task });
  const portOf = (refusal: unknown) =>
    JSON.stringify(refusal).includes("has its port 8080 in use by another execution");
  assert.ok(portOf(store.jobs.find(other)!.job.message));
  assert.ok(portOf(await explain({ limit: 10 }, other)));
  report("running");
  assert.deepEqual(plan(), []);
  report("completed");
  assert.deepEqual(plan().map(({ desired }) => desired), ["run"]);
  assert.deepEqual(store.projection.find(NODE)!.hostPorts, [8080]);
});

Deno.test("partitions with a named port go to a node each; after a restart it is known who has which", async () => {
  const facts = someFacts({ id: NODE });
  const { submit, join, store } = await aHome({}, facts);
  const second = "n-1" as NodeId;
  join({ ...facts, id: second });
  const jobId = await submit({ name: "wide", task, count: 3 });
  const row = store.jobs.find(jobId)!.row;
  const nodes = store.executions.someOf(row, { jobVersion: 1, limit: 10 }).live.map(({ nodeId }) => nodeId);
  assert.deepEqual(nodes.sort(), [NODE, second]);
  const portsOf = () => store.projection.nodes.map(({ hostPorts }) => hostPorts);
  assert.deepEqual(portsOf(), [[8080], [8080]]);
  store.projection.rebuild(store.projection.nodes.map(({ node }) => node), store.loads.placed());
  assert.deepEqual(portsOf(), [[8080], [8080]]);
});
