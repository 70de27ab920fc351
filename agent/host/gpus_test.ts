import { deepStrictEqual as assertEquals, match as assertMatch } from "node:assert";
import type { Gpu } from "../../shared/model/gpu.ts";
import { choose, findGpus, NO_GPUS, parseGpus } from "./gpus.ts";

const CSV = `1, GPU-bbbb-2, NVIDIA GeForce RTX 4090, 24564, 00000000:0F:00.0
0, GPU-aaaa-1, NVIDIA GB10, [N/A], 0000000F:01:00.0
a line that a driver might print
`;
const [FIRST, SECOND]: [Gpu, Gpu] = [
  { index: 0, uuid: "GPU-aaaa-1", name: "NVIDIA GB10", vendor: "NVIDIA", pciAddress: "0000000F:01:00.0" },
  {
    ...{
      index: 1,
      uuid: "GPU-bbbb-2",
      name: "NVIDIA GeForce RTX 4090",
      vendor: "NVIDIA" as const,
      memoryMib: 24564,
    },
    pciAddress: "00000000:0F:00.0",
  },
];

/** A program in place of the driver's. */
async function withProgram(script: string, body: (program: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-gpus-" });
  try {
    await Deno.writeTextFile(`${folder}/nvidia-smi`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await body(`${folder}/nvidia-smi`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("devices are read by index, whatever else is printed", () => {
  assertEquals(parseGpus(CSV), [FIRST, SECOND]);
  assertEquals(parseGpus(""), []);
});

Deno.test("the owner says which devices jobs may have, and hears of those that are not there", () => {
  const by = (...devices: string[]) => {
    const { gpus, unknown } = choose([FIRST, SECOND], devices);
    return [gpus.map(({ index }) => index), unknown];
  };
  assertEquals(by(), [[0, 1], []]);
  assertEquals(by("1"), [[1], []]);
  assertEquals(by("GPU-aaaa-1", "7"), [[0], ["7"]]);
  assertEquals(by("!0"), [[1], []]);
  assertEquals(by("0", "1", "!GPU-bbbb-2", "!9"), [[0], ["9"]]);
});

Deno.test("a machine without a driver has no GPUs, and nothing is wrong with that", async () => {
  assertEquals(await findGpus({ devices: [], program: "no-such-program-here" }), NO_GPUS);
  assertEquals(await findGpus({ devices: ["0"], program: "no-such-program-here" }), {
    gpus: [],
    unknown: ["0"],
  });
});

Deno.test("the driver is asked once, with its answer or the reason why there is none", async () => {
  await withProgram(`cat <<'X'\n${CSV}X`, async (program) => {
    assertEquals((await findGpus({ devices: ["!1"], program })).gpus, [FIRST]);
    assertEquals(await findGpus({ devices: ["none"], program }), NO_GPUS);
  });
  await withProgram("echo No devices were found; exit 6", async (program) => {
    assertEquals(await findGpus({ devices: [], program }), NO_GPUS);
  });
  await withProgram(
    "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
    async (program) => {
      assertMatch((await findGpus({ devices: [], program })).reason!, /failed: Failed to initialize NVML/);
    },
  );
});

Deno.test("a driver that hangs keeps nobody waiting", async () => {
  await withProgram("trap '' TERM; exec sleep 60", async (program) => {
    const begunMs = performance.now();
    const { gpus, reason } = await findGpus({ devices: [], program, timeoutMs: 200 });
    assertEquals(gpus, []);
    assertMatch(reason!, /no answer within 0\.2 s/);
    assertEquals(performance.now() - begunMs < 10_000, true);
  });
});
