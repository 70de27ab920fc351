import { deepEqual, equal, match } from "node:assert/strict";
import type { JobId } from "../model/ids.ts";
import type { Job } from "../model/job.ts";
import { formatJob, formatSpec, toNanos } from "./format_job.ts";
import { parseJob } from "./parse_job.ts";

const WRITTEN = {
  Name: "etl",
  Namespace: "prod",
  Priority: 5,
  Count: 3,
  Constraints: [{ Key: "zone", Operator: "in", Values: ["a", "b"] }],
  Labels: { team: "x" },
  Meta: { note: "y" },
  Retry: {
    Attempts: 2,
    LostAttempts: 0,
    Delay: "5s",
    MaxDelay: "2m",
    On: [75, "memory_exceeded"],
    Node: "other",
  },
  Restart: { Attempts: 3, Interval: "1h", Delay: "2s", MaxDelay: "30s", Mode: "delay" },
  OnAgentRestart: "fail",
  SuccessExitCodes: [0, 3],
  StopGrace: "1500ms",
  Spread: ["rack"],
  Tasks: [{
    Name: "main",
    Engine: { Type: "wasm", Params: { EntryModule: "/m.wasm", Parameters: ["a"] } },
    InputSources: [{ Source: { Type: "local", Params: { SourcePath: "/data/m.wasm" } }, Target: "/m.wasm" }],
    ResultPaths: [{ Name: "out", Path: "/out" }],
    Env: { MODE: "fast" },
    Resources: { CPU: "1500m", Memory: "1GiB", Disk: "10Gb", GPU: "1" },
    Network: { Type: "HTTP", Domains: ["example.org"] },
    Timeouts: { ExecutionTimeout: 60, QueueTimeout: 30, TotalTimeout: 120 },
  }],
};

Deno.test("formatSpec() writes ports as they were asked for", () => {
  const Ports = [
    { Name: "http", Static: 8080, Target: 80, HostNetwork: "0.0.0.0" },
    { Name: "metrics", Target: 9100 },
    { Name: "any" },
  ];
  const task = { Engine: { Type: "docker", Params: { Image: "a" } }, Network: { Type: "Bridge", Ports } };
  const { spec } = parseJob({ Tasks: [task] });
  deepEqual((formatSpec(spec).Tasks as { Network: unknown }[])[0]!.Network, { Type: "Bridge", Ports });
  deepEqual(parseJob(formatSpec(spec)).spec, spec);
});

Deno.test("formatSpec() writes what parseJob() reads back as the same spec", () => {
  const { spec } = parseJob(WRITTEN);
  deepEqual(parseJob(formatSpec(spec)).spec, spec);
});

Deno.test("formatJob() tells the state in Bacalhau's names and times in exact nanoseconds", () => {
  const job: Job = {
    id: "j-1" as JobId,
    spec: parseJob(WRITTEN).spec,
    version: 1,
    revision: 4,
    phase: "failed",
    code: "program_failed",
    message: "exit code 1",
    hint: "Look at its logs",
    completedCount: 2,
    createdAtMs: 1_732_300_000_123,
    modifiedAtMs: 1_732_300_000_124,
  };
  const wire = formatJob(job);
  deepEqual(wire.State, {
    StateType: "Failed",
    Message: "exit code 1",
    Details: { ErrorCode: "program_failed", Hint: "Look at its logs", CompletedCount: "2" },
  });
  match(JSON.stringify(wire), /"CreateTime":1732300000123000000,"ModifyTime":1732300000124000000/);
});

Deno.test("toNanos() prints exact digits for every ms of two centuries", () => {
  for (let atMs = 1; atMs < 7e12; atMs = atMs * 3 + 1) equal(JSON.stringify(toNanos(atMs)), `${atMs}000000`);
});
