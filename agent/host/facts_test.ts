import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { NodeFacts } from "../../shared/model/node.ts";
import { simulatedMachine } from "../../tests/support/agent_fixture.ts";
import { nodeFacts, type NodeSettings } from "./facts.ts";

const OFFERED = { engines: ["wasm"], inputs: ["local", "inline"], publishers: ["local"], absent: {} };
const factsOf = (settings: NodeSettings) =>
  NodeFacts.parse(nodeFacts("n-1" as NodeId, simulatedMachine(), settings, OFFERED));

Deno.test("executions may use four fifths of the machine unless its owner says otherwise", () => {
  assert.equal(factsOf({}).capacity.cpuMillis, 3200);
  assert.equal(factsOf({ capacityRatio: 0.5 }).capacity.cpuMillis, 2000);
  const { capacity } = factsOf({ capacity: { cpuMillis: 100, memoryBytes: undefined } });
  assert.deepEqual([capacity.cpuMillis, capacity.memoryBytes], [100, 3.2e9]);
});

Deno.test("a node is labelled with its system, architecture and name, and as its owner likes", () => {
  assert.deepEqual(factsOf({ labels: { zone: "b" } }).labels, {
    os_type: "linux",
    os_arch: "amd64",
    name: "here",
    zone: "b",
  });
  assert.equal(factsOf({ labels: { name: "boat" } }).labels.name, "boat");
});

Deno.test("the same node says the same", () => {
  assert.deepEqual(factsOf({}).inputs, ["inline", "local"]);
});
