import assert from "node:assert/strict";
import { LIMITS } from "../../shared/limits.ts";
import { aHome } from "../../tests/support/home_fixture.ts";

/** A node that has been silent for a while, and is known to be. */
async function aSilentNode() {
  const home = await aHome();
  home.report("running");
  home.pass(LIMITS.nodeSilentMs);
  home.lookForSilent();
  assert.equal(home.node().connection, "connected");
  home.pass(1);
  home.lookForSilent();
  assert.equal(home.node().connection, "disconnected");
  return home;
}

Deno.test("a node that stays silent is given up with all that it holds", async () => {
  const home = await aSilentNode();
  home.pass(LIMITS.nodeLostMs - 1);
  assert.equal(home.phase(), "running");
  home.pass(1);
  assert.deepEqual([home.phase(), home.node().isGivenUp], ["lost", true]);
  home.hello();
  assert.deepEqual([home.node().connection, home.node().isGivenUp], ["connected", undefined]);
});

Deno.test("a node that is back in time is not given up later for having been away", async () => {
  const home = await aSilentNode();
  home.pass(LIMITS.nodeLostMs - 1);
  home.hello();
  home.pass(LIMITS.nodeLostMs);
  assert.deepEqual([home.phase(), home.node().isGivenUp], ["running", undefined]);
  home.lookForSilent();
  home.pass(LIMITS.nodeLostMs - 1);
  assert.equal(home.phase(), "running", "its next silence counts from its own begin");
  home.pass(1);
  assert.equal(home.phase(), "lost");
});

Deno.test("what waits for a node that is away is placed there as soon as it is back", async () => {
  const home = await aSilentNode();
  const id = await home.submit({});
  assert.match(home.store.jobs.find(id)!.job.message!, /is not connected/);
  home.hello();
  assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"]);
});

Deno.test("what waits for a node that refuses, or holds its room for others, is placed there as soon as it does not", async () => {
  const home = await aHome();
  const { cpuMillis, memoryBytes, diskBytes, gpuCount } = home.node().facts.capacity;
  const full = { cpuMillis, memoryBytes, diskBytes, gpuCount };
  for (const load of [{ refuses: "its disk is full" }, { heldForOthers: full }]) {
    home.hello(load);
    await home.submit({});
    assert.deepEqual(home.plan(), []);
    home.hello();
    assert.deepEqual(home.plan().map(({ desired }) => desired), ["run"], Object.keys(load)[0]);
  }
});
