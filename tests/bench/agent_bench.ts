/** The agent alone: executions that end at once, over a real journal and real folders, ordered by a bare home. */
import { readOutputPage } from "../../agent/host/output.ts";
import { composeAgent } from "../../agent/flow/compose.ts";
import { Folders } from "../../agent/host/folders.ts";
import { localPublisher } from "../../agent/publishers/local.ts";
import { AGENT_APPLICATION_ID, AGENT_MIGRATIONS } from "../../agent/store/migrations.ts";
import { openEmbeddedBus } from "../../shared/bus/embedded_bus.ts";
import { systemClock } from "../../shared/clock.ts";
import { Database } from "../../shared/ledger/database.ts";
import { silentLog } from "../../shared/log.ts";
import { systemIds } from "../../shared/random.ts";
import { supervise, type Supervised } from "../../shared/supervise.ts";
import {
  anOrder,
  aTask,
  noContents,
  SimulatedEngine,
  SimulatedHome,
  simulatedMachine,
  someFacts,
} from "../support/agent_fixture.ts";
import { type Figure, formatFigures, median } from "./report.ts";

interface AgentRun {
  readonly perSecond: number;
  /** CPU of the whole process, the home included and the kernel not, for each execution. */
  readonly cpuMs: number;
  /** Transactions of the agent, for each execution. */
  readonly commits: number;
  readonly writtenBytes: number;
  readonly latencyMs: readonly number[];
}

/** Runs `count` executions, `width` ordered and not ended at a time. */
async function runMany({ count, width }: { count: number; width: number }): Promise<AgentRun> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  const [bus, engine] = [openEmbeddedBus(), new SimulatedEngine()];
  engine.behave = () => ({ kind: "exited", exitCode: 0 });
  const database = Database.open({
    path: `${folder}/agent.db`,
    migrations: AGENT_MIGRATIONS,
    applicationId: AGENT_APPLICATION_ID,
  });
  const running = new Map<string, Supervised>();
  const onBug = (error: unknown) => {
    throw error;
  };
  const program = composeAgent({
    ...{ database, bus, clock: systemClock, ids: systemIds, log: silentLog },
    homes: ["n-hub/orchestrator"],
    facts: someFacts(),
    engines: [engine],
    inputs: [],
    publishers: [localPublisher],
    workspace: new Folders(`${folder}/executions`, { readOutput: readOutputPage }),
    contents: noContents,
    machine: simulatedMachine(),
    random: Math.random,
    httpGet: () => Promise.reject(new Error("there is no network")),
    nudge: (stage) => running.get(stage)?.nudge(),
  });
  const home = new SimulatedHome({
    ...{ bus, clock: systemClock, ids: systemIds, agent: program.peer },
    nudge: () => running.get("home")?.nudge(),
  });
  for (const stage of program.stages) running.set(stage.name, supervise(stage, { log: silentLog, onBug }));
  let commits = 0;
  database.beforeEachCommit(() => commits++);

  let [ordered, ended] = [0, 0];
  const orderedAtMs = new Map<string, number>();
  const latencyMs: number[] = [];
  const done = Promise.withResolvers<void>();
  const task = aTask({ resultPaths: [{ name: "outputs", path: "/outputs" }] });
  const orderMore = () => {
    const orders = [];
    for (; ordered < count && ordered - ended < width; ordered++) {
      const id = `e-${ordered}`;
      orderedAtMs.set(id, performance.now());
      orders.push(anOrder(id, { task }));
    }
    if (orders.length > 0) home.order(...orders);
  };
  const look = () => {
    const before = ended;
    for (const report of home.reports.splice(0)) {
      if (report.phase !== "completed") continue;
      latencyMs.push(performance.now() - orderedAtMs.get(report.executionId)!);
      if (++ended === count) done.resolve();
    }
    if (ended > before) orderMore();
    return false;
  };
  const tickHome = () => {
    const isMore = home.sync.tick();
    look();
    return isMore;
  };
  running.set("home", supervise({ name: "home", tick: tickHome }, { log: silentLog, onBug }));
  home.open();
  program.open();
  const [written, fromCpuMs] = [writtenBytes(), cpuMs()];
  commits = 0;
  const fromMs = performance.now();
  orderMore();
  await done.promise;
  const seconds = (performance.now() - fromMs) / 1000;
  const run = {
    perSecond: count / seconds,
    cpuMs: (cpuMs() - fromCpuMs) / count,
    commits: commits / count,
    writtenBytes: (writtenBytes() - written) / count,
    latencyMs,
  };
  for (const stage of running.values()) await stage.close();
  program.close();
  home.close();
  database.close();
  await bus.close();
  await Deno.remove(folder, { recursive: true });
  return run;
}

/** Bytes that this process has sent to disks. */
function writtenBytes(): number {
  return Number(/^write_bytes: (\d+)$/m.exec(Deno.readTextFileSync("/proc/self/io"))?.[1] ?? 0);
}

/** CPU that this process has used outside the kernel (there it makes folders and waits for disks), in steps of 10 ms. */
function cpuMs(): number {
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1]!.split(" ");
  return Number(fields[11]) * 10;
}

/** The agent's figures. */
export async function benchAgent(): Promise<Figure[]> {
  await runMany({ count: 500, width: 16 });
  const one = await runMany({ count: 500, width: 1 });
  const many = await runMany({ count: 4000, width: 16 });
  const crowd = await runMany({ count: 4000, width: 256 });
  const how = "an engine that ends at once, journal and folders on disk";
  return [
    { name: "agent, one at a time", value: median(one.latencyMs), unit: "ms p50", aim: "≤ 3", how },
    {
      name: "agent, one at a time: written",
      value: one.writtenBytes / 1024,
      unit: "KiB each",
      aim: "≤ 64",
      how,
    },
    { name: "agent, 16 in flight", value: many.perSecond, unit: "executions/s", aim: "≥ 400", how },
    {
      name: "agent, 16 in flight: CPU",
      value: many.cpuMs,
      unit: "ms each",
      aim: "≤ 0.9",
      how: "the home included",
    },
    {
      name: "agent, 16 in flight: commits",
      value: many.commits,
      unit: "each",
      how: "a commit takes one to two ms here",
    },
    {
      name: "agent, 16 in flight: written",
      value: many.writtenBytes / 1024,
      unit: "KiB each",
      aim: "≤ 32",
      how,
    },
    { name: "agent, 256 in flight", value: crowd.perSecond, unit: "executions/s", aim: "≥ 400", how },
    {
      name: "agent, 256 in flight: CPU",
      value: crowd.cpuMs,
      unit: "ms each",
      aim: "≤ 0.9",
      how: "the home included",
    },
    {
      name: "agent, 256 in flight: commits",
      value: crowd.commits,
      unit: "each",
      how: "a commit takes one to two ms here",
    },
  ];
}

if (import.meta.main) console.log(formatFigures(await benchAgent()));
