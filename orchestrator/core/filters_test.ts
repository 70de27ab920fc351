import assert from "node:assert/strict";
import { aNode, aSpec, aTask, aView, someResources } from "../../tests/support/builders.ts";
import type { JobSpec } from "../../shared/model/job.ts";
import { FILTERS, needOf, rejection } from "./filters.ts";
import type { NodeView } from "./node.ts";

const refusedBy = (spec: JobSpec, view: NodeView) => {
  const no = rejection(needOf(spec), view);
  return no && { name: no.filter.name, reason: no.reason };
};
const gib = 1024 ** 3;

/** One row for each filter: what makes it reject, and the words. */
const CASES: readonly { filter: string; spec?: JobSpec; view?: NodeView; reason: string }[] = [
  {
    filter: "membership",
    view: { ...aView(), node: aNode({}, { membership: "pending" }) },
    reason: "is not approved (pending)",
  },
  { filter: "engine", view: aView({ engines: [] }), reason: "does not support wasm" },
  {
    filter: "platform",
    spec: aSpec({
      task: aTask({ engine: { type: "docker", params: { image: "a", platform: "Linux/aarch64/v8" } } }),
    }),
    view: aView({ engines: ["docker"], platforms: ["linux/amd64"] }),
    reason: "runs containers of linux/amd64, the job's image is for linux/arm64",
  },
  {
    filter: "network",
    spec: aSpec({
      task: aTask({ engine: { type: "docker", params: {} }, network: { type: "http", domains: ["a.org"] } }),
    }),
    view: aView({
      engines: ["docker"],
      networks: ["none", "bridge"],
      absent: { "network http": "it needs root" },
    }),
    reason: "does not support network http: it needs root",
  },
  {
    filter: "publisher",
    spec: aSpec({ task: aTask({ publisher: { type: "s3", params: {} } }) }),
    reason: "does not support s3",
  },
  {
    filter: "inputs",
    spec: aSpec({
      task: aTask({ inputs: [{ source: { type: "ipfs", params: {} }, alias: "a", target: "/a" }] }),
    }),
    view: aView({ absent: { ipfs: "no IPFS node is configured" } }),
    reason: "does not support ipfs: no IPFS node is configured",
  },
  {
    filter: "constraints",
    spec: aSpec({ constraints: [{ key: "zone", operator: "in", values: ["a", "b"] }] }),
    view: aView({ labels: { zone: "c" } }),
    reason: "labels don't match required selectors zone in (a,b) (zone=c)",
  },
  {
    filter: "size",
    spec: aSpec({ task: aTask({ resources: someResources({ cpuMillis: 8000, memoryBytes: 32 * gib }) }) }),
    reason:
      "job requires more CPU (8) than the maximum available (4), job requires more Memory (32 GiB) than the maximum available (8 GiB)",
  },
  {
    filter: "drain",
    view: { ...aView(), node: aNode({}, { drain: { kind: "drain", sinceAtMs: 1, reason: "new kernel" } }) },
    reason: "is being drained (new kernel)",
  },
  {
    filter: "connection",
    view: { ...aView(), node: aNode({}, { connection: "disconnected" }) },
    reason: "is not connected",
  },
  {
    filter: "engine_away",
    view: aView({ absent: { wasm: "it is being restarted" } }),
    reason: "cannot use its engine wasm at the moment: it is being restarted",
  },
  {
    filter: "ports",
    spec: aSpec({
      task: aTask({
        network: { type: "host", domains: [], ports: [{ name: "a", hostPort: 8080 }, { name: "b" }] },
      }),
    }),
    view: { ...aView(), hostPorts: [9000, 8080] },
    reason: "has its port 8080 in use by another execution",
  },
  {
    filter: "admission",
    view: {
      ...aView(),
      node: aNode({}, {
        load: {
          allocated: someResources(),
          queued: someResources(),
          runningCount: 0,
          queuedCount: 0,
          refuses: "disk is full",
        },
      }),
    },
    reason: "disk is full",
  },
];

for (const { filter, spec, view, reason } of CASES) {
  Deno.test(`the ${filter} filter says why a node does not fit`, () => {
    assert.deepEqual(refusedBy(spec ?? aSpec(), view ?? aView()), { name: filter, reason });
  });
}

Deno.test("every filter has a case here", () => {
  assert.deepEqual(CASES.map(({ filter }) => filter), FILTERS.map(({ name }) => name));
});

Deno.test("a wish never rejects a node", () => {
  const spec = aSpec({ constraints: [{ key: "favour_zone", operator: "=", values: ["a"] }] });
  assert.equal(refusedBy(spec, aView()), undefined);
});

Deno.test("networks matter to containers only, and where it is known which there are", () => {
  const host = { type: "full" as const, domains: [] };
  const docker = aSpec({ task: aTask({ engine: { type: "docker", params: {} }, network: host }) });
  assert.equal(refusedBy(docker, aView({ engines: ["docker"] })), undefined);
  assert.equal(refusedBy(docker, aView({ engines: ["docker"], networks: ["host"] })), undefined);
  const own = aSpec({ task: aTask({ engine: docker.task.engine, network: { ...host, type: "default" } }) });
  assert.equal(refusedBy(own, aView({ engines: ["docker"], networks: [] })), undefined);
  assert.equal(
    refusedBy(aSpec({ task: aTask({ network: host }) }), aView({ networks: ["none"] })),
    undefined,
  );
});

Deno.test("a job that publishes nothing needs no publisher", () => {
  for (const type of ["noop", "none"]) {
    const spec = aSpec({ task: aTask({ publisher: { type, params: {} } }) });
    assert.equal(refusedBy(spec, aView({ publishers: [] })), undefined);
  }
});

Deno.test("a platform that is not known, or cannot be read, is left to the node", () => {
  const container = (params: Record<string, unknown>) =>
    aSpec({ task: aTask({ engine: { type: "docker", params: { Image: "a", ...params } } }) });
  const node = { engines: ["docker"], platforms: ["linux/amd64"] };
  assert.equal(refusedBy(container({}), aView(node)), undefined);
  assert.equal(refusedBy(container({ Platform: "arm64" }), aView(node)), undefined);
  assert.equal(refusedBy(container({ Platform: 64 }), aView(node)), undefined);
  assert.equal(refusedBy(container({ Platform: "linux/arm64" }), aView({ engines: ["docker"] })), undefined);
});

Deno.test("a node whose GPUs cannot be had says why", () => {
  const spec = aSpec({ task: aTask({ resources: someResources({ gpuCount: 1 }) }) });
  assert.equal(
    refusedBy(spec, aView({ absent: { GPU: "no toolkit" } }))?.reason,
    "job requires more GPU (1) than the maximum available (0): no toolkit",
  );
});
