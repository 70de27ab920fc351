import assert from "node:assert/strict";
import { freeBytes, openDiskGuard } from "./disk.ts";

Deno.test("the guard refuses below the reserve, says how much is free, and looks at most once a second", () => {
  let uptimeMs = 0;
  const folder = Deno.makeTempDirSync();
  const free = freeBytes(folder);
  assert.ok(free > 0);
  const guard = openDiskGuard({ folder, uptimeMs: () => uptimeMs, reserveBytes: free * 2 });
  const refusal = guard();
  assert.equal(refusal?.code, "disk_full");
  assert.match(refusal?.message ?? "", /at least \d+ MiB must be free in ".*", currently \d+ MiB are/);
  Deno.removeSync(folder);
  assert.equal(guard(), refusal, "the folder is gone, and nobody has looked");
  uptimeMs = 1000;
  assert.throws(guard);
});

Deno.test("the guard lets work in while there is room", () => {
  assert.equal(openDiskGuard({ folder: "/", uptimeMs: () => 0, reserveBytes: 1 })(), undefined);
});
