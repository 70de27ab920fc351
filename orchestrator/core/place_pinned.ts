/** Slots that name their node: jobs with one execution for each node. A slot whose node has no room waits for it. */
import type { NodeId } from "../../shared/model/ids.ts";
import type { Resources } from "../../shared/model/resources.ts";
import { type Need, rejection } from "./filters.ts";
import { type NodeView, usedOn } from "./node.ts";
import type { Placement, PlaceResult, Slot } from "./place.ts";
import { hasRoomAtAll, scores } from "./rankers.ts";
import { notEnoughNodes } from "./refusal.ts";

/** What pinned placement looks at. */
export interface PlacePinnedInput {
  readonly need: Need;
  /** Each with another node. */
  readonly slots: readonly (Slot & { readonly nodeId: NodeId })[];
  /** The first free number of a partition: those that are new are numbered as they find their place. */
  readonly nextPartition: number;
  /** More are not placed, whatever room there is. */
  readonly placementsMax?: number;
  readonly nodesKnown: number;
  /** Room that is being made for others that go first. */
  readonly reserved?: ReadonlyMap<NodeId, Resources>;
  readonly find: (id: NodeId) => NodeView | undefined;
}

/** As for slots that may go anywhere, and the nodes that the rest waits for. */
export interface PlacePinnedResult extends PlaceResult {
  readonly waitsFor: readonly NodeId[];
  /** Slots beyond the most that may be placed: nobody looked at their nodes. */
  readonly beyondCount: number;
}

/**
 * Nodes that a job is for, in the order given: approved, and nothing lasting speaks against them. One that was given up after
 * a long silence is waited for by a job without an end only; so is one that takes nothing new, unless the job has been there.
 */
export function matching(
  need: Need,
  nodes: readonly NodeView[],
  { isEndless, beenOn }: { isEndless: boolean; beenOn: ReadonlySet<NodeId> },
): readonly NodeId[] {
  return nodes.filter((view) => {
    const { membership, isGivenUp = false, drain, facts } = view.node;
    if (membership !== "approved" || (isGivenUp && !isEndless)) return false;
    if (drain !== undefined && !isEndless && !beenOn.has(facts.id)) return false;
    const no = rejection(need, view);
    return no === undefined || !no.filter.isLasting;
  }).map(({ node }) => node.facts.id);
}

/** Places what fits on its node. Cost: one look at each slot's node. */
export function placePinned(
  { need, slots, nextPartition, placementsMax = Infinity, nodesKnown, reserved, find }: PlacePinnedInput,
): PlacePinnedResult {
  let next = nextPartition;
  const placements: Placement[] = [];
  const waitsFor: NodeId[] = [];
  const rejected: { nodeId: NodeId; reason: string; isLasting: boolean }[] = [];
  const busy: NodeId[] = [];
  let beyondCount = 0;
  for (const slot of slots) {
    if (placements.length >= placementsMax) {
      beyondCount++;
      continue;
    }
    const { nodeId } = slot;
    const view = find(nodeId);
    const reason = view === undefined ? "is not known any more" : rejection(need, view)?.reason;
    const candidate = view && candidateOf(view, reserved?.get(nodeId));
    if (reason === undefined && hasRoomAtAll(need, candidate!)) {
      const explanation = { nodesKnown, nodesFit: 1, rejectedBy: {}, scores: scores(need, candidate!) };
      const isNew = slot.partition >= nextPartition;
      placements.push({ slot: isNew ? { ...slot, partition: next++ } : slot, nodeId, explanation });
      continue;
    }
    waitsFor.push(nodeId);
    // Whatever speaks against it now, the job is for this node: it waits.
    if (reason !== undefined) rejected.push({ nodeId, reason, isLasting: false });
    else busy.push(nodeId);
  }
  if (waitsFor.length === 0) return { placements, waitsFor, beyondCount };
  const requestedCount = waitsFor.length;
  const refusal = notEnoughNodes({ requestedCount, nodesKnown, rejected, refused: [], busy });
  return { placements, waitsFor, beyondCount, refusal };
}

function candidateOf(view: NodeView, reserved: Resources | undefined) {
  const { facts } = view.node;
  return {
    capacity: facts.capacity,
    queueCapacity: facts.queueCapacity,
    labels: facts.labels,
    used: usedOn(view, reserved),
    sameJobCount: 0,
    waitingCount: view.waitingCount,
    ...(view.waitingMax !== undefined && { waitingMax: view.waitingMax }),
  };
}
