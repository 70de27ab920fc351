/** The agent's part of docs/lifecycle.md: every state with every event, as `step` answers it. */
import type { RunOutput } from "../../shared/model/result.ts";
import { type ExecutionEvent, type ExecutionState, step } from "./execution.ts";
import type { Outcome } from "./outcome.ts";

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

/** One state of each kind, by the name it has in the table. */
export const SAMPLE_STATES: Readonly<Record<string, ExecutionState>> = {
  queued: { phase: "queued" },
  preparing: { phase: "preparing" },
  "preparing, stopping": { phase: "preparing", stopping: BY_ORDER },
  running: { phase: "running" },
  "running, stopping": { phase: "running", stopping: BY_ORDER },
  "running, timed out": { phase: "running", stopping: BY_TIME },
  publishing: { phase: "publishing", outcome: COMPLETED, output: OUTPUT },
  ended: { phase: "ended", outcome: COMPLETED, output: OUTPUT },
};

/** One event of each kind. */
export const SAMPLE_EVENTS: Readonly<Record<string, ExecutionEvent>> = {
  granted: { type: "granted" },
  started: { type: "started" },
  start_failed: { type: "start_failed", failure: FAILURE },
  exited: { type: "exited", outcome: COMPLETED, output: OUTPUT },
  published: { type: "published", result: { type: "local", params: {} } },
  publish_failed: { type: "publish_failed", failure: { code: "publish_failed", message: "Cannot publish" } },
  stop_ordered: { type: "stop_ordered", message: "Stopped by its user", graceMs: 10 },
  timed_out: { type: "timed_out", timeoutMs: 5000, graceMs: 10 },
  "recovered: running": { type: "recovered", held: "running" },
  "recovered: nothing": { type: "recovered", held: "nothing" },
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
  if ((state.phase !== "preparing" && state.phase !== "running") || state.stopping === undefined) {
    return state.phase;
  }
  return `${state.phase}, ${state.stopping.because === "order" ? "stopping" : "timed out"}`;
}
