/** How long the command line takes to say something. */
import { skerryCommand } from "../support/node_process.ts";
import { type Figure, median } from "./report.ts";

const ROUNDS = 15;

async function medianMs(args: readonly string[], executable: string | undefined): Promise<number> {
  const [command, all] = skerryCommand(executable, args);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS + 2; round++) {
    const startMs = performance.now();
    const { success } = await new Deno.Command(command, { args: all, stdout: "null", stderr: "null" })
      .output();
    if (!success) throw new Error(`${args.join(" ")} failed`);
    if (round >= 2) times.push(performance.now() - startMs);
  }
  return median(times);
}

export async function benchCommandLine(options: { executable?: string }): Promise<Figure[]> {
  const from = options.executable === undefined ? "from the source" : "compiled";
  const how = `whole process, ${from}, median of ${ROUNDS}`;
  return [
    {
      name: "skerry --help",
      value: await medianMs(["--help"], options.executable),
      unit: "ms",
      aim: "≤ 100",
      how,
    },
    {
      name: "skerry version --client",
      value: await medianMs(["version", "--client"], options.executable),
      unit: "ms",
      how,
    },
  ];
}
