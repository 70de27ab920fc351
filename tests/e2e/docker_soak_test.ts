/**
 * kill -9 of the agent, of dockerd and of containers at random points of running jobs: nothing acknowledged is lost, no
 * result is accepted twice, no output is cut, no container is left over. `SKERRY_ROUNDS` sets how often.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { seededRandom } from "../../shared/random.ts";
import { checkJob, submitSome } from "../support/acknowledged.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { startNodeProcess } from "../support/node_process.ts";
import { waitUntil } from "../support/wait_until.ts";

const ROUNDS = Number(Deno.env.get("SKERRY_ROUNDS") ?? 6);
const SEED = Number(Deno.env.get("SKERRY_KILL_SEED") ?? Date.now() % 1_000_000);

function jobOf(count: number) {
  return {
    Type: "batch",
    Count: count,
    Retry: { LostAttempts: 100 },
    Tasks: [{
      Name: "main",
      Engine: {
        Type: "docker",
        Params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", "echo begin; usleep 150000; echo end"] },
      },
      Resources: { CPU: "400m", Memory: "32Mb" },
    }],
  };
}

const Listed = z.array(z.object({ Id: z.string(), State: z.string() }));

for (const isLiveRestored of [false, true]) {
  const how = isLiveRestored ? "with live-restore" : "without live-restore";
  Deno.test(`${ROUNDS} rounds of kill -9 of agent, dockerd (${how}) and containers lose nothing`, async () => {
    console.log(`seed ${SEED}: SKERRY_ROUNDS=${ROUNDS} SKERRY_KILL_SEED=${SEED} deno task soak`);
    const random = seededRandom(SEED);
    await using daemon = await DockerDaemon.start({ isLiveRestored });
    const client = daemon.client();
    const list = () => client.get("/containers/json", Listed, { query: { all: true } });
    const dataDir = await Deno.makeTempDir({ prefix: "skerry-soak-" });
    const flags = ["--cpu", "4", "--log-level", "error", "--docker-socket", daemon.socketPath];
    const acknowledged = new Map<string, number>();
    const done = { agent: 0, daemon: 0, containers: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const node = await startNodeProcess({ dataDir, flags });
      const submitting = submitSome(node, { jobOf, random, acknowledged });
      await new Promise((resolve) => setTimeout(resolve, random() * 800));
      // By turns, so that few rounds have them all.
      if (round % 3 === 1) {
        done.daemon++;
        await daemon[random() < 0.7 ? "kill" : "stop"]();
        await daemon.begin();
      } else if (round % 3 === 2) {
        for (const { Id, State } of await list()) {
          if (State !== "running" || random() < 0.5) continue;
          done.containers++;
          // It may have ended meanwhile.
          await client.call("POST", `/containers/${Id}/kill`).catch(() => {});
        }
      }
      await node.end("SIGKILL");
      done.agent++;
      await submitting;
    }
    await using node = await startNodeProcess({ dataDir, flags });
    let partitions = 0;
    for (const [id, count] of acknowledged) {
      partitions += count;
      await checkJob(node, { id, count });
    }
    await waitUntil("no container is left", async () => (await list()).length === 0, { deadlineMs: 60_000 });
    console.log(`${acknowledged.size} jobs, ${partitions} partitions, killed: ${JSON.stringify(done)}`);
    assert.ok(done.daemon > 0 || ROUNDS < 2);
    await node.end("SIGTERM");
    client.close();
    await Deno.remove(dataDir, { recursive: true });
  });
}
