import assert from "node:assert/strict";
import fc from "fast-check";
import { input } from "../support/plans.ts";
import { reconcile } from "../../orchestrator/core/reconcile.ts";
import type { OpenExecution, Plan, ReconcileInput } from "../../orchestrator/core/plan.ts";
import { EXECUTION_TERMINAL, ExecutionPhase, isLive } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { JOB_TERMINAL, JobPhase, type RetryPolicy } from "../../shared/model/job.ts";

/** Everything that decides about a job, as a home stores it. */
interface State {
  readonly count: number;
  readonly retry: RetryPolicy;
  phase: JobPhase;
  executions: Attempt[];
}
type Attempt = Omit<OpenExecution, "isSuperseded">;

const CODES = ["program_failed", "node_lost", "interrupted", "refused", "exhausted", "disk_full", undefined];

function inputOf({ count, retry, phase, executions }: State): ReconcileInput {
  const done = new Set(executions.filter((it) => it.phase === "completed").map(({ partition }) => partition));
  return input({
    phase,
    count,
    retry: { ...retry, delayMs: 0 },
    nextPartition: executions.reduce((next, { partition }) => Math.max(next, partition + 1), 0),
    completedCount: done.size,
    open: executions.filter((it) => it.phase !== "completed")
      .map((it) => ({ ...it, isSuperseded: done.has(it.partition) })),
  });
}

/** What the shell does with a plan. */
function apply(state: State, plan: Plan): void {
  for (const { id } of plan.stops) {
    state.executions = state.executions.map((it) => it.id === id ? { ...it, desired: "stop" } : it);
  }
  for (const { partition, attempt } of plan.slots) {
    state.executions.push({
      createdAtMs: 0,
      modifiedAtMs: 0,
      ...{ partition, attempt, phase: "placed", desired: "run" },
      id: `e-${state.executions.length}` as ExecutionId,
      nodeId: "n-0" as NodeId,
    });
  }
  if (plan.outcome !== undefined) state.phase = plan.outcome.phase;
}

/** What agents and users do between two evaluations. */
type Happening =
  | {
    readonly kind: "report";
    readonly which: number;
    readonly phase: ExecutionPhase;
    readonly code?: string;
  }
  | { readonly kind: "stop" };
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant("report" as const),
      which: fc.nat(),
      phase: fc.constantFrom(...ExecutionPhase.options),
      code: fc.constantFrom(...CODES),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "stop" as const }) },
);

function happen(state: State, event: Happening): void {
  if (event.kind === "stop") {
    if (!JOB_TERMINAL.has(state.phase)) state.phase = "stopped";
    return;
  }
  const target = state.executions[event.which % Math.max(1, state.executions.length)];
  // What has ended stays, but for what was lost; a second result is not accepted.
  if (target === undefined || (EXECUTION_TERMINAL.has(target.phase) && target.phase !== "lost")) return;
  const isTaken = state.executions.some((it) =>
    it.partition === target.partition && it.phase === "completed" && it.id !== target.id
  );
  const phase = event.phase === "completed" && isTaken ? "stopped" : event.phase;
  state.executions = state.executions.map((it) =>
    it.id === target.id ? { ...it, phase, code: event.code } : it
  );
}

const start = fc.record({
  count: fc.nat({ max: 5 }),
  retry: fc.record({ attempts: fc.nat({ max: 2 }), lostAttempts: fc.nat({ max: 2 }) }),
});

/** Walks through a job's life, and shows every plan with the state that it was made from and the one that it makes. */
function walk(
  { count, retry }: { count: number; retry: RetryPolicy },
  happenings: readonly Happening[],
  see: (seen: { before: State; plan: Plan; after: State; revived: ReadonlySet<string> }) => void,
): void {
  const state: State = { count, retry, phase: "pending", executions: [] };
  const revived = new Set<string>();
  for (const event of [undefined, ...happenings]) {
    const lost = state.executions.filter(({ phase }) => phase === "lost").map(({ id }) => id);
    if (event !== undefined) happen(state, event);
    for (const { id, phase } of state.executions) if (lost.includes(id) && isLive(phase)) revived.add(id);
    const before = structuredClone(state);
    const plan = reconcile(inputOf(state));
    apply(state, plan);
    see({ before, plan, after: state, revived });
  }
}

const lives = (look: Parameters<typeof walk>[2]) =>
  fc.assert(
    fc.property(start, fc.array(happening, { maxLength: 30 }), (job, happenings) =>
      walk(job, happenings, look)),
    { numRuns: 400 },
  );

Deno.test("a plan that is applied and reconciled again is empty", () => {
  lives(({ after }) => {
    const { slots, stops, outcome } = reconcile(inputOf(after));
    assert.deepEqual([slots, stops], [[], []]);
    assert.ok(outcome === undefined || JOB_TERMINAL.has(after.phase));
  });
});

Deno.test("a partition has one live execution, but for those that were lost and found", () => {
  lives(({ after, revived }) => {
    const live = after.executions.filter(({ phase, id }) => isLive(phase) && !revived.has(id));
    assert.equal(new Set(live.map(({ partition }) => partition)).size, live.length);
  });
});

Deno.test("a job never has more partitions than it asks for, nor more attempts than it allows", () => {
  lives(({ after }) => {
    for (const { partition } of after.executions) assert.ok(partition < after.count);
    for (let partition = 0; partition < after.count; partition++) {
      const costing = after.executions.filter((it) =>
        it.partition === partition &&
        !(it.phase === "refused" && ["exhausted", "disk_full"].includes(it.code ?? ""))
      );
      assert.ok(costing.length <= 1 + after.retry.attempts + after.retry.lostAttempts);
    }
  });
});

Deno.test("without attempts after a loss, nothing that was lost is done again", () => {
  lives(({ before, plan }) => {
    if (before.retry.lostAttempts > 0) return;
    for (const { previousId } of plan.slots) {
      const previous = before.executions.find(({ id }) => id === previousId);
      assert.notEqual(previous?.phase, "lost");
    }
  });
});

Deno.test("a job that is over gets nothing new, and everything of it that may run is told to stop", () => {
  lives(({ plan, after }) => {
    if (!JOB_TERMINAL.has(after.phase)) return;
    assert.ok(plan.outcome !== undefined || plan.slots.length === 0);
    for (const { phase, desired, partition } of after.executions) {
      const isDone = after.executions.some((it) => it.partition === partition && it.phase === "completed");
      if (isLive(phase) || (phase === "lost" && !isDone)) assert.equal(desired, "stop");
    }
  });
});

Deno.test("a job is completed when every partition is, and fails with a code and a message", () => {
  lives(({ before, plan }) => {
    const done = new Set(
      before.executions.filter((it) => it.phase === "completed").map((it) => it.partition),
    );
    if (plan.outcome?.phase === "completed") assert.equal(done.size, before.count);
    if (plan.outcome?.phase === "failed") assert.ok(plan.outcome.code && plan.outcome.message);
  });
});

Deno.test("the order of the executions does not matter", () => {
  fc.assert(
    fc.property(
      start,
      fc.array(happening, { maxLength: 20 }),
      fc.infiniteStream(fc.nat()),
      (job, happenings, keys) => {
        walk(job, happenings, ({ before, plan }) => {
          const shuffled = before.executions.map((it) => ({ it, key: keys.next().value! })).sort((a, b) =>
            a.key - b.key
          );
          const again = reconcile(inputOf({ ...before, executions: shuffled.map(({ it }) => it) }));
          assert.deepEqual(again.slots, plan.slots);
          assert.deepEqual(new Set(again.stops.map(({ id }) => id)), new Set(plan.stops.map(({ id }) => id)));
          assert.deepEqual(again.outcome, plan.outcome);
        });
      },
    ),
  );
});
