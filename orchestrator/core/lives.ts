/** The lives' part of docs/lifecycle.md: what reconcile answers for each type of job, whatever becomes of its executions. */
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { isEndless, isPerNode, JobType, UPDATE_DEFAULT } from "../../shared/model/job.ts";
import type { OpenExecution, Plan, ReconcileInput } from "./plan.ts";
import { reconcile } from "./reconcile.ts";

const [HERE, THERE, NEW] = ["n-here", "n-there", "n-new"] as NodeId[] as [NodeId, NodeId, NodeId];
const NONE_LEFT = { attempts: 0, lostAttempts: 0 };
const LEFT = { attempts: 3, lostAttempts: 3 };

const at = (partition: number, change: Partial<OpenExecution> = {}): OpenExecution => ({
  id: `e-${partition}` as ExecutionId,
  nodeId: partition === 0 ? HERE : THERE,
  partition,
  attempt: 0,
  phase: "running",
  desired: "run",
  createdAtMs: 0,
  modifiedAtMs: 0,
  isSuperseded: false,
  ...change,
});
const failed = (code: string): OpenExecution => at(0, { phase: "failed", code, message: "why" });
const LOST = at(0, { phase: "lost", code: "node_lost", message: "gone" });
const OTHER = at(1);

/** What differs from a job of two, both of which run. */
type Situation = (type: JobType) => Partial<ReconcileInput>;
const ended = (one: OpenExecution, retry = LEFT): Situation => () => ({ open: [one, OTHER], retry });

const SITUATIONS: Readonly<Record<string, Situation>> = {
  "nothing has run yet": () => ({ open: [], nextPartition: 0, beenOn: new Set() }),
  "one has completed, the other runs": () => ({ open: [OTHER], completedCount: 1 }),
  "all have completed": () => ({ open: [], completedCount: 2 }),
  "its program failed, attempts are left": ended(failed("program_failed")),
  "its program failed, none is left": ended(failed("program_failed"), NONE_LEFT),
  "it was interrupted, attempts are left": ended(failed("interrupted")),
  "it was interrupted, none is left": ended(failed("interrupted"), NONE_LEFT),
  "its node was given up, attempts are left": ended(LOST),
  "its node was given up, none is left": ended(LOST, NONE_LEFT),
  "the node refused it: never": ended(at(0, { phase: "refused", code: "refused", message: "no" })),
  "the node refused it: not now": ended(at(0, { phase: "refused", code: "exhausted", message: "full" })),
  "one that was lost is back beside its successor": () => ({
    open: [at(0), at(0, { id: "e-2" as ExecutionId, attempt: 1, phase: "preparing" }), OTHER],
  }),
  "one that was lost has completed beside its successor": (type) =>
    isEndless(type) ? {} : {
      open: [at(0, { id: "e-2" as ExecutionId, attempt: 1, isSuperseded: true }), OTHER],
      completedCount: 1,
    },
  "its node is not for the job any more": (type) => isPerNode(type) ? { nodes: [THERE] } : {},
  "another node matches": (type) => isPerNode(type) ? { nodes: [HERE, THERE, NEW] } : {},
  "a new version, all of the earlier one run": (type) =>
    isEndless(type)
      ? { open: [], nextPartition: 0, older: [at(0), OTHER], isRolling: true }
      : { open: [], nextPartition: 0, beenOn: new Set() },
  "the job was stopped": () => ({ phase: "stopped" }),
};

/** A Markdown table: situations against types. */
export function livesTable(): string {
  const types = JobType.options;
  return [
    `| what has become of it | ${types.join(" | ")} |`,
    `| --- |${types.map(() => " --- |").join("")}`,
    ...Object.entries(SITUATIONS).map(([name, situation]) =>
      `| ${name} | ${types.map((type) => cell(reconcile(inputOf(type, situation)))).join(" | ")} |`
    ),
  ].join("\n");
}

function inputOf(type: JobType, situation: Situation): ReconcileInput {
  return {
    type,
    phase: "running",
    count: isPerNode(type) ? 0 : 2,
    retry: LEFT,
    nextPartition: 2,
    completedCount: 0,
    open: [at(0), OTHER],
    nodes: isPerNode(type) ? [HERE, THERE] : [],
    beenOn: new Set(type === "ops" ? [HERE, THERE] : []),
    older: [],
    vacated: [],
    away: new Set(),
    closed: new Set(),
    update: UPDATE_DEFAULT,
    isRolling: false,
    isHalted: false,
    nowMs: 0,
    ...situation(type),
  };
}

function cell({ slots, stops, outcome, againInMs }: Plan): string {
  const parts = [
    ...slots.map(({ attempt, nodeId, excluded, avoided }) => {
      const where = nodeId !== undefined
        ? ` on ${nodeId.slice(2)}`
        : excluded.length > 0
        ? " elsewhere"
        : avoided.length > 0
        ? " rather elsewhere"
        : "";
      return `${attempt === 0 ? "place one" : "again"}${where}`;
    }),
    ...(againInMs === undefined ? [] : ["again after a pause"]),
    ...(stops.length === 0 ? [] : [`stop ${stops.length === 1 ? "one" : "both"}`]),
    ...(outcome === undefined ? [] : [`job **${outcome.phase}**`]),
  ];
  return parts.length === 0 ? "·" : parts.join(", ");
}
