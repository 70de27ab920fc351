/**
 * Jobs without an end: one live execution in every place, and none elsewhere. A new version takes over place by place: what
 * runs of an earlier one goes on until as many of the new one are up as the job's policy allows to be down.
 */
import { hasNotBegun, isLive } from "../../shared/model/execution.ts";
import { JOB_TERMINAL } from "../../shared/model/job.ts";
import {
  byPartition,
  firstSlot,
  nextSlot,
  type OpenExecution,
  type Place,
  type Plan,
  type ReconcileInput,
  STOP_MESSAGES,
  stopAll,
} from "./plan.ts";
import type { Slot } from "./place.ts";
import { restartInMs, streakAfter } from "./backoff.ts";
import { blame } from "./retry.ts";

/** Why what runs of an earlier version makes way. */
export const OLDER_VERSION = "Execution stop requested because job has been updated";
/** One that its node has started again so often without being up once will not do. */
const RESTARTS_MAX = 3;

/** What a plan is put together from. */
interface Draft {
  readonly slots: Slot[];
  /** One too many. */
  readonly surplus: OpenExecution[];
  /** Of an earlier version, in a place that the new one is to take. */
  readonly outdated: OpenExecution[];
  /** Places where the version runs and does its work. */
  upCount: number;
  /** Places that are on their way. */
  downCount: number;
  /** Places that have had nothing yet. */
  emptyCount: number;
  againInMs?: number;
}

/** The branch of reconcile for types without an end. */
export function keepUp(input: ReconcileInput): Plan {
  const { open, older, phase, update, isRolling, isHalted } = input;
  if (JOB_TERMINAL.has(phase)) return stopAll([...open, ...older], STOP_MESSAGES[phase]!);
  const draft: Draft = { slots: [], surplus: [], outdated: [], upCount: 0, downCount: 0, emptyCount: 0 };
  const attempts = byPartition(open);
  const left = new Set(older);
  const liveBefore = byPlace(older.filter((one) => isLive(one.phase)), input);
  const vacated = byPlace(input.vacated, input);
  for (const place of placesOf(input)) {
    const own = attempts.get(place.partition) ?? [];
    attempts.delete(place.partition);
    const before = liveBefore.get(keyOf(place, input)) ?? [];
    for (const one of before) left.delete(one);
    keepPlace(input, draft, { place, own, before, isVacated: vacated.has(keyOf(place, input)) });
  }
  const { slots, surplus, outdated, upCount, downCount, emptyCount, againInMs } = draft;
  const elsewhere = [...surplus, ...[...attempts.values()].flat(), ...left];
  const failure = isRolling ? failureOf(open) : undefined;
  // Nobody knows of a daemon that is on no node whether it would do.
  const isSeen = upCount > 0 || (input.type === "service" && input.count === 0);
  const isGood = isSeen && downCount === 0 && emptyCount === 0 && outdated.length === 0;
  // A version that will not do goes no further.
  const room = failure === undefined && !isHalted ? Math.max(0, update.maxParallel - downCount) : 0;
  return {
    slots,
    stops: [
      ...stopAll(elsewhere, STOP_MESSAGES.completed!).stops,
      ...stopAll(outdated.slice(0, room), OLDER_VERSION).stops,
    ],
    ...(againInMs !== undefined && { againInMs }),
    // One that would not do may come up after all.
    ...((isRolling || (isHalted && isGood)) && {
      rollout: { upCount, isGood, ...(failure !== undefined && { failure }) },
    }),
  };
}

function placesOf({ type, count, nodes, open, nextPartition }: ReconcileInput): readonly Place[] {
  if (type === "service") return Array.from({ length: count }, (_, partition) => ({ partition }));
  const partitions = new Map(open.map(({ nodeId, partition }) => [nodeId, partition]));
  let next = nextPartition;
  return nodes.map((nodeId) => ({ nodeId, partition: partitions.get(nodeId) ?? next++ }));
}

/** What tells places apart: partitions are numbered anew in each version, the node of a daemon stays. */
const keyOf = ({ partition, nodeId }: Place, { type }: Pick<ReconcileInput, "type">): string | number =>
  type === "service" ? partition : nodeId!;

const byPlace = <One extends Place>(all: readonly One[], job: Pick<ReconcileInput, "type">) =>
  Map.groupBy(all, (one) => keyOf(one, job));

/** What one place needs. */
function keepPlace(
  { away, closed, retry, nowMs }: ReconcileInput,
  draft: Draft,
  { place, own, before, isVacated }: {
    place: Place;
    own: readonly OpenExecution[];
    before: readonly OpenExecution[];
    /** What ran there of an earlier version has left because it was asked to. */
    isVacated: boolean;
  },
): void {
  const live = own.filter(({ phase }) => isLive(phase));
  // A node that is away holds nobody up: its place follows when it is back.
  const isAway = place.nodeId !== undefined && away.has(place.nodeId);
  // So does one that takes nothing new; what runs there goes on, as nothing could come in its place.
  const isClosed = place.nodeId !== undefined && closed.has(place.nodeId);
  if (live.length > 0) {
    // One that was given up has come back: the one that runs stays.
    const kept = live.find(({ phase }) => phase === "running") ?? live[0]!;
    draft.surplus.push(...own.filter((one) => one !== kept), ...before);
    if (isUp(kept)) draft.upCount++;
    else if (!isAway) draft.downCount++;
    return;
  }
  const running = before.filter(({ desired }) => desired === "run");
  if (running.length > 0) {
    if (isAway) draft.surplus.push(...running);
    else if (!isClosed) draft.outdated.push(...running);
  } else if (!isAway && !isClosed) {
    // A place that has been empty all along is not down because of the change: it may wait for room that the change frees.
    const isDown = before.length > 0 || own.length > 0 || isVacated;
    if (isDown) draft.downCount++;
    else draft.emptyCount++;
  }
  if (before.length > 0) return;
  const last = own.at(-1);
  const inMs = last === undefined ? 0 : restartInMs(last, retry, nowMs);
  if (inMs > 0) draft.againInMs = Math.min(draft.againInMs ?? Infinity, inMs);
  else if (last === undefined) draft.slots.push(firstSlot(place));
  else draft.slots.push({ ...nextSlot(last, place), streak: streakAfter(last) });
}

/** Whether it does its work: as its agent says, where that watches; else it is enough that it runs. */
const isUp = ({ phase, health }: OpenExecution): boolean =>
  phase === "running" && (health === undefined || health === "healthy");

/** Why a version that is on its way will not do: one of it ended by its own fault, or begins again and again. */
function failureOf(open: readonly OpenExecution[]): string | undefined {
  for (const one of open) {
    const { phase, restarts = 0, message = "no reason was given", partition } = one;
    if (phase === "failed" && blame(one) === "program") return `partition ${partition}: ${message}`;
    if (isLive(phase) && !isUp(one) && restarts >= RESTARTS_MAX) {
      return `partition ${partition} was started ${restarts + 1} times and is not up`;
    }
  }
}

/**
 * Whether a version that comes no further has nothing on its way but what waits for room, or for the end of what it replaces:
 * it is not at fault then.
 */
export function onlyWaits(
  { open, older, slots, away }: Pick<ReconcileInput, "open" | "older" | "away"> & Pick<Plan, "slots">,
): boolean {
  const there = open.filter(({ phase, nodeId }) => isLive(phase) && !away.has(nodeId));
  if (there.some((one) => !hasNotBegun(one.phase) && !isUp(one))) return false;
  if (slots.length > 0 || there.some(({ phase }) => hasNotBegun(phase))) return true;
  return older.some(({ phase, nodeId, desired }) => desired === "stop" && isLive(phase) && !away.has(nodeId));
}
