/**
 * The simulation: many seeds, each a world with its faults. `SKERRY_SIM_SEEDS` says how many; 2,000 in CI, 300
 * elsewhere. Seeds of `seeds.txt` come first.
 */
import assert from "node:assert/strict";
import { type Bug, BUGS } from "./bugs.ts";
import type { Chunk, ChunkReport } from "./seeds_worker.ts";
import { runSeed } from "./world.ts";

const isCi = !["", "0", "false"].includes(Deno.env.get("CI") ?? "");
const SEEDS = Number(Deno.env.get("SKERRY_SIM_SEEDS") ?? (isCi ? 2_000 : 300));
const CHUNK = 100;
const THREADS = Math.max(1, Math.min(4, navigator.hardwareConcurrency));
/** A planted bug must show itself within so many: some need a rare course of events. */
const CANARY_SEEDS = 1_000;
/** Failures that are printed in full. */
const SHOWN = 3;

const known = Deno.readTextFileSync(new URL("./seeds.txt", import.meta.url)).split("\n")
  .map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "").map(Number);

/** Threads that take chunk after chunk, all from the first test on. */
class Pool {
  readonly #waiting: {
    chunk: Chunk;
    resolve: (report: ChunkReport) => void;
    reject: (e: unknown) => void;
  }[] = [];
  #threads: Worker[] = [];
  #openCount = 0;

  run(chunk: Chunk): Promise<ChunkReport> {
    this.#openCount++;
    const answer = new Promise<ChunkReport>((resolve, reject) =>
      this.#waiting.push({ chunk, resolve, reject })
    );
    if (this.#threads.length < THREADS) {
      const thread = new Worker(import.meta.resolve("./seeds_worker.ts"), { type: "module" });
      this.#threads.push(thread);
      this.#next(thread);
    }
    return answer;
  }

  #next(thread: Worker): void {
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const end = (tell: () => void) => {
      tell();
      if (--this.#openCount === 0) { for (const each of this.#threads.splice(0)) each.terminate(); }
      else this.#next(thread);
    };
    thread.onmessage = ({ data }) => end(() => next.resolve(data));
    thread.onerror = (event) => {
      event.preventDefault();
      end(() => next.reject(new Error(event.message)));
    };
    thread.postMessage(next.chunk);
  }
}

const pool = new Pool();
let chunks: Promise<ChunkReport>[] | undefined;
const ranges: number[][] = [];
for (let from = 1; from <= SEEDS; from += CHUNK) {
  ranges.push(Array.from({ length: Math.min(CHUNK, SEEDS - from + 1) }, (_, at) => from + at));
}
const begin = () => chunks ??= ranges.map((seeds) => pool.run({ seeds }));

/** Failures in full, the first few; the numbers of the others. */
function demandNone(failures: ChunkReport["failures"]): void {
  if (failures.length === 0) return;
  const rest = failures.slice(SHOWN).map(({ seed }) => seed);
  throw new Error(
    failures.slice(0, SHOWN).map(({ text }) => text).join("\n\n") +
      (rest.length > 0 ? `\n\nThese failed as well: ${rest.join(", ")}` : ""),
  );
}

const threaded = { sanitizeOps: false, sanitizeResources: false };

Deno.test(`sim: ${known.length} seeds that once failed`, threaded, async () => {
  demandNone((await pool.run({ seeds: known })).failures);
});

Deno.test("sim: a seed replays exactly", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const [first, second] = [await runSeed({ seed }), await runSeed({ seed })];
    assert.equal(first.hash, second.hash, `seed ${seed}`);
    assert.ok(first.hash !== (await runSeed({ seed: seed + 1_000_000 })).hash);
  }
});

/** The rules of which one must see the planted bug. */
const SEEN_BY: Record<Bug, RegExp> = {
  inbox_forgotten: /history has each event once|comes to rest/,
  result_accepted_twice: /at most one result|counts each result once/,
  released_twice: /projection is the sum|accounts are the sum/,
  token_forgotten: /one token, one job|no bug shows itself/,
  started_twice: /each run of an execution starts once|one run at a time/,
};

for (const bug of BUGS) {
  Deno.test(`sim: the checks see a planted bug: ${bug}`, async () => {
    for (let seed = 1; seed <= CANARY_SEEDS; seed++) {
      const { violation } = await runSeed({ seed, bug });
      if (violation === undefined) continue;
      assert.match(violation.rule, SEEN_BY[bug]);
      return;
    }
    assert.fail(`no seed of ${CANARY_SEEDS} saw it`);
  });
}

for (const [at, seeds] of ranges.entries()) {
  Deno.test(`sim: seeds ${seeds[0]} to ${seeds.at(-1)}`, threaded, async () => {
    demandNone((await begin()[at]!).failures);
  });
}

Deno.test("sim: how much was simulated", threaded, async () => {
  const reports = await Promise.all(begin());
  const sum = (of: (report: ChunkReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const [simulatedMs, realMs] = [sum((it) => it.simulatedMs), sum((it) => it.realMs)];
  console.log(
    `${SEEDS} seeds: ${sum((it) => it.jobCount)} jobs, ${sum((it) => it.startCount)} tasks, ${
      Math.round(simulatedMs / 3_600_000)
    } simulated hours; ${(realMs / SEEDS).toFixed(0)} ms a seed, ${
      Math.round(simulatedMs / realMs)
    } times real time`,
  );
  assert.ok(sum((it) => it.startCount) >= SEEDS, "hardly anything ran");
});
