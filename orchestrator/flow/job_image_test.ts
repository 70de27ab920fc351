import assert from "node:assert/strict";
import type { RunOrder } from "../../shared/model/order.ts";
import { aTask, someFacts } from "../../tests/support/builders.ts";
import { aHome } from "../../tests/support/home_fixture.ts";

const CONTAINER = {
  task: aTask({ engine: { type: "docker", params: { Image: "app:1" } } }),
  retry: { attempts: 2, lostAttempts: 2, delayMs: 0 },
};
const FACTS = someFacts({ engines: ["docker"], platforms: ["linux/amd64"] });
const PINNED = { name: "app:1", digest: "app@sha256:0123", id: "sha256:45" };

Deno.test("later attempts of a version run the image that its first one found, the next version looks anew", async () => {
  const { report, plan, store, jobId, executionId, rerun } = await aHome(CONTAINER, FACTS);
  report("running", executionId, { image: PINNED });
  assert.deepEqual(store.executions.find(executionId)!.execution.image, PINNED);
  report("failed", executionId, { code: "program_failed", message: "exit code 1", image: PINNED });
  const [second] = plan() as RunOrder[];
  assert.equal(second?.image, PINNED.digest);
  // Another answer changes nothing: the first word counts.
  report("running", second!.executionId, { image: { ...PINNED, digest: "app@sha256:other" } });
  report("failed", second!.executionId, { code: "program_failed", message: "exit code 1" });
  assert.equal((plan() as RunOrder[])[0]?.image, PINNED.digest);
  assert.equal(store.jobs.find(jobId)!.job.image?.digest, PINNED.digest);
  rerun();
  const anew = (plan() as RunOrder[]).find(({ desired }) => desired === "run");
  assert.deepEqual([anew?.jobVersion, anew?.image], [2, undefined]);
});

Deno.test("an image that no registry knows is recorded, and pins nothing", async () => {
  const { report, plan, store, executionId } = await aHome(CONTAINER, FACTS);
  report("failed", executionId, {
    ...{ code: "program_failed", message: "exit code 1" },
    image: { name: "app:1", id: "sha256:45" },
  });
  assert.equal((plan() as RunOrder[])[0]?.image, undefined);
  assert.equal(store.executions.find(executionId)!.execution.image?.id, "sha256:45");
});

Deno.test("a node's word on the image's platforms keeps other nodes of its own from trying", async () => {
  const { report, plan, store, jobId, executionId, join } = await aHome(CONTAINER, FACTS);
  join({ ...FACTS, id: "n-1" as typeof FACTS.id });
  report("refused", executionId, {
    ...{ code: "platform_mismatch", message: "this node runs containers of linux/amd64" },
    image: { name: "app:1", platforms: ["linux/arm64"] },
  });
  assert.deepEqual(plan(), []);
  const { phase, code, message } = store.jobs.find(jobId)!.job;
  assert.deepEqual([phase, code], ["failed", "not_enough_nodes"]);
  assert.match(
    message!,
    /2 of 2 nodes: runs containers of linux\/amd64, the job's image is for linux\/arm64/,
  );
});
