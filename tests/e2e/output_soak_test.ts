/**
 * Many short containers that print right before they exit, while the agent is killed and restarted now and then: all of them
 * keep their stdout and stderr whole. `SKERRY_OUTPUTS` sets how many; `deno task soak` keeps a report.
 */
import assert from "node:assert/strict";
import { seededRandom } from "../../shared/random.ts";
import { submitJob } from "../support/acknowledged.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { type NodeProcess, skerry, startNodeProcess } from "../support/node_process.ts";
import { soak } from "../support/soak_report.ts";

const OUTPUTS = Number(Deno.env.get("SKERRY_OUTPUTS") ?? 96);
const SEED = Number(Deno.env.get("SKERRY_KILL_SEED") ?? Date.now() % 1_000_000);
/** Of one job. */
const PARTITIONS_MAX = 250;
/** An agent lives so long at least, and twice that at most. */
const AGENT_LIVES_MS = OUTPUTS > 1000 ? 8_000 : 1_500;

/** Lines, one long line, lines without an end, or nothing; then its last words on both streams. */
const SCRIPT = `
  i=$SKERRY_PARTITION_INDEX n=$(( (i * 7919 + 13) % 1500 + 1 ))
  case $((i % 4)) in
    0) seq 1 $n; seq 1 $((n / 2)) >&2 ;;
    1) seq -s ' ' 1 $((n * 4)); seq -s , 1 $n >&2 ;;
    2) seq 1 $n; seq 1 3 >&2; printf 'no end %s' $i; exit ;;
    3) exit ;;
  esac
  echo "out $i"; echo "err $i" >&2`;

/** What the partition prints. */
function expected(i: number): { stdout: string; stderr: string } {
  const n = (i * 7919 + 13) % 1500 + 1;
  const lines = (to: number) => Array.from({ length: to }, (_, at) => `${at + 1}\n`).join("");
  const joined = (to: number, by: string) => Array.from({ length: to }, (_, at) => at + 1).join(by) + "\n";
  switch (i % 4) {
    case 0:
      return { stdout: `${lines(n)}out ${i}\n`, stderr: `${lines(Math.floor(n / 2))}err ${i}\n` };
    case 1:
      return { stdout: `${joined(n * 4, " ")}out ${i}\n`, stderr: `${joined(n, ",")}err ${i}\n` };
    case 2:
      return { stdout: `${lines(n)}no end ${i}`, stderr: lines(3) };
    default:
      return { stdout: "", stderr: "" };
  }
}

Deno.test(`${OUTPUTS} of ${OUTPUTS} short containers keep their output whole`, async () => {
  console.log(`seed ${SEED}: SKERRY_OUTPUTS=${OUTPUTS} SKERRY_KILL_SEED=${SEED} deno task soak`);
  const random = seededRandom(SEED);
  await using daemon = await DockerDaemon.start();
  const client = daemon.client();
  const folder = await Deno.makeTempDir({ prefix: "skerry-outputs-" });
  // Eight at a time.
  const flags = ["--cpu", "4", "--log-level", "error", "--docker-socket", daemon.socketPath];
  const counts = {
    "containers": OUTPUTS,
    "outputs compared byte for byte": 0,
    "bytes": 0,
    "kill -9 of the agent": 0,
    "orderly restarts of the agent": 0,
    "attempts beyond the first": 0,
    "seconds for all containers": 0,
  };
  let node: NodeProcess | undefined;
  const start = () => startNodeProcess({ dataDir: `${folder}/data`, flags });

  const body = async () => {
    node = await start();
    const jobs: { id: string; count: number }[] = [];
    const startedAtMs = performance.now();
    for (let left = OUTPUTS; left > 0; left -= PARTITIONS_MAX) {
      const count = Math.min(left, PARTITIONS_MAX);
      const id = await submitJob(node, {
        ...{ Type: "batch", Count: count, Retry: { LostAttempts: 5 } },
        Tasks: [{
          Name: "main",
          Engine: { Type: "docker", Params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", SCRIPT] } },
          Resources: { CPU: "500m", Memory: "32Mb" },
        }],
      });
      jobs.push({ id, count });
    }
    for (const { id } of jobs) {
      while (!await hasEnded(node, id, AGENT_LIVES_MS * (1 + random()))) {
        const isKilled = random() < 0.7;
        counts[isKilled ? "kill -9 of the agent" : "orderly restarts of the agent"]++;
        await node.end(isKilled ? "SIGKILL" : "SIGTERM");
        node = await start();
      }
    }
    counts["seconds for all containers"] = Math.round((performance.now() - startedAtMs) / 1000);
    for (const { id, count } of jobs) {
      const got = `${folder}/${id}`;
      const ran = await skerry(["job", "get", id, "--output-dir", got], { env: { SKERRY_API: node.url } });
      assert.equal(ran.code, 0, ran.stderr);
      for (let at = 0; at < count; at++) {
        const place = count === 1 ? got : `${got}/partition-${at}`;
        for (const [stream, text] of Object.entries(expected(at))) {
          assert.equal(await Deno.readTextFile(`${place}/${stream}`), text, `${stream} of ${id}, ${at}`);
          counts.bytes += text.length;
        }
        counts["outputs compared byte for byte"]++;
      }
      const { Items } =
        await (await fetch(`${node.url}/api/v1/orchestrator/jobs/${id}/executions?limit=1000`)).json();
      counts["attempts beyond the first"] += Items.length - count;
      await Deno.remove(got, { recursive: true });
    }
    assert.equal(counts["outputs compared byte for byte"], OUTPUTS);
  };
  try {
    await soak({ name: "outputs", seed: SEED, counts, client }, body);
    await node?.end("SIGTERM");
  } finally {
    await node?.end("SIGKILL");
    client.close();
    await Deno.remove(folder, { recursive: true });
  }
});

/** Whether it has ended well within the time. */
async function hasEnded(node: NodeProcess, id: string, withinMs: number): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  const url = `${node.url}/api/v1/orchestrator/jobs/${id}?wait=terminal&wait_ms=`;
  for (let leftMs = withinMs; leftMs > 0; leftMs = untilMs - performance.now()) {
    const { Job: { State } } = await (await fetch(url + Math.ceil(Math.min(leftMs, 5_000)))).json();
    if (State.StateType === "Completed") return true;
    assert.ok(!["Failed", "Stopped"].includes(State.StateType), JSON.stringify(State));
  }
  return false;
}
