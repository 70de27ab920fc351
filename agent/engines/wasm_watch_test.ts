import { deepStrictEqual as assertEquals } from "node:assert";
import { ChildState } from "./wasm_watch.ts";

Deno.test("one of two threads settles a run, and neither settles a later one by mistake", () => {
  const runner = new ChildState();
  const watcher = new ChildState(runner.buffer);
  assertEquals(watcher.current(), undefined);
  const first = runner.enter({ run: 0, executionId: "e-1", folder: "/a/longer/folder" }, 5);
  assertEquals(watcher.current(), { run: first, memoryBytes: 5 });
  assertEquals(runner.settle(first), true);
  assertEquals(watcher.current(), undefined);
  assertEquals(watcher.settle(first), false);
  runner.leave();
  const second = runner.enter({ run: 0, executionId: "e-2", folder: "/b" }, 6);
  assertEquals(watcher.settle(first), false);
  assertEquals(watcher.settle(second), true);
  assertEquals(watcher.settled(), { run: 0, executionId: "e-2", folder: "/b" });
  assertEquals(runner.settle(second), false);
});
