/** Builders with defaults: each field that a test sets is the one that it is about. */
import type { NodeId } from "../../shared/model/ids.ts";
import type { JobSpec, Task } from "../../shared/model/job.ts";
import type { Node, NodeFacts } from "../../shared/model/node.ts";
import { NO_RESOURCES, type Resources } from "../../shared/model/resources.ts";
import type { Contents } from "../../orchestrator/store/contents.ts";
import type { NodeView } from "../../orchestrator/core/node.ts";

const MIB = 1024 * 1024;

/** 100 millis and 64 MiB unless told. */
export function someResources(change: Partial<Resources> = {}): Resources {
  return { cpuMillis: 100, memoryBytes: 64 * MIB, diskBytes: 0, gpuCount: 0, ...change };
}

/** A wasm task without inputs. */
export function aTask(change: Partial<Task> = {}): Task {
  return {
    name: "main",
    engine: { type: "wasm", params: { EntryModule: "/main.wasm", Parameters: [] } },
    publisher: { type: "local", params: {} },
    env: {},
    meta: {},
    inputs: [],
    resultPaths: [],
    resources: someResources(),
    network: { type: "default", domains: [] },
    timeouts: { executionMs: 0, queueMs: 0, totalMs: 0 },
    ...change,
  };
}

/** A batch job of one partition. */
export function aSpec(change: Partial<JobSpec> = {}): JobSpec {
  return {
    name: "",
    namespace: "default",
    type: "batch",
    priority: 0,
    count: 1,
    constraints: [],
    spread: [],
    meta: {},
    labels: {},
    task: aTask(),
    retry: { attempts: 0, lostAttempts: 2 },
    stopGraceMs: 10_000,
    ...change,
  };
}

/** A node of 4 cores and 8 GiB that offers wasm. */
export function someFacts(change: Partial<NodeFacts> = {}): NodeFacts {
  const capacity = change.capacity ??
    { cpuMillis: 4000, memoryBytes: 8192 * MIB, diskBytes: 102_400 * MIB, gpuCount: 0 };
  return {
    id: "n-0" as NodeId,
    labels: {},
    engines: ["wasm"],
    inputs: ["inline", "local"],
    publishers: ["local", "noop"],
    capacity,
    queueCapacity: NO_RESOURCES,
    version: "0.1.0",
    os: "linux",
    arch: "x86_64",
    absent: {},
    ...change,
  };
}

/** A connected, approved node. */
export function aNode(facts: Partial<NodeFacts> = {}, change: Partial<Node> = {}): Node {
  return {
    facts: someFacts(facts),
    membership: "approved",
    connection: "connected",
    connectedAtMs: 0,
    seenAtMs: 0,
    ...change,
  };
}

/** Contents in memory. */
export function someContents(kept = new Map<string, Uint8Array>()): Contents {
  return {
    put: (digest, bytes) => Promise.resolve(void kept.set(digest, bytes)),
    has: (digest) => Promise.resolve(kept.has(digest)),
    read: (digest, offset) => Promise.resolve((kept.get(digest) ?? new Uint8Array()).subarray(offset)),
    async *list() {
      yield* [...kept.keys()];
    },
    remove: (digest) => Promise.resolve(void kept.delete(digest)),
  };
}

/** A node as placement sees it. */
export function aView(facts: Partial<NodeFacts> = {}, allocated: Resources = NO_RESOURCES): NodeView {
  return { node: aNode(facts), allocated, waitingCount: 0 };
}
