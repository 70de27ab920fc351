/** The home's part of docs/lifecycle.md: every phase with every event, as `step` answers it. */
import { type Execution, ExecutionPhase } from "../../shared/model/execution.ts";
import { type Job, JobPhase } from "../../shared/model/job.ts";
import { type ExecutionEvent, step as stepExecution } from "./execution.ts";
import { type JobEvent, step as stepJob } from "./job.ts";

const reported = (phase: ExecutionPhase, isPartitionTaken = false): ExecutionEvent => ({
  kind: "reported",
  isPartitionTaken,
  report: { executionId: "e-1" as Execution["id"], revision: 2, phase },
});

/** One event of each kind that an execution is told. */
const EXECUTION_EVENTS: Readonly<Record<string, ExecutionEvent>> = {
  "reported: queued": reported("queued"),
  "reported: preparing": reported("preparing"),
  "reported: running": reported("running"),
  "reported: publishing": reported("publishing"),
  "reported: completed": reported("completed"),
  "reported: completed, partition taken": reported("completed", true),
  "reported: failed": reported("failed"),
  "reported: stopped": reported("stopped"),
  "reported: refused": reported("refused"),
  stop_wanted: { kind: "stop_wanted", message: "enough" },
  lost: { kind: "lost", message: "its node is gone", hint: "wait" },
};

/** One event of each kind that a job is told. */
const JOB_EVENTS: Readonly<Record<string, JobEvent>> = {
  "waiting, nothing at work": { kind: "waiting", message: "busy", hint: "wait", isAtWork: false },
  "waiting, others at work": { kind: "waiting", message: "busy", hint: "wait", isAtWork: true },
  started: { kind: "started" },
  partition_completed: { kind: "partition_completed" },
  image_found: { kind: "image_found", image: { name: "busybox", digest: "busybox@sha256:0" } },
  "rollout: good": {
    kind: "rollout",
    rollout: { state: "good", upCount: 2, sinceAtMs: 0, goodVersion: 1 },
  },
  "partitions, more than before": { kind: "partitions", count: 2 },
  completed: { kind: "completed" },
  failed: { kind: "failed", code: "program_failed", message: "exit code 3" },
  stopped: { kind: "stopped", message: "enough" },
};

/**
 * Two Markdown tables, of executions and of jobs: what each phase becomes by each event. `·` is "stays", `(stop)` that
 * the home now wants it stopped, `(counted)` that a result is counted, `(noted)` that only what is told changes.
 */
export function homeLifecycleTable(): { readonly executions: string; readonly jobs: string } {
  return {
    executions: table(ExecutionPhase.options, EXECUTION_EVENTS, executionCell),
    jobs: table(JobPhase.options, JOB_EVENTS, jobCell),
  };
}

function table<Phase extends string, Event>(
  phases: readonly Phase[],
  events: Readonly<Record<string, Event>>,
  cell: (phase: Phase, event: Event) => string,
): string {
  return [
    `| event | ${phases.join(" | ")} |`,
    `| --- |${phases.map(() => " --- |").join("")}`,
    ...Object.entries(events).map(([name, event]) =>
      `| \`${name}\` | ${phases.map((phase) => cell(phase, event)).join(" | ")} |`
    ),
  ].join("\n");
}

function executionCell(phase: ExecutionPhase, event: ExecutionEvent): string {
  const before = { partition: 0, phase, desired: "run", reportRevision: 1, revision: 1 } as Execution;
  const after = stepExecution(before, event, 0);
  if (after === before) return "·";
  const told = after.desired === "stop" ? " (stop)" : after.phase === phase ? " (noted)" : "";
  return `${after.phase === phase ? "" : `**${after.phase}**`}${told}`.trim();
}

function jobCell(phase: JobPhase, event: JobEvent): string {
  const before = { phase, completedCount: 0, revision: 1 } as Job;
  const after = stepJob(before, event, 0);
  if (after === before) return "·";
  const told = after.completedCount > 0 ? " (counted)" : after.phase === phase ? " (noted)" : "";
  return `${after.phase === phase ? "" : `**${after.phase}**`}${told}`.trim();
}
