import { deepStrictEqual as assertEquals, rejects } from "node:assert";
import type { Gpu } from "../../shared/model/gpu.ts";
import { deviceRequests, GpuDevices, gpuEnv, gpuWayOf } from "./docker_gpus.ts";

const gpus = (count: number): Gpu[] =>
  Array.from({ length: count }, (_, index) => ({ index, uuid: `GPU-${index}`, name: "A", vendor: "NVIDIA" }));

Deno.test("no device has two executions, and each gets the same ones however often it asks", async () => {
  const devices = new GpuDevices(gpus(3));
  assertEquals(await devices.take("a", 1), ["GPU-0"]);
  assertEquals(await devices.take("b", 2), ["GPU-1", "GPU-2"]);
  assertEquals(await devices.take("a", 1), ["GPU-0"]);
  devices.release("b");
  devices.release("b");
  assertEquals(await devices.take("c", 1), ["GPU-1"]);
});

Deno.test("what an earlier agent has given is taken, and free once it is released", async () => {
  const devices = new GpuDevices(gpus(2));
  devices.hold("old", ["GPU-0"]);
  assertEquals(await devices.take("new", 1), ["GPU-1"]);
  const waiting = devices.take("next", 1);
  const both = Promise.race([waiting, Promise.resolve("waits")]);
  assertEquals(await both, "waits");
  devices.release("old");
  assertEquals(await waiting, ["GPU-0"]);
});

Deno.test("a start that is broken off waits no longer, and has nothing", async () => {
  const devices = new GpuDevices(gpus(1));
  await devices.take("a", 1);
  const abort = new AbortController();
  const waiting = devices.take("b", 1, abort.signal);
  abort.abort(new Error("enough"));
  await rejects(waiting, /enough/);
  devices.release("a");
  assertEquals(await devices.take("c", 1), ["GPU-0"]);
});

Deno.test("a container sees the devices that it was given, and no others, whatever it or its image asks for", () => {
  const env = ["A=1", "NVIDIA_VISIBLE_DEVICES=all", "B=2"];
  assertEquals(gpuEnv(env, []), ["A=1", "B=2", "NVIDIA_VISIBLE_DEVICES=void"]);
  assertEquals(gpuEnv(env, ["GPU-0", "GPU-1"]).at(-1), "NVIDIA_VISIBLE_DEVICES=GPU-0,GPU-1");
  assertEquals(deviceRequests([], "nvidia"), []);
  assertEquals(deviceRequests(["GPU-0"], "nvidia"), [{ DeviceIDs: ["GPU-0"], Capabilities: [["gpu"]] }]);
  assertEquals(deviceRequests(["GPU-0"], "cdi"), [{ Driver: "cdi", DeviceIDs: ["nvidia.com/gpu=GPU-0"] }]);
});

Deno.test("a daemon gives GPUs by its runtime, or by descriptions of devices", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skerry-cdi-" });
  try {
    assertEquals(await gpuWayOf({ runtimes: ["runc", "nvidia"], cdiFolders: [] }), "nvidia");
    assertEquals(await gpuWayOf({ runtimes: ["runc"], cdiFolders: [folder, "/no/such/folder"] }), undefined);
    await Deno.writeTextFile(`${folder}/nvidia.yaml`, "");
    assertEquals(await gpuWayOf({ runtimes: ["runc"], cdiFolders: [folder] }), "cdi");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
