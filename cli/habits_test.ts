import assert from "node:assert/strict";
import { flagHint, habitHint, HABITS } from "./habits.ts";
import { NOUNS } from "./nouns.ts";

Deno.test("habitHint() knows words of other tools", () => {
  const cases: [string, string, string | undefined][] = [
    ["logs", "", "Did you mean skerry job logs?"],
    ["ps", "", "Did you mean skerry job list?"],
    ["run", "", "Did you mean skerry job run, or skerry wasm run?"],
    ["cancel", "job", "Did you mean skerry job stop?"],
    ["rm", "job", "Did you mean skerry job stop?"],
    ["status", "node", "Did you mean skerry node list?"],
    ["ps", "docker", "Did you mean skerry job list?"],
    ["cordon", "node", "Did you mean skerry node drain NODE --keep?"],
    ["status", "", "Did you mean skerry job describe?"],
    ["constructor", "", undefined],
    ["logs", "version", undefined],
  ];
  for (const [word, after, hint] of cases) assert.equal(habitHint(word, after), hint, `${after} ${word}`);
});

Deno.test("flagHint() knows flags of docker, where they were given to docker run", () => {
  assert.match(flagHint("-v", "docker")!, /-i \/PATH/);
  assert.equal(flagHint("--net", "docker"), "Did you mean --network?");
  for (const [flag, noun] of [["-v", "wasm"], ["--nope", "docker"], ["constructor", "docker"]]) {
    assert.equal(flagHint(flag!, noun), undefined);
  }
});

Deno.test("every command that a habit leads to exists", async () => {
  const nouns = await Promise.all(NOUNS.map((noun) => noun.load()));
  const known = new Set(
    nouns.flatMap(({ name, commands = [] }) => [name, ...commands.map((it) => `${name} ${it.name}`)]),
  );
  for (const habits of Object.values(HABITS)) {
    for (const [word, command] of Object.entries(habits)) {
      for (const line of command.split(", or skerry ")) {
        const path = line.split(" ").slice(0, 2).join(" ");
        assert.ok(known.has(path), `${word}: ${path}`);
      }
    }
  }
});
