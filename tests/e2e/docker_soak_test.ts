/**
 * kill -9 of the agent, of dockerd and of containers, and full disks, at random points of running jobs: nothing acknowledged is
 * lost, no result is accepted twice, no output is cut, nothing runs twice at a time, services and daemons come back, no
 * container is left over. `SKERRY_ROUNDS` sets how often; `deno task soak` keeps a report.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { seededRandom } from "../../shared/random.ts";
import { checkJob, submitJob, submitSome } from "../support/acknowledged.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { type NodeProcess, startNodeProcess } from "../support/node_process.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { soak } from "../support/soak_report.ts";
import { TwiceWatch } from "../support/twice_watch.ts";
import { waitUntil } from "../support/wait_until.ts";

const ROUNDS = Number(Deno.env.get("SKERRY_ROUNDS") ?? 8);
const SEED = Number(Deno.env.get("SKERRY_KILL_SEED") ?? Date.now() % 1_000_000);
const DISK_BYTES = LIMITS.diskReserveBytes + 512 * 1024 * 1024;

function jobOf(script: string, changes: Record<string, unknown> = {}) {
  return {
    Type: "batch",
    Retry: { LostAttempts: 100, MaxDelay: "2s" },
    ...changes,
    Tasks: [{
      Name: "main",
      Engine: { Type: "docker", Params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", script] } },
      Resources: { CPU: "400m", Memory: "32Mb" },
    }],
  };
}

/** Jobs without an end, and how many of each must run. */
const ENDLESS = [{ name: "the-service", type: "service", count: 2 }, {
  name: "the-daemon",
  type: "daemon",
  count: 1,
}];

const Listed = z.array(
  z.object({ Id: z.string(), State: z.string(), Labels: z.record(z.string(), z.string()) }),
);
interface Execution {
  readonly ID: string;
  readonly PartitionIndex?: number;
  readonly ComputeState: { readonly Details: { readonly Phase: string } };
}

for (const isLiveRestored of [false, true]) {
  const how = isLiveRestored ? "with live-restore" : "without live-restore";
  Deno.test(`${ROUNDS} rounds of kill -9 and full disks, dockerd ${how}, lose nothing`, async (t) => {
    console.log(`seed ${SEED}: SKERRY_ROUNDS=${ROUNDS} SKERRY_KILL_SEED=${SEED} deno task soak`);
    const random = seededRandom(SEED);
    await using disk = await mountSmallDisk(t.name, { sizeBytes: DISK_BYTES });
    if (disk === undefined) return;
    await using daemon = await DockerDaemon.start({ isLiveRestored, folderIn: disk.path });
    const client = daemon.client();
    const list = () => client.get("/containers/json", Listed, { query: { all: true } });
    const dataDir = `${disk.path}/node`;
    const flags = ["--cpu", "4", "--log-level", "error", "--docker-socket", daemon.socketPath];
    using twice = new TwiceWatch();
    const acknowledged = new Map<string, number>();
    const counts = {
      "rounds": 0,
      "kill -9 of the agent": 0,
      "kill -9 of dockerd": 0,
      "orderly restarts of dockerd": 0,
      "kill -9 of containers": 0,
      "disks filled to the last byte": 0,
      "agents started on a full disk": 0,
      "jobs": 0,
      "partitions, each output compared": 0,
      "attempts": 0,
      "service and daemon executions looked at": 0,
      "containers watched": 0,
    };
    /** What the round did, and after how many ms, for who must find out; and in which round a job was submitted. */
    const points: string[] = [];
    const rounds: string[] = [];
    const roundOf = new Map<string, number>();
    const pause = async (maxMs: number) => {
      const ms = Math.round(random() * maxMs);
      points.push(`${ms} ms`);
      await new Promise((resolve) => setTimeout(resolve, ms));
    };
    const start = () => startNodeProcess({ dataDir, flags });
    let node: NodeProcess | undefined;
    const killAgent = async () => {
      await node?.end("SIGKILL");
      counts["kill -9 of the agent"]++;
      points.push("agent killed");
    };

    /** By turns, so that few rounds have them all. */
    const disturb = [
      async () => {},
      async () => {
        const isKilled = random() < 0.7;
        counts[isKilled ? "kill -9 of dockerd" : "orderly restarts of dockerd"]++;
        // As often the agent goes first, and is back before dockerd.
        if (random() < 0.5) await killAgent().then(async () => node = await start());
        await daemon[isKilled ? "kill" : "stop"]();
        points.push(`dockerd ${isKilled ? "killed" : "restarted"}`);
        await daemon.begin();
      },
      async () => {
        for (const { Id, State } of await list()) {
          if (State !== "running" || random() < 0.5) continue;
          points.push("container killed");
          // It may have ended meanwhile.
          await client.call("POST", `/containers/${Id}/kill`).then(
            () => counts["kill -9 of containers"]++,
            () => {},
          );
        }
      },
      async () => {
        const fill = disk.fill();
        counts["disks filled to the last byte"]++;
        points.push("disk full");
        await pause(1500);
        if (random() < 0.5) {
          await killAgent();
          node = await start();
          counts["agents started on a full disk"]++;
          await pause(500);
        }
        await Deno.remove(fill);
      },
    ];

    const executionsOf = async (name: string): Promise<Execution[]> => {
      const answer = await fetch(`${node!.url}/api/v1/orchestrator/jobs/${name}/executions?limit=1000`);
      return (await answer.json()).Items;
    };
    /** At rest each place of the endless jobs has one container, which runs, and what has ended has none that does. */
    const assertEndlessRun = async () => {
      let state = "";
      const isAsItMustBe = async () => {
        const known = await Promise.all(ENDLESS.map(({ name }) => executionsOf(name)));
        const ids = new Set(known.flat().map(({ ID }) => ID));
        const alive = (await list()).filter(({ State }) => State === "running")
          .map(({ Labels }) => Labels["skerry.execution"] ?? "").filter((id) => ids.has(id)).sort();
        const running = known.map((executions) =>
          executions.filter(({ ComputeState }) => ComputeState.Details.Phase === "running")
        );
        const wanted = running.flat().map(({ ID }) => ID).sort();
        state = JSON.stringify({ alive, known });
        const places = running.map((some) => new Set(some.map(({ PartitionIndex }) => PartitionIndex)).size);
        return ENDLESS.every(({ count }, at) => running[at]!.length === count && places[at] === count) &&
          JSON.stringify(alive) === JSON.stringify(wanted);
      };
      await waitUntil("services and daemon run, once each", isAsItMustBe, { deadlineMs: 60_000 })
        .catch((error) => {
          throw new Error(`${error.message}: ${state}\n${node!.log()}`);
        });
      counts["service and daemon executions looked at"] += 3;
    };

    const body = async () => {
      node = await start();
      for (const { name, type, count } of ENDLESS) {
        const Count = type === "service" ? { Count: count } : {};
        const job = jobOf("while :; do usleep 200000; done", { Name: name, Type: type, ...Count });
        // Killed again and again, it would wait for up to a minute before its next start.
        await submitJob(node, { ...job, Retry: undefined, Restart: { MaxDelay: "1s" } });
      }
      for (let round = 0; round < ROUNDS; round++) {
        node = round === 0 ? node : await start();
        await assertEndlessRun();
        const submitting = submitSome(node, {
          jobOf: (Count) => jobOf("echo begin; usleep 150000; echo end", { Count }),
          ...{ random, acknowledged },
        });
        await pause(800);
        await disturb[round % disturb.length]!();
        await killAgent();
        await submitting;
        counts.rounds++;
        rounds.push(`round ${round + 1}: ${points.splice(0).join(", ")}`);
        console.log(rounds[round]);
        for (const id of acknowledged.keys()) if (!roundOf.has(id)) roundOf.set(id, round);
      }
      node = await start();
      await assertEndlessRun();
      const faults: string[] = [];
      for (const [id, count] of acknowledged) {
        try {
          counts.attempts += await checkJob(node, { id, count });
        } catch (error) {
          const history = await (await fetch(`${node.url}/api/v1/orchestrator/jobs/${id}/history`)).text();
          faults.push(`${rounds[roundOf.get(id)!]}: ${error}\n${history}`);
        }
        counts.jobs++;
        counts["partitions, each output compared"] += count;
      }
      assert.deepEqual(faults, []);
      for (const { name } of ENDLESS) {
        await fetch(`${node.url}/api/v1/orchestrator/jobs/${name}`, { method: "DELETE" });
      }
      await waitUntil("no container is left", async () => (await list()).length === 0, {
        deadlineMs: 60_000,
      });
      counts["containers watched"] = twice.seen.size;
      assert.deepEqual(twice.found, [], "places that were taken twice at a time");
    };
    try {
      await soak({ name: `rounds ${how}`, seed: SEED, counts, client }, body);
      await node?.end("SIGTERM");
    } finally {
      await node?.end("SIGKILL");
      client.close();
    }
  });
}
