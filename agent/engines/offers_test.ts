/** What a node offers while its engines come and go. */
import { deepStrictEqual as assertEquals } from "node:assert";
import { AppError } from "../../shared/errors.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Engine, EngineProbe } from "./engine.ts";
import { Answers, OfferedEngines } from "./offers.ts";

const GOOD: EngineProbe = {
  isAvailable: true,
  version: "docker 20.10",
  platforms: ["linux/amd64"],
  networks: ["none"],
};
const AWAY: EngineProbe = { isAvailable: false, reason: "it does not answer", hint: "", isAway: true };
const NONE: EngineProbe = {
  isAvailable: false,
  reason: "there is none",
  hint: "",
  isNotSetUp: true,
  isAway: true,
};
const OLD: EngineProbe = { isAvailable: false, reason: "it is too old", hint: "" };

/** An engine that answers as it is told, and what is remembered of it. */
function bench(before: Answers = {}) {
  const told: { answer: EngineProbe; remembered: Answers; isFull: boolean } = {
    answer: GOOD,
    remembered: before,
    isFull: false,
  };
  const engine = { type: "docker", probe: () => Promise.resolve(told.answer) } as Partial<Engine> as Engine;
  const offers = new OfferedEngines([engine], {
    answers: before,
    clock: systemClock,
    remember(answers) {
      if (told.isFull) throw new AppError("disk_full", "Cannot write");
      told.remembered = Answers.parse(answers);
    },
  });
  const ask = async (answer: EngineProbe) => {
    told.answer = answer;
    const { usable, platforms, networks, absent } = await offers.ask();
    return { usable, platforms, networks, absent: absent.map(({ reason }) => reason) };
  };
  return { told, ask };
}

const AS_BEFORE = { usable: ["docker"], platforms: ["linux/amd64"], networks: ["none"] };
const NOTHING = { usable: [], platforms: [], networks: undefined };

Deno.test("an engine that does not answer is offered as it was, with the reason", async () => {
  const { ask } = bench();
  assertEquals(await ask(GOOD), { ...AS_BEFORE, absent: [] });
  assertEquals(await ask(AWAY), { ...AS_BEFORE, absent: ["it does not answer"] });
});

Deno.test("after a restart of the agent too, when even its socket is not there yet", async () => {
  const first = bench();
  await first.ask(GOOD);
  const second = bench(first.told.remembered);
  assertEquals(await second.ask(NONE), { ...AS_BEFORE, absent: ["there is none"] });
});

Deno.test("one that never answered, or answers that it is of no use, is not offered", async () => {
  const { ask, told } = bench();
  assertEquals(await ask(NONE), { ...NOTHING, absent: ["there is none"] });
  await ask(GOOD);
  assertEquals(await ask(OLD), { ...NOTHING, absent: ["it is too old"] });
  assertEquals(told.remembered, {});
  assertEquals(await ask(AWAY), { ...NOTHING, absent: ["it does not answer"] });
});

Deno.test("what a full disk does not let it remember it remembers later", async () => {
  const { ask, told } = bench();
  told.isFull = true;
  assertEquals(await ask(GOOD), { ...AS_BEFORE, absent: [] });
  assertEquals(told.remembered, {});
  told.isFull = false;
  await ask(GOOD);
  assertEquals(Object.keys(told.remembered), ["docker"]);
});
