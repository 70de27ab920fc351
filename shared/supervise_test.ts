import assert from "node:assert/strict";
import { InvariantError } from "./invariant.ts";
import { openLog, silentLog } from "./log.ts";
import { supervise } from "./supervise.ts";

Deno.test("a stage ticks at the start, again while more waits, and then only when nudged", async () => {
  let ticks = 0;
  const quiet = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  const stage = supervise({
    name: "counting",
    tick() {
      ticks++;
      if (ticks === 3) quiet.resolve();
      if (ticks === 4) again.resolve();
      return ticks < 3;
    },
  }, { log: silentLog, onBug: (error) => assert.fail(String(error)) });
  await quiet.promise;
  stage.nudge();
  stage.nudge();
  await again.promise;
  await stage.close();
  stage.nudge();
  assert.equal(ticks, 4);
});

Deno.test("a failed tick is logged and tried again, and a bug ends the process", async () => {
  const lines: string[] = [];
  const log = openLog({
    level: "info",
    format: "text",
    sink: { write: (line) => lines.push(line) },
    wallMs: () => 0,
  });
  const bug = Promise.withResolvers<unknown>();
  let ticks = 0;
  const stage = supervise({
    name: "failing",
    tick() {
      if (++ticks === 1) throw new Error("the disk is full");
      throw new InvariantError("two and two is five");
    },
  }, { log, onBug: bug.resolve });
  assert.match(String(await bug.promise), /two and two is five/);
  await stage.close();
  assert.match(lines[0]!, /Stage "failing" failed and is tried again.*the disk is full/);
});

Deno.test("closing waits for the tick under way", async () => {
  const inside = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let isDone = false;
  const stage = supervise({
    name: "slow",
    async tick() {
      inside.resolve();
      await goOn.promise;
      isDone = true;
      return true;
    },
  }, { log: silentLog, onBug: (error) => assert.fail(String(error)) });
  await inside.promise;
  const closed = stage.close();
  goOn.resolve();
  await closed;
  assert.ok(isDone);
});
