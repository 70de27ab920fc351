/**
 * Why a job is where it is, in words: what each filter says of each node, how a node that fits stands, and what spoke for
 * the node that was chosen. It asks the filters themselves, so that a filter that is added explains itself.
 */
import type { Explanation } from "../../shared/model/execution.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { DIMENSIONS, type Resources, subtract } from "../../shared/model/resources.ts";
import { amount, FILTERS, type Need, NOUNS } from "./filters.ts";
import { isQueueFull, type NodeView, usedOn } from "./node.ts";
import { hasRoomAtAll } from "./rankers.ts";

/**
 * `fits`: it would start there at once. `busy`: it would wait in the node's queue. `full`: no room there, nor in its queue.
 * `has_it`: the node has the one execution that it gets. `refused`: the node has said no. `not_now`: a filter says no that
 * may pass by itself. `cannot`: one that does not.
 */
export const VERDICTS = ["fits", "busy", "full", "has_it", "refused", "not_now", "cannot"] as const;
/** One of `VERDICTS`. */
export type Verdict = typeof VERDICTS[number];

/** Why not, or not yet. */
export interface Reason {
  /** Name of the filter; `room`, `refusal` and `quota` for what comes after all filters. */
  readonly filter: string;
  readonly isLasting: boolean;
  readonly text: string;
  /** What would change it. */
  readonly remedy: string;
}

/** What a node is to a job. */
export interface NodeVerdict {
  readonly nodeId: NodeId;
  readonly verdict: Verdict;
  /** What the filters say, what lasts first: the first is the one to act on. Empty when it fits. */
  readonly reasons: readonly Reason[];
}

/** A refusal that a node gave. */
export interface NodeRefusal {
  readonly reason: string;
  readonly hint?: string;
}

const LASTING_REMEDY = "Change what the job asks for, or the node";
const PASSING_REMEDY = "It passes by itself; the job is looked at again then";
const ROOM_REMEDY = "Earlier work there ends, or the job asks for less";

/** What is known of nodes beside themselves. */
export interface NodeNotes {
  /** Nodes that have refused what is to be placed. */
  readonly refusals: ReadonlyMap<NodeId, NodeRefusal>;
  /** Nodes that have their one execution: of jobs with one for each node. */
  readonly having: ReadonlySet<NodeId>;
  /** Why the job's namespace gets no more now, whatever room there is. */
  readonly overQuota?: string;
}

/** Nothing is known. */
export const NO_NOTES: NodeNotes = { refusals: new Map(), having: new Set() };

/** One node. */
export function judge(
  need: Need,
  view: NodeView,
  { refusals, having, overQuota }: NodeNotes = NO_NOTES,
): NodeVerdict {
  const reasons = FILTERS.flatMap((filter): Reason[] => {
    const text = filter.rejects(need, view);
    if (text === undefined) return [];
    const { name, isLasting, remedy = isLasting ? LASTING_REMEDY : PASSING_REMEDY } = filter;
    return [{ filter: name, isLasting, text, remedy }];
  }).sort((a, b) => Number(b.isLasting) - Number(a.isLasting));
  const nodeId = view.node.facts.id;
  const refusal = refusals.get(nodeId);
  if (having.has(nodeId)) return { nodeId, verdict: "has_it", reasons: [HAS_IT] };
  if (reasons.length > 0) {
    return { nodeId, verdict: reasons[0]!.isLasting ? "cannot" : "not_now", reasons };
  }
  if (refusal !== undefined) {
    const { reason, hint = LASTING_REMEDY } = refusal;
    return { nodeId, verdict: "refused", reasons: [refused(reason, hint)] };
  }
  const found = room(need, view);
  if (overQuota === undefined || found.verdict === "full") return { nodeId, ...found };
  return { nodeId, verdict: "not_now", reasons: [beyondQuota(overQuota), ...found.reasons] };
}

const beyondQuota = (why: string): Reason => ({
  filter: "quota",
  isLasting: false,
  text: `would take it, but ${why}`,
  remedy: "Other work of the namespace ends, or its quota is raised (skerry namespace set)",
});

const HAS_IT: Reason = {
  filter: "one_each",
  isLasting: true,
  text: "has the one execution that each node gets",
  remedy: "",
};

// Agents speak of themselves: `this node does not have …`.
const refused = (reason: string, remedy: string): Reason => ({
  filter: "refusal",
  isLasting: true,
  text: `has refused it: ${reason.replace(/^this node /, "")}`,
  remedy,
});

function room(need: Need, view: NodeView): Pick<NodeVerdict, "verdict" | "reasons"> {
  const { capacity, queueCapacity, labels } = view.node.facts;
  const used = usedOn(view);
  const short = shortage(need.resources, { capacity, used });
  const reason = (text: string): Reason => ({
    filter: "room",
    isLasting: false,
    text,
    remedy: ROOM_REMEDY,
  });
  const { waitingCount, waitingMax } = view;
  const asCandidate = { capacity, queueCapacity, labels, used, sameJobCount: 0, waitingCount, waitingMax };
  const executions = `${waitingCount} ${waitingCount === 1 ? "execution" : "executions"}`;
  if (hasRoomAtAll(need, asCandidate)) {
    if (short === undefined) return { verdict: "fits", reasons: [] };
    const behind = waitingCount > 0 ? ` behind ${executions}` : "";
    return { verdict: "busy", reasons: [reason(`${short}; it would wait there${behind}`)] };
  }
  const queue = isQueueFull(asCandidate)
    ? `no more may wait there than the ${executions} that do`
    : undefined;
  return { verdict: "full", reasons: [reason([short, queue].filter(Boolean).join("; ") || "node busy")] };
}

/** `asks for 4 GiB memory, 1.9 GiB free of 8 GiB`; undefined when there is room for all of it. */
function shortage(
  asked: Resources,
  { capacity, used }: { capacity: Resources; used: Resources },
): string | undefined {
  const free = subtract(capacity, used);
  const lacking = DIMENSIONS.filter((dimension) => asked[dimension] > free[dimension]);
  if (lacking.length === 0) return undefined;
  return lacking.map((dimension) => {
    const left = { ...free, [dimension]: Math.max(0, free[dimension]) };
    return `asks for ${amount(dimension, asked)} ${NOUNS[dimension](asked[dimension])}, ${
      amount(dimension, left)
    } free of ${amount(dimension, capacity)}`;
  }).join("; ");
}

/** Nodes of which the same is to be said. */
export interface VerdictGroup {
  readonly verdict: Verdict;
  /** The reason that decides; absent when they fit. */
  readonly reason?: Reason;
  readonly nodeCount: number;
  /** The first of them. */
  readonly nodeIds: readonly NodeId[];
  /** Of nodes with different reasons of one filter: how many; the reason shown is the most frequent of them. */
  readonly reasonCount: number;
}

/** Nodes that a group names. */
const NAMED_MAX = 3;

/** Verdicts counted by what they say: ten thousand nodes are told in a few lines. */
export class Tally {
  readonly #groups = new Map<
    string,
    { verdict: Verdict; reason?: Reason; nodeIds: NodeId[]; count: number }
  >();
  readonly #counts = new Map<Verdict, number>();

  add({ nodeId, verdict, reasons: [reason] }: NodeVerdict): void {
    this.#counts.set(verdict, this.count(verdict) + 1);
    const key = `${verdict} ${reason?.filter} ${reason?.text}`;
    const known = this.#groups.get(key);
    const group = known ?? { verdict, reason, nodeIds: [], count: 0 };
    if (known === undefined) this.#groups.set(key, group);
    group.count++;
    if (group.nodeIds.length < NAMED_MAX) group.nodeIds.push(nodeId);
  }

  count(verdict: Verdict): number {
    return this.#counts.get(verdict) ?? 0;
  }

  /** Verdicts in their order, the most frequent reasons first. What is beyond `limit` is told by filter. */
  groups(limit: number): readonly VerdictGroup[] {
    const all = [...this.#groups.values()].sort((a, b) =>
      b.count - a.count || (a.nodeIds[0]! < b.nodeIds[0]! ? -1 : 1)
    );
    const shown = all.slice(0, limit).map(({ count, ...group }): VerdictGroup => ({
      ...group,
      nodeCount: count,
      reasonCount: 1,
    }));
    const rest = Map.groupBy(all.slice(limit), ({ verdict, reason }) => `${verdict} ${reason?.filter}`);
    for (const alike of rest.values()) {
      const { count: _, ...first } = alike[0]!;
      const nodeCount = alike.reduce((sum, { count }) => sum + count, 0);
      shown.push({ ...first, nodeCount, reasonCount: alike.length });
    }
    const rank = ({ verdict }: VerdictGroup) => VERDICTS.indexOf(verdict);
    return shown.sort((a, b) => rank(a) - rank(b) || b.nodeCount - a.nodeCount);
  }
}

const percent = (score: number): string => `${Math.round(score * 100)} %`;

/** Each ranker's score, as a sentence would say it. */
const SCORE_WORDS: Readonly<Record<string, (score: number) => string | undefined>> = {
  room_now: (score) => score > 0 ? "it had room at once" : "it was busy, and nothing better was free",
  wishes: (score) => score < 1 ? `it met ${percent(score)} of the job's wishes` : undefined,
  apart: (score) => {
    const others = Math.round(1 / score) - 1;
    if (others === 0) return "nothing else of the job was there";
    return `${others} ${others === 1 ? "execution" : "executions"} of the job ${
      others === 1 ? "was" : "were"
    } there`;
  },
  made_room: (count) =>
    count === 0
      ? "room was on its way there"
      : `${count} ${count === 1 ? "execution" : "executions"} of lower priority made room`,
  packing: (score) => `with it ${percent(score)} of its cores and memory was in use, as the mean of both`,
};

/** `best of 3 nodes that fitted, of 5 known: it has room at once; …`. `isPerNode`: of a job with one execution for each node. */
export function whyThere(
  { nodesKnown, nodesFit, rejectedBy, scores }: Explanation,
  { isPerNode }: { isPerNode: boolean },
): string {
  const known = `of ${nodesKnown} known`;
  const fitted = nodesFit === 1
    ? `the only node that fitted, ${known}`
    : `best of ${nodesFit} nodes that fitted, ${known}`;
  if (isPerNode) return `one for each node that matches, of ${nodesKnown} known`;
  const words = Object.entries(scores).flatMap(([ranker, score]) => {
    const say = SCORE_WORDS[ranker];
    return (say === undefined ? `${ranker.replaceAll("_", " ")} ${score.toFixed(2)}` : say(score)) ?? [];
  });
  const others = Object.entries(rejectedBy).map(([filter, count]) => `${count} by ${filter}`);
  const rejected = others.length > 0 ? ` (others ruled out: ${others.join(", ")})` : "";
  return `${fitted}${rejected}: ${words.join("; ")}`;
}
