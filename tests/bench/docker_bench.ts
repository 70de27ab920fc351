/** Containers through a whole node, beside a bare loop over the same Docker Engine's API. */
import { z } from "zod";
import type { DockerClient } from "../../agent/engines/docker_client.ts";
import { DEFAULT_CAPABILITIES } from "../../agent/engines/docker_policy.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { startNodeProcess } from "../support/node_process.ts";
import { runMany, runOne } from "./http_load.ts";
import { type Figure, median, percentile } from "./report.ts";

const JOB = JSON.stringify({
  Job: {
    Type: "batch",
    Count: 1,
    Tasks: [{
      Name: "main",
      Engine: { Type: "docker", Params: { Image: BUSYBOX, Parameters: ["true"] } },
      Resources: { CPU: "100m", Memory: "64Mb" },
    }],
  },
});
/** The same container as a job's: what protects it costs the daemon the same. */
const BARE = {
  Image: BUSYBOX,
  Cmd: ["true"],
  NetworkDisabled: true,
  HostConfig: {
    ...{ NetworkMode: "none", IpcMode: "private", CgroupnsMode: "private" },
    ...{ Memory: 64e6, MemorySwap: 64e6, NanoCpus: 1e8, PidsLimit: 1024 },
    ...{ CapDrop: ["ALL"], CapAdd: DEFAULT_CAPABILITIES, SecurityOpt: ["no-new-privileges"] },
  },
};
const Created = z.object({ Id: z.string() });
const Waited = z.object({ StatusCode: z.number() });

/** What has to be done for one container whoever does it; answers the milliseconds up to its end. */
async function runBare(client: DockerClient): Promise<number> {
  const startMs = performance.now();
  const { Id } = await client.post("/containers/create", Created, { body: BARE });
  await client.call("POST", `/containers/${Id}/start`);
  await client.post(`/containers/${Id}/wait`, Waited);
  const ms = performance.now() - startMs;
  await client.call("DELETE", `/containers/${Id}`, { query: { v: true } });
  return ms;
}

async function runManyBare(
  client: DockerClient,
  options: { count: number; inFlight: number },
): Promise<number> {
  let left = options.count;
  const startMs = performance.now();
  await Promise.all(Array.from({ length: options.inFlight }, async () => {
    while (left-- > 0) await runBare(client);
  }));
  return (performance.now() - startMs) / 1000;
}

/** Both by turns, so that what else the machine does meets both. */
export async function benchDocker(options: { executable?: string }): Promise<Figure[]> {
  await using daemon = await DockerDaemon.start();
  const client = daemon.client();
  await using node = await startNodeProcess({
    executable: options.executable,
    flags: ["--docker-socket", daemon.socketPath],
  });
  const [bare, jobs]: [number[], number[]] = [[], []];
  for (let round = -5; round < 100; round++) {
    const [one, other] = [await runBare(client), await runOne(node.url, JOB)];
    if (round >= 0) (bare.push(one), jobs.push(other));
  }
  const rates: { bare: number[]; jobs: number[] } = { bare: [], jobs: [] };
  const load = { count: 80, inFlight: 8 };
  const turns = [
    async () => rates.bare.push(load.count / await runManyBare(client, load)),
    async () => rates.jobs.push(load.count / await runMany(node.url, { ...load, body: JOB })),
  ];
  // Each goes first as often as the other: a machine that gets slower or faster meets both.
  for (let round = 0; round < 10; round++) {
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
  }
  client.close();
  const how = "100 by turns, one at a time, create + start + wait";
  const added = (share: number) => percentile(jobs, share) - percentile(bare, share);
  const many = "8 at a time, median of 10 by turns";
  return [
    { name: "container, bare API, p50", value: median(bare), unit: "ms", how },
    { name: "container as a job, p50", value: median(jobs), unit: "ms", how: "submit → completed" },
    { name: "what Skerry adds, p50", value: added(0.5), unit: "ms", how: "difference of the p50" },
    {
      name: "what Skerry adds, p99",
      value: added(0.99),
      unit: "ms",
      aim: "≤ 50",
      how: "difference of the p99",
    },
    { name: "containers, bare API", value: median(rates.bare), unit: "containers/s", how: many },
    { name: "containers as jobs", value: median(rates.jobs), unit: "jobs/s", how: many },
    {
      name: "containers as jobs ÷ bare API",
      value: median(rates.jobs.map((rate, at) => rate / rates.bare[at]!)),
      unit: "×",
      aim: "≥ 0.9",
      how: many,
    },
  ];
}
