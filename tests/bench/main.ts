/** All benchmarks: a table for people, JSON for programs. `deno task bench [--quick] [--json FILE] [NAME…]` */
import { parseArgs } from "node:util";
import { benchAgent } from "./agent_bench.ts";
import { benchCommandLine } from "./cli_bench.ts";
import { benchDocker } from "./docker_bench.ts";
import { benchEngine } from "./engine_bench.ts";
import { benchJobs } from "./jobs_bench.ts";
import { benchLargeStore } from "./large_store_bench.ts";
import { type Figure, formatFigures } from "./report.ts";
import { benchDurableScheduler, benchScheduler } from "./scheduler_bench.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { quick: { type: "boolean" }, json: { type: "string" }, executable: { type: "string" } },
});
const executable = values.executable;

const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  scheduler: async () => [...benchScheduler(), ...await benchDurableScheduler()],
  agent: benchAgent,
  engine: benchEngine,
  jobs: () => benchJobs({ isFull: !values.quick, executable }),
  docker: () => benchDocker({ executable }),
  cli: () => benchCommandLine({ executable }),
  store: () => benchLargeStore({ jobCount: values.quick ? 10_000 : 100_000 }),
};

function machine(): Record<string, unknown> {
  const { totalmem, cpus } = { totalmem: Deno.systemMemoryInfo().total, cpus: navigator.hardwareConcurrency };
  const model = /^model name\s*: (.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return {
    cpu: model,
    cores: cpus,
    memoryGib: Math.round(totalmem / 2 ** 30),
    os: Deno.osRelease(),
    deno: Deno.version.deno,
  };
}

/** Each bench in a process of its own: what one leaves in memory would slow down the next. */
async function runApart(name: string): Promise<Figure[]> {
  const path = await Deno.makeTempFile();
  const flags = [
    ...(values.quick ? ["--quick"] : []),
    ...(executable === undefined ? [] : ["--executable", executable]),
  ];
  const args = ["run", "-A", "--no-check", import.meta.filename!, name, ...flags, "--json", path];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn().status;
  if (!success) throw new Error(`The bench "${name}" failed`);
  const { figures } = JSON.parse(await Deno.readTextFile(path)) as { figures: Figure[] };
  await Deno.remove(path);
  return figures;
}

const figures: Figure[] = [];
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
for (const name of names) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    throw new Error(`No bench "${name}": there are ${Object.keys(BENCHES).join(", ")}`);
  }
  if (names.length > 1) figures.push(...await runApart(name));
  else {
    figures.push(...await bench());
    console.log(formatFigures(figures) + "\n");
  }
}
const report = JSON.stringify({ machine: machine(), figures }, null, 2);
if (values.json === undefined) console.log(report);
else await Deno.writeTextFile(values.json, report + "\n");
