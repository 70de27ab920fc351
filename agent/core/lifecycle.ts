/** The agent's part of docs/lifecycle.md: every state with every event, as `step` answers it. */
import type { RunOutput } from "../../shared/model/result.ts";
import { step } from "./execution.ts";
import { type ExecutionEvent, type ExecutionState } from "./execution_state.ts";
import type { Outcome, Stopping } from "./outcome.ts";
import type { Circumstances, Past } from "./restart.ts";

const OUTPUT: RunOutput = {
  stdout: "",
  stdoutIsTruncated: false,
  stderr: "",
  stderrIsTruncated: false,
  exitCode: 0,
};
const COMPLETED: Outcome = { kind: "completed" };
const FAILURE = { code: "input_failed", message: "Cannot fetch" } as const;
const BY_ORDER = { because: "order", message: "Stopped by its user", graceMs: 10 } as const;
const BY_TIME = { because: "time_out", timeoutMs: 5000, graceMs: 10 } as const;

const PAST: Past = {
  run: 2,
  lastExit: { code: "program_failed", message: "Program exited with code 1", exitCode: 1 },
  outputFrom: { stdout: 0, stderr: 0 },
  intervalFromMs: 0,
  intervalCount: 2,
  streak: 2,
};
const CRASHED: Outcome = { kind: "failed", code: "program_failed", message: "Program exited with code 1" };
const UNHEALTHY = { because: "unhealthy", message: "no answer", graceMs: 10 } as const;
/** A crash that the job's policy lets be mended in place. */
const MAY_RESTART: Circumstances = {
  policy: { attempts: 5, intervalMs: 60_000, delayMs: 1_000, maxDelayMs: 10_000, mode: "fail" },
  ...{ nowMs: 0, jitter: 0, isCrash: true, isHomeReached: true, isBlameless: false },
  outputEnd: { stdout: 0, stderr: 0 },
};

/** One state of each kind, by the name it has in the table. */
export const SAMPLE_STATES: Readonly<Record<string, ExecutionState>> = {
  queued: { phase: "queued" },
  preparing: { phase: "preparing" },
  "preparing, stopping": { phase: "preparing", stopping: BY_ORDER },
  running: { phase: "running", startedMs: 0 },
  "running, stopping": { phase: "running", startedMs: 0, stopping: BY_ORDER },
  "running, timed out": { phase: "running", startedMs: 0, stopping: BY_TIME },
  "running, unhealthy": { phase: "running", startedMs: 0, stopping: UNHEALTHY },
  restarting: { phase: "restarting", past: PAST, inMs: 1_000, sinceMs: 0, output: OUTPUT },
  "preparing, again": { phase: "preparing", past: PAST },
  publishing: { phase: "publishing", outcome: COMPLETED, output: OUTPUT },
  ended: { phase: "ended", outcome: COMPLETED, output: OUTPUT },
};

/** One event of each kind. */
export const SAMPLE_EVENTS: Readonly<Record<string, ExecutionEvent>> = {
  granted: { type: "granted" },
  started: { type: "started", atMs: 0, isWatched: false },
  start_failed: { type: "start_failed", failure: FAILURE },
  exited: { type: "exited", outcome: COMPLETED, output: OUTPUT },
  "exited, may restart": { type: "exited", outcome: CRASHED, output: OUTPUT, circumstances: MAY_RESTART },
  restart_due: { type: "restart_due" },
  "health_changed: unhealthy": {
    type: "health_changed",
    status: "unhealthy",
    sinceMs: 0,
    message: "no answer",
    restart: { graceMs: 10 },
  },
  published: { type: "published", result: { type: "local", params: {} } },
  publish_failed: { type: "publish_failed", failure: { code: "publish_failed", message: "Cannot publish" } },
  stop_ordered: { type: "stop_ordered", message: "Stopped by its user", graceMs: 10 },
  timed_out: { type: "timed_out", timeoutMs: 5000, graceMs: 10 },
  "recovered: running": {
    type: "recovered",
    held: "running",
    policy: "reattach",
    ...{ graceMs: 10, atMs: 0, isWatched: false },
  },
  "recovered: running, restart": {
    type: "recovered",
    held: "running",
    policy: "restart",
    ...{ graceMs: 10, atMs: 0, isWatched: false },
  },
  "recovered: nothing": { type: "recovered", held: "nothing" },
  "recovered: nothing, run again": {
    type: "recovered",
    held: "nothing",
    circumstances: { ...MAY_RESTART, isBlameless: true },
  },
};

/** A Markdown table: what each state becomes by each event, and what is done then; `·` is "stays, nothing is done". */
export function agentLifecycleTable(): string {
  const names = Object.keys(SAMPLE_STATES);
  const rows = Object.entries(SAMPLE_EVENTS).map(([name, event]) => {
    const cells = Object.values(SAMPLE_STATES).map((state) => cell(state, event));
    return `| \`${name}\` | ${cells.join(" | ")} |`;
  });
  return [
    `| event | ${names.join(" | ")} |`,
    `| --- |${names.map(() => " --- |").join("")}`,
    ...rows,
  ].join("\n");
}

function cell(state: ExecutionState, event: ExecutionEvent): string {
  const { next, effects } = step(state, event);
  if (next === state && effects.length === 0) return "·";
  const done = effects.map(({ type }) => type).join(", ");
  return next === state ? `(${done})` : `**${nameOf(next)}**${done === "" ? "" : ` (${done})`}`;
}

function nameOf(state: ExecutionState): string {
  if (state.phase === "ended") return state.outcome.kind;
  if (state.phase === "publishing" && state.outcome.kind !== "completed") {
    return `publishing, ${state.outcome.kind}`;
  }
  if (state.phase !== "preparing" && state.phase !== "running") return state.phase;
  if (state.stopping === undefined) {
    return state.phase === "preparing" && state.past !== undefined ? "preparing, again" : state.phase;
  }
  return `${state.phase}, ${STOPPING_WORDS[state.stopping.because]}`;
}

const STOPPING_WORDS: Readonly<Record<Stopping["because"], string>> = {
  order: "stopping",
  time_out: "timed out",
  unhealthy: "unhealthy",
  agent_restart: "to be restarted",
};
