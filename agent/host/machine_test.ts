import assert from "node:assert/strict";
import { openMachine } from "./machine.ts";

Deno.test("the machine says what it is and has", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-machine-" });
  const { os, arch, hostname, total, diskFreeBytes } = openMachine(folder);
  assert.equal(os, Deno.build.os);
  assert.ok(["amd64", "arm64"].includes(arch));
  assert.ok(hostname.length > 0);
  for (const amount of [total.cpuMillis, total.memoryBytes, total.diskBytes]) {
    assert.ok(Number.isSafeInteger(amount) && amount > 0);
  }
  assert.ok(diskFreeBytes() > 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the reserve is kept once, given up, and taken again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-machine-" });
  const machine = openMachine(folder);
  const size = () => [...Deno.readDirSync(folder)].length === 0 ? 0 : Deno.statSync(`${folder}/reserve`).size;
  machine.keepReserve();
  machine.keepReserve();
  assert.ok(size() > 0);
  machine.releaseReserve();
  machine.releaseReserve();
  assert.equal(size(), 0);
  machine.keepReserve();
  assert.ok(size() > 0);
  await Deno.remove(folder, { recursive: true });
});
