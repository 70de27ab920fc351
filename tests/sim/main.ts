/**
 * Runs seeds by hand: `deno task sim --seed 42` replays one (`--trace` prints everything that happens), `--seeds 1000`
 * many from `--from` on.
 */
import { BUGS } from "./bugs.ts";
import { describeFailure } from "./failure.ts";
import { runSeed } from "./world.ts";

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1];
}

async function main(): Promise<number> {
  const isTraced = Deno.args.includes("--trace");
  const bug = BUGS.find((it) => it === option("bug"));
  const only = option("seed");
  const from = Number(only ?? option("from") ?? 1);
  const count = only === undefined ? Number(option("seeds") ?? 300) : 1;
  const startedAtMs = performance.now();
  let [simulatedMs, starts, preempted, failed] = [0, 0, 0, 0];
  for (let seed = from; seed < from + count; seed++) {
    const report = await runSeed({ seed, bug, ...(isTraced && { onLine: (line) => console.log(line) }) });
    simulatedMs += report.simulatedMs;
    starts += report.startCount;
    preempted += report.preemptedCount;
    if (report.violation === undefined) continue;
    failed++;
    if (count === 1 || failed <= Number(option("show") ?? 3)) console.log(describeFailure(report));
    else if (failed < 20) {
      console.log(`Seed ${seed}: ${report.violation.rule}: ${report.violation.detail.slice(0, 200)}`);
    }
  }
  const realMs = performance.now() - startedAtMs;
  console.log(
    `${count} seeds, ${failed} failed; ${starts} tasks started, ${preempted} executions preempted; ${
      (realMs / count).toFixed(0)
    } ms a seed, simulated time runs ${Math.round(simulatedMs / realMs)} times as fast as real time`,
  );
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
