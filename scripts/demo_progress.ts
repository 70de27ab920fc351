/** Follows the demo's job over the HTTP API: its executions by asking, their logs by websocket; shown as they come. */
import type { Paint } from "../cli/paint.ts";

const POLL_MS = 120;
const JOB_MS = 180_000;
/** How long logs may still come after the job has ended. */
const LOGS_MS = 10_000;
const BAR_WIDTH = 20;
const COLUMNS = 80;

/** An execution's states as the API numbers them: below the first there is nothing to read yet. */
const RUNNING = 6;
const STATES: Readonly<Record<number, string>> = {
  6: "Running",
  7: "Publishing",
  9: "Completed",
  10: "Failed",
  11: "Stopped",
};
const ENDED_JOB = new Set(["Completed", "Failed", "Stopped"]);

interface Execution {
  readonly ID: string;
  /** Absent means 0. */
  readonly PartitionIndex?: number;
  readonly ComputeState: { readonly StateType: number; readonly Message?: string };
}

interface JobReply {
  readonly Job: { readonly State: { readonly StateType: string; readonly Message?: string } };
  readonly Executions?: { readonly Items: readonly Execution[] | null };
}

/** Which job to follow, and where to show it. */
export interface FollowOptions {
  readonly api: string;
  readonly jobId: string;
  readonly partitionCount: number;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** Returns when the job has completed and its logs are at their end. Throws when it ends otherwise. */
export async function followJob(options: FollowOptions): Promise<void> {
  const { screen } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(JOB_MS)]);
  const logs = new Map<string, Promise<void>>();
  while (true) {
    const reply = await getJob(options, signal);
    for (const execution of reply.Executions?.Items ?? []) {
      const partition = execution.PartitionIndex ?? 0;
      const { StateType: state } = execution.ComputeState;
      screen.state(partition, STATES[state] ?? "Waiting");
      if (state >= RUNNING && !logs.has(execution.ID)) {
        logs.set(execution.ID, followLogs(options, execution.ID, (line) => screen.log(partition, line)));
      }
    }
    screen.draw();
    const { StateType: state, Message: message } = reply.Job.State;
    if (ENDED_JOB.has(state)) {
      await Promise.race([Promise.all(logs.values()), wait(LOGS_MS, signal)]);
      screen.draw();
      if (state === "Completed") return;
      throw new Error(`The job ended as ${state}: ${message ?? "no reason given"}`);
    }
    await wait(POLL_MS, signal);
  }
}

async function getJob({ api, jobId }: FollowOptions, signal: AbortSignal): Promise<JobReply> {
  const url = `${api}/api/v1/orchestrator/jobs/${jobId}?include=executions&limit=1000`;
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`Cannot read the job: ${await response.text()}`);
  return await response.json();
}

/** One line that a program wrote. */
export interface LogLine {
  readonly isError: boolean;
  readonly text: string;
}

/** Resolves at the end of the log, however it ends: the log is a view, the job's state decides. */
function followLogs(
  { api, jobId, signal }: FollowOptions,
  executionId: string,
  show: (line: LogLine) => void,
): Promise<void> {
  const url = new URL(`${api}/api/v1/orchestrator/jobs/${jobId}/logs`);
  url.protocol = "ws:";
  url.search = String(new URLSearchParams({ follow: "true", execution_id: executionId }));
  const socket = new WebSocket(url);
  signal.addEventListener("abort", () => socket.close(), { once: true });
  return new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      const { value, error } = JSON.parse(String(data));
      if (error) show({ isError: true, text: String(error) });
      if (!value?.Line) return;
      for (const text of String(value.Line).trimEnd().split("\n")) show({ isError: value.Type === 2, text });
    };
    socket.onclose = () => resolve();
    socket.onerror = () => resolve();
  });
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}

/** Where the course of the job is shown. */
export interface Screen {
  state(partition: number, state: string): void;
  log(partition: number, line: LogLine): void;
  /** Brings what is shown up to date. */
  draw(): void;
}

/** A line for each partition that is redrawn in place; what programs wrote to stderr stays above. */
export function openLiveScreen(partitionCount: number, options: ScreenOptions): Screen {
  const rows = Array.from({ length: partitionCount }, () => ({ state: "", ratio: 0, newest: "" }));
  let drawnCount = 0;
  let above = "";
  const row = (index: number) => {
    const { state, ratio, newest } = rows[index]!;
    const filled = Math.round(ratio * BAR_WIDTH);
    const bar = options.paint.accent("█".repeat(filled)) + options.paint.dim("░".repeat(BAR_WIDTH - filled));
    return `${partitionName(index)} ${bar} ${cut(newest || state, COLUMNS - BAR_WIDTH - 14)}`;
  };
  return {
    state(partition, state) {
      rows[partition]!.state = state;
      if (state === "Completed") rows[partition]!.ratio = 1;
    },
    log(partition, { isError, text }) {
      if (isError) {
        above += `${options.paint.warn(`${partitionName(partition)} ${cut(text, COLUMNS - 14)}`)}\n`;
        return;
      }
      rows[partition]!.newest = text;
      rows[partition]!.ratio = Math.max(rows[partition]!.ratio, ratioIn(text));
    },
    draw() {
      const up = drawnCount > 0 ? `\x1b[${drawnCount}A\x1b[J` : "";
      options.write(`${up}${above}${rows.map((_, index) => `${row(index)}\n`).join("")}`);
      drawnCount = rows.length;
      above = "";
    },
  };
}

/** A line for each thing that happens but the steps in between, for files and pipes. */
export function openPlainScreen(options: ScreenOptions): Screen {
  const states = new Map<number, string>();
  const line = (partition: number, text: string) => options.write(`${partitionName(partition)} ${text}\n`);
  return {
    state(partition, state) {
      if (states.get(partition) !== state && state === "Completed") line(partition, "completed");
      states.set(partition, state);
    },
    log(partition, { text }) {
      if (ratioIn(text) === 0) line(partition, text);
    },
    draw() {},
  };
}

/** How and where a screen writes. */
export interface ScreenOptions {
  readonly paint: Paint;
  readonly write: (text: string) => void;
}

function partitionName(index: number): string {
  return `partition ${String(index).padStart(2)}`;
}

/** How far a line of the module says that it is; 0 when it says nothing. */
function ratioIn(line: string): number {
  const match = /drew (\d+) of (\d+)/.exec(line);
  return match === null ? 0 : Number(match[1]) / Number(match[2]);
}

function cut(text: string, width: number): string {
  return [...text].length > width ? `${[...text].slice(0, width - 1).join("")}…` : text;
}
