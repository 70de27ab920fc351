/** `deno task demo`, as a user runs it, but with nobody at a terminal. */
import assert from "node:assert/strict";

const ROOT = new URL("../..", import.meta.url).pathname;
const DEMO_MS = 60_000;

Deno.test("the demo runs a year of observations and shows what they say", async () => {
  const { code, stdout, stderr } = await demo().output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));

  for (let partition = 0; partition < 12; partition++) {
    const line = `partition ${String(partition).padStart(2)} `;
    const month = `2013-${String(partition + 1).padStart(2, "0")}: `;
    assert.ok(text.includes(`${line}${month}JFK-LGA `), `the log of partition ${partition}`);
    assert.ok(text.includes(`${line}completed`), `the end of partition ${partition}`);
  }
  assert.ok(
    text.includes("partition  1 warning: 2013-02.csv: EWR 2013-02-12T08Z: wind of 911 kt left out"),
  );

  // The same numbers came from the original table by a program in another language.
  assert.match(text, / Jan {2}│ {3}0\.0 ± 0\.3 │ −0\.6 ± 0\.4 │/);
  assert.match(text, / Jun {2}│ {2}−2\.2 ± 0\.7 │ −2\.6 ± 0\.7 │ {5}82 % │/);
  assert.match(text, /from April to August,\nmost in June: 2\.2 ± 0\.7 °C against LaGuardia, 2\.6 ± 0\.7 °C/);
  assert.match(text, /Then JFK was 2\.7 °C cooler than LaGuardia; with wind off the land 0\.5 °C warmer/);
  assert.match(text, /━━━ JFK {3}─── LaGuardia {3}┄┄┄ Newark/);
  assert.match(text, /Try next, in this folder:/);

  assert.ok(!text.includes("\x1b"), "no colours without a terminal");
  for (const line of text.split("\n")) assert.ok([...line].length <= 80, `wider than 80 columns: ${line}`);
});

Deno.test("Ctrl-C ends the demo with 130, and leaves neither its node nor its folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const child = demo({ TMPDIR: folder }).spawn();
    const api = await findApi(child.stdout);
    child.kill("SIGINT");
    const [{ code }] = await Promise.all([child.status, child.stderr.cancel()]);
    assert.equal(code, 130);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
    await assert.rejects(fetch(`${api}/api/v1/agent/alive`), "the node still answers");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function demo(env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "scripts/demo.ts"],
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(DEMO_MS),
  });
}

/** Reads the demo's output until it says where its node is; the rest is read and dropped. */
async function findApi(stdout: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const [first, rest] = stdout.tee();
  const drained = rest.pipeTo(new WritableStream());
  drained.catch(() => {});
  let text = "";
  for await (const chunk of first.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const api = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
    if (api !== null) return api[0];
  }
  throw new Error(`The demo never named its node:\n${text}`);
}
