import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { NodeFacts } from "../../shared/model/node.ts";
import { simulatedMachine } from "../../tests/support/agent_fixture.ts";
import { nodeFacts, type NodeSettings, type Offered } from "./facts.ts";

const OFFERED = { engines: ["wasm"], inputs: ["local", "inline"], publishers: ["local"], absent: {} };
const factsOf = (settings: NodeSettings, offered: Partial<Offered> = {}) =>
  NodeFacts.parse(nodeFacts("n-1" as NodeId, simulatedMachine(), settings, { ...OFFERED, ...offered }));

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

Deno.test("every GPU that containers can be given counts, up to the owner's number", () => {
  const gpus = [0, 1].map((index) => ({
    ...{ index, uuid: `GPU-${index}`, name: "NVIDIA A 100", vendor: "NVIDIA" as const, memoryMib: 40960 },
  }));
  const { capacity, labels, gpus: told } = factsOf({}, { gpus });
  assert.deepEqual([capacity.gpuCount, told], [2, gpus]);
  assert.deepEqual([labels["GPU-1"], labels["GPU-1-Memory"]], ["NVIDIA-A-100", "40960"]);
  assert.equal(factsOf({ capacity: { gpuCount: 1 } }, { gpus }).capacity.gpuCount, 1);
  assert.equal(factsOf({ capacity: { gpuCount: 4 } }, { gpus }).capacity.gpuCount, 2);
  assert.deepEqual([factsOf({ capacity: { gpuCount: 4 } }).capacity.gpuCount, factsOf({}).gpus], [
    0,
    undefined,
  ]);
});
