/**
 * Which node each slot goes to: filters, then rankers, then the spread that the job asks for. Deterministic: nodes are
 * taken in the order of their ids, ties go to the first.
 *
 * Cost: one pass over the nodes, then O(log nodes + groups) for each slot.
 */
import type { Explanation } from "../../shared/model/execution.ts";
import type { ExecutionId, NodeId } from "../../shared/model/ids.ts";
import { add, type Resources } from "../../shared/model/resources.ts";
import { type Need, rejection } from "./filters.ts";
import { Heap } from "./heap.ts";
import { type NodeView, usedOn } from "./node.ts";
import { type Candidate, hasRoomAtAll, score, scores, SPREAD_WEIGHT, wishes } from "./rankers.ts";
import { notEnoughNodes, type Refusal } from "./refusal.ts";

/** A node that refused a partition, and why. */
export interface Exclusion {
  readonly nodeId: NodeId;
  readonly reason: string;
  readonly hint?: string;
}

/** One execution that is wanted. */
export interface Slot {
  readonly partition: number;
  /** The only node that it may go to. */
  readonly nodeId?: NodeId;
  readonly attempt: number;
  readonly previousId?: ExecutionId;
  /** Nodes that refused this partition, each once: never again. */
  readonly excluded: readonly Exclusion[];
  /** Nodes where it ended badly: only when no other fits. */
  readonly avoided: readonly NodeId[];
  /** Of jobs without an end: ends in a row before it. */
  readonly streak?: number;
  /** Goes there if it fits. */
  readonly preferred?: NodeId;
}

/** What placement looks at. */
export interface PlaceInput {
  readonly need: Need;
  /** Label keys over whose values the executions are spread. */
  readonly spread: readonly string[];
  readonly slots: readonly Slot[];
  /** Sorted by id. */
  readonly nodes: readonly NodeView[];
  /** Live executions of the job by node. */
  readonly sameJob: ReadonlyMap<NodeId, number>;
  /** Room that is being made for others that go first. */
  readonly reserved?: ReadonlyMap<NodeId, Resources>;
}

/** A slot with its node, and why that one. */
export interface Placement {
  readonly slot: Slot;
  readonly nodeId: NodeId;
  readonly explanation: Explanation;
}

/** What found a place, and why the rest did not. */
export interface PlaceResult {
  readonly placements: readonly Placement[];
  /** Why the rest found no place; undefined when every slot did. */
  readonly refusal?: Refusal;
}

interface Fit extends Candidate {
  /** Its place in the list of fitting nodes: what the heap holds. */
  readonly index: number;
  readonly id: NodeId;
  readonly queueCapacity: Resources;
  /** Executions there that have not begun, placements of this plan included. */
  waitingCount: number;
  readonly waitingMax: number | undefined;
  readonly wishScore: number;
  readonly group: Group;
}

/** Nodes with the same values of the spread labels. */
interface Group {
  readonly heap: Heap;
  count: number;
}

/** A node that a filter rules out. */
interface Rejected {
  readonly nodeId: NodeId;
  readonly reason: string;
  readonly filter: string;
  readonly isLasting: boolean;
  readonly remedy?: string;
}

/** Places what fits. */
export function place(input: PlaceInput): PlaceResult {
  const rejected: Rejected[] = [];
  const { fitting, groups } = sift(input, rejected);
  const rejectedBy: Record<string, number> = {};
  for (const { filter } of rejected) rejectedBy[filter] = (rejectedBy[filter] ?? 0) + 1;

  const placements: Placement[] = [];
  let left: Slot | undefined;
  for (const slot of input.slots) {
    const chosen = choose(input.need, { fitting, groups, slot });
    if (chosen === undefined) {
      left = slot;
      break;
    }
    placements.push({
      slot,
      nodeId: chosen.id,
      explanation: {
        nodesKnown: input.nodes.length,
        nodesFit: fitting.length,
        rejectedBy,
        scores: scores(input.need, chosen),
      },
    });
    take(input.need, chosen);
  }
  if (left === undefined) return { placements };
  const { excluded } = left;
  const refusal = notEnoughNodes({
    requestedCount: input.slots.length - placements.length,
    nodesKnown: input.nodes.length,
    rejected,
    refused: excluded.filter(({ nodeId }) => fitting.some(({ id }) => id === nodeId)),
    busy: fitting.map(({ id }) => id).filter((id) => !excludes(left, id)),
  });
  return { placements, refusal };
}

const excludes = ({ excluded }: Slot, id: NodeId): boolean => excluded.some(({ nodeId }) => nodeId === id);

function sift(
  input: PlaceInput,
  rejected: Rejected[],
) {
  const fitting: Fit[] = [];
  const byKey = new Map<string, Group>();
  const { need, nodes, spread, sameJob, reserved } = input;
  for (const view of nodes) {
    const { facts } = view.node;
    const no = rejection(need, view);
    if (no !== undefined) {
      rejected.push({
        nodeId: facts.id,
        reason: no.reason,
        filter: no.filter.name,
        isLasting: no.filter.isLasting,
        remedy: no.filter.remedy,
      });
      continue;
    }
    const group = groupOf(byKey, { labels: facts.labels, spread, size: nodes.length });
    const fit: Fit = {
      index: fitting.length,
      id: facts.id,
      capacity: facts.capacity,
      queueCapacity: facts.queueCapacity,
      labels: facts.labels,
      used: usedOn(view, reserved?.get(facts.id)),
      waitingCount: view.waitingCount,
      waitingMax: view.waitingMax,
      sameJobCount: sameJob.get(facts.id) ?? 0,
      wishScore: wishes(need, facts.labels),
      group,
    };
    group.count += fit.sameJobCount;
    fitting.push(fit);
    put(need, fit);
  }
  return { fitting, groups: [...byKey.values()] };
}

function groupOf(
  groups: Map<string, Group>,
  { labels, spread, size }: {
    labels: Readonly<Record<string, string>>;
    spread: readonly string[];
    size: number;
  },
): Group {
  const key = spread.length === 0 ? "" : spread.map((label) => labels[label] ?? "").join("\0");
  let group = groups.get(key);
  if (group === undefined) groups.set(key, group = { heap: new Heap(size), count: 0 });
  return group;
}

/** The best node for the slot, taken out of its heap; `take` puts it back. */
function choose(
  need: Need,
  { fitting, groups, slot }: { fitting: Fit[]; groups: Group[]; slot: Slot },
): Fit | undefined {
  const { excluded, avoided, preferred } = slot;
  if (excluded.length === 0 && avoided.length === 0 && preferred === undefined) {
    return popBest(fitting, groups);
  }
  const wanted = preferred === undefined ? undefined : takeOut(need, { fitting, groups, id: preferred });
  if (wanted !== undefined) return wanted;
  const skipped: Fit[] = [];
  let fallback: Fit | undefined;
  let chosen: Fit | undefined;
  while (chosen === undefined) {
    const best = popBest(fitting, groups);
    if (best === undefined) break;
    if (excludes(slot, best.id)) skipped.push(best);
    else if (slot.avoided.includes(best.id)) {
      if (fallback === undefined) fallback = best;
      else skipped.push(best);
    } else chosen = best;
  }
  if (chosen !== undefined && fallback !== undefined) skipped.push(fallback);
  for (const fit of skipped) put(need, fit);
  return chosen ?? fallback;
}

/** This one, if it has room. Cost: all that are better are taken out and put back. */
function takeOut(
  need: Need,
  { fitting, groups, id }: { fitting: Fit[]; groups: Group[]; id: NodeId },
): Fit | undefined {
  const skipped: Fit[] = [];
  let best = popBest(fitting, groups);
  while (best !== undefined && best.id !== id) {
    skipped.push(best);
    best = popBest(fitting, groups);
  }
  for (const fit of skipped) put(need, fit);
  return best;
}

function popBest(fitting: Fit[], groups: readonly Group[]): Fit | undefined {
  let best: Group | undefined;
  let bestScore = -1;
  for (const group of groups) {
    const top = group.heap.peek();
    if (top === undefined) continue;
    const own = group.heap.scoreOf(top);
    const total = groups.length === 1 ? own : own + SPREAD_WEIGHT / (1 + group.count);
    if (total > bestScore) [best, bestScore] = [group, total];
  }
  const index = best?.heap.pop();
  return index === undefined ? undefined : fitting[index];
}

function take(need: Need, chosen: Fit): void {
  chosen.used = add(chosen.used, need.resources);
  chosen.waitingCount++;
  chosen.sameJobCount++;
  chosen.group.count++;
  // A port that the task names is there once.
  if (need.hostPorts.length === 0) put(need, chosen);
}

function put(need: Need, fit: Fit): void {
  if (hasRoomAtAll(need, fit)) fit.group.heap.push(fit.index, score(need, fit, fit.wishScore));
}
