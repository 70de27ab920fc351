/** The README's tour, as a reader would type it. */
import assert from "node:assert/strict";
import { startNodeProcess } from "../support/node_process.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The shell blocks of the README, in order. */
function shellBlocks(text: string): string[] {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
}

Deno.test("every command of the README's tour works", async () => {
  const [twoCommands, serve, ...rest] = shellBlocks(await Deno.readTextFile(`${ROOT}README.md`));
  assert.match(twoCommands!, /denow task demo.*\n.*denow task test/);
  assert.match(serve!, /^scripts\/skerry serve /);
  const folder = await Deno.makeTempDir({ prefix: "skerry-tour-" });
  await using node = await startNodeProcess({ flags: ["--allow-path", `${ROOT}examples/sea_breeze`] });
  const script = rest.join("\n").replaceAll("/tmp/skerry-tour", `${folder}/tour`);
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    cwd: ROOT,
    env: { SKERRY_API: node.url, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `${out}\n${err}`);
  for (
    const seen of [
      "12 completed",
      'OK: job "sea-breeze"',
      "exit code 6: it was stopped",
      "partition-11",
      "connected",
    ]
  ) {
    assert.ok(out!.includes(seen), `"${seen}" is not in:\n${out}`);
  }
  const got = await Deno.readTextFile(`${folder}/tour-results/partition-5/stdout`);
  assert.match(got, /2013-06: JFK-LGA -2\.\d+ C/);
  await Deno.remove(folder, { recursive: true });
});
