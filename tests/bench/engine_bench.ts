/** The engine `wasm` alone: a tiny module through start and wait, one after the other and several at a time. */
import { openWasmEngine } from "../../agent/engines/wasm_engine.ts";
import { wasmChildCommand } from "../../agent/engines/wasm_protocol.ts";
import type { Engine, EngineTask } from "../../agent/engines/engine.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { printing, wasmOf } from "../support/wasm_modules.ts";
import { type Figure, formatFigures, percentile } from "./report.ts";

/** Runs `count` tasks, `width` at a time. */
interface Run {
  /** Milliseconds of each. */
  readonly times: readonly number[];
  readonly seconds: number;
  readonly cpuMs: number;
}

async function runMany(
  engine: Engine,
  tasks: TaskFolder,
  how: { count: number; width: number },
): Promise<Run> {
  const module = await tasks.file("tiny.wasm", await wasmOf(printing("hello\n")));
  const ready: EngineTask[] = [];
  for (let i = 0; i < how.count; i++) ready.push(await tasks.task(module));
  const times: number[] = [];
  const [fromMs, fromCpuMs] = [performance.now(), cpuMs()];
  const lane = async () => {
    for (let task = ready.pop(); task !== undefined; task = ready.pop()) {
      const beganMs = performance.now();
      await engine.start(task);
      const exit = await engine.wait(task.executionId);
      if (exit.kind !== "exited" || exit.exitCode !== 0) throw new Error(JSON.stringify(exit));
      engine.forget(task.executionId);
      times.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: how.width }, lane));
  return { times, seconds: (performance.now() - fromMs) / 1000, cpuMs: cpuMs() - fromCpuMs };
}

/** Measures; each figure is one line. */
export async function benchEngine(): Promise<Figure[]> {
  await using tasks = await TaskFolder.make();
  const engine = await openWasmEngine({ command: wasmChildCommand() });
  const cold = await runMany(engine, tasks, { count: 1, width: 1 });
  await runMany(engine, tasks, { count: 200, width: 2 });
  const alone = await runMany(engine, tasks, { count: 1000, width: 1 });
  const figures: Figure[] = [
    { name: "tiny module, cold", value: cold.times[0]!, unit: "ms", how: "first run, child started for it" },
    {
      name: "tiny module, warm, p50",
      value: percentile(alone.times, 0.5),
      unit: "ms",
      aim: "≤ 1",
      how: "one at a time, 1,000 runs",
    },
    {
      name: "tiny module, warm, p99",
      value: percentile(alone.times, 0.99),
      unit: "ms",
      how: "one at a time, 1,000 runs",
    },
  ];
  for (const width of [4, 16, 256]) {
    const count = 2000;
    const { times, seconds, cpuMs } = await runMany(engine, tasks, { count, width });
    figures.push(
      {
        name: `${width} at a time`,
        value: count / seconds,
        unit: "runs/s",
        aim: "≥ 400",
        how: `${count} runs`,
      },
      { name: `${width} at a time, p99`, value: percentile(times, 0.99), unit: "ms", how: `${count} runs` },
      {
        name: `${width} at a time, own CPU`,
        value: cpuMs / count,
        unit: "ms/run",
        aim: "≤ 0.3",
        how: "CPU of the agent's process",
      },
    );
  }
  await engine.close();
  return figures;
}

/** CPU time of this process so far. */
function cpuMs(): number {
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

if (import.meta.main) console.log(formatFigures(await benchEngine()));
