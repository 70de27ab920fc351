/** A damaged record of a node: the home starts, and asks the node again what it is. */
import assert from "node:assert/strict";
import type { NodeId } from "../../shared/model/ids.ts";
import { someFacts } from "../support/builders.ts";
import { Checks } from "./checks.ts";
import { Dice } from "./dice.ts";
import { Network } from "./network.ts";
import { SimHome } from "./sim_home.ts";
import { SimNode } from "./sim_node.ts";
import { Timeline } from "./timeline.ts";

Deno.test("a node whose record cannot be read says again what it is", async () => {
  const timeline = new Timeline();
  const dice = new Dice(1);
  const nodes: SimNode[] = [];
  const checks = new Checks({ timeline, nodes: () => nodes });
  const network = new Network({ timeline, dice: dice.fork() });
  const shared = { timeline, network, checks, bug: undefined };
  const home = new SimHome({ ...shared, dice: dice.fork() });
  const node = new SimNode({ ...shared, dice: dice.fork(), facts: someFacts() });
  const known = () => home.program!.store.projection.find("n-0" as NodeId);
  const until = async (atMs: number) => {
    while (await timeline.step(atMs));
  };
  home.start();
  node.start();
  await until(20_000);
  assert.ok(known() !== undefined);
  home.crash();
  await until(21_000);
  const { committed } = home.disk;
  committed.transaction(() => committed.run("UPDATE nodes SET body = 'x' || body"));
  home.start();
  await until(21_001);
  assert.equal(known(), undefined);
  await until(60_000);
  assert.deepEqual(known()?.node.facts, node.facts);
  assert.equal(checks.violation, undefined);
  home.crash();
  node.crash({ isPowerOff: false });
  await until(60_001);
  home.disk.close();
  node.disk.close();
});
