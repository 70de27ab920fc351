import assert from "node:assert/strict";
import { join } from "node:path";
import { cutLines } from "./result_cut.ts";

Deno.test("cutLines() names the streams that reached the limit", async () => {
  const root = await Deno.makeTempDir();
  const write = async (partition: number, files: Record<string, string>) => {
    const folder = join(root, String(partition));
    await Deno.mkdir(folder);
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    return { partition, folder };
  };
  const partitions = [
    await write(0, { stdout: "12345", stderr: "1234" }),
    await write(1, { stdout: "12345", stderr: "" }),
    await write(2, { stdout: "1234", stderr: "123456" }),
    await write(3, {}),
  ];
  assert.deepEqual(await cutLines(partitions, { count: 4, limitBytes: 5 }), [
    "stdout of partitions 0-1 was cut: nodes keep the first 5 B",
    "stderr of partition 2 was cut: nodes keep the first 5 B",
  ]);
  assert.deepEqual(await cutLines(partitions.slice(0, 1), { count: 1, limitBytes: 5 }), [
    "stdout was cut: nodes keep the first 5 B",
  ]);
  await Deno.remove(root, { recursive: true });
});
