import assert from "node:assert/strict";
import { isAlive, parseStat, readBootId, readStartedAt } from "./process_identity.ts";

Deno.test("a process is told from a later one with its number, and from one of an earlier boot", async () => {
  const bootId = await readBootId();
  const startedAt = await readStartedAt(Deno.pid);
  assert.ok(bootId !== "" && startedAt !== undefined);
  const self = { pid: Deno.pid, startedAt, bootId };
  assert.equal(await isAlive(self, bootId), true);
  assert.equal(await isAlive({ ...self, startedAt: `${startedAt}0` }, bootId), false);
  assert.equal(await isAlive(self, "another boot"), false);
});

Deno.test("a process that has ended is not there, and neither are its remains", async () => {
  const child = new Deno.Command("true").spawn();
  const { pid } = child;
  await child.status;
  assert.equal(await readStartedAt(pid), undefined);
  assert.equal(parseStat("7 (a) Z) 1 7"), undefined);
});

Deno.test("what cannot be seen is not taken for dead", async () => {
  const { readTextFile } = Deno;
  for (const code of ["EMFILE", "EACCES", "EIO"]) {
    Deno.readTextFile = () => Promise.reject(Object.assign(new Error(code), { code }));
    try {
      await assert.rejects(readStartedAt(Deno.pid), { code: "unavailable", message: new RegExp(code) });
    } finally {
      Deno.readTextFile = readTextFile;
    }
  }
});

Deno.test("one who may not read below /proc asks a process that may", async () => {
  const code = `const { readStartedAt } = await import(${
    JSON.stringify(import.meta.resolve("./process_identity.ts"))
  }); console.log(await readStartedAt(${Deno.pid}), await readStartedAt(4194305));`;
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-run=cat,ps", "--allow-env=LC_ALL", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = output.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { stdout } = await output.output();
  assert.equal(new TextDecoder().decode(stdout).trim(), `${await readStartedAt(Deno.pid)} undefined`);
});
