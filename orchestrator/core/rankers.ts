/** How good a node that fits is: scores in [0, 1], weights in one table. */
import { matches } from "../../shared/model/constraint.ts";
import { fits, type Resources } from "../../shared/model/resources.ts";
import { isWish, type Need } from "./filters.ts";
import { isQueueFull } from "./node.ts";

/** A node while a plan is made: how full it is, placements of this plan included. */
export interface Candidate {
  readonly capacity: Resources;
  readonly labels: Readonly<Record<string, string>>;
  used: Resources;
  /** Executions of the same job there. */
  sameJobCount: number;
}

/** What each ranker counts. Room now outweighs everything that is about comfort. */
export const WEIGHTS = {
  /** Starts at once, instead of waiting in the node's queue. */
  room_now: 6,
  /** Meets the job's `favour_…` wishes. */
  wishes: 2,
  /** Few executions of the same job on one node: one lost node costs less. */
  apart: 1,
  /** The fuller of two nodes that fit, so that large tasks find room elsewhere. */
  packing: 1,
} as const;

/** A name of the table. */
export type Ranker = keyof typeof WEIGHTS;
const TOTAL = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
/** Weight of the spread over label values that a job asks for, beside a node's own score. */
export const SPREAD_WEIGHT = 0.5;

/** Each ranker's score of the candidate for one more execution. */
export function scores(need: Need, candidate: Candidate): Record<Ranker, number> {
  const { capacity, used } = candidate;
  const cpu = share(used.cpuMillis + need.resources.cpuMillis, capacity.cpuMillis);
  const memory = share(used.memoryBytes + need.resources.memoryBytes, capacity.memoryBytes);
  return {
    room_now: hasRoomNow(need, candidate) ? 1 : 0,
    wishes: wishes(need, candidate.labels),
    apart: 1 / (1 + candidate.sameJobCount),
    packing: (Math.min(1, cpu) + Math.min(1, memory)) / 2,
  };
}

/** The weighted mean of all rankers, in [0, 1]. Same numbers as `scores`, without an object: this is the hot path. */
export function score(need: Need, candidate: Candidate, wishScore: number): number {
  const { capacity, used } = candidate;
  const cpu = share(used.cpuMillis + need.resources.cpuMillis, capacity.cpuMillis);
  const memory = share(used.memoryBytes + need.resources.memoryBytes, capacity.memoryBytes);
  const packing = (Math.min(1, cpu) + Math.min(1, memory)) / 2;
  const roomNow = hasRoomNow(need, candidate) ? 1 : 0;
  return (roomNow * WEIGHTS.room_now + wishScore * WEIGHTS.wishes +
    WEIGHTS.apart / (1 + candidate.sameJobCount) +
    packing * WEIGHTS.packing) / TOTAL;
}

function hasRoomNow({ resources }: Need, { capacity, used }: Candidate): boolean {
  return used.cpuMillis + resources.cpuMillis <= capacity.cpuMillis &&
    used.memoryBytes + resources.memoryBytes <= capacity.memoryBytes &&
    used.diskBytes + resources.diskBytes <= capacity.diskBytes &&
    used.gpuCount + resources.gpuCount <= capacity.gpuCount;
}

/** Share of the job's wishes that the labels meet; 1 when it has none. */
export function wishes(need: Need, labels: Readonly<Record<string, string>>): number {
  const all = need.constraints.filter(isWish);
  if (all.length === 0) return 1;
  const met = all.filter((wish) =>
    matches({ ...wish, key: wish.key.slice("favour_".length) }, labels) || matches(wish, labels)
  );
  return met.length / all.length;
}

const share = (part: number, whole: number): number => whole === 0 ? 0 : part / whole;

/** Whether one more execution fits what the node has and what may queue there, in amounts and in number. */
export function hasRoomAtAll(
  need: Need,
  candidate: Candidate & { readonly queueCapacity: Resources; readonly waitingCount: number },
): boolean {
  if (isQueueFull(candidate)) return false;
  const { capacity, queueCapacity, used } = candidate;
  return fits(need.resources, {
    cpuMillis: capacity.cpuMillis + queueCapacity.cpuMillis - used.cpuMillis,
    memoryBytes: capacity.memoryBytes + queueCapacity.memoryBytes - used.memoryBytes,
    diskBytes: capacity.diskBytes + queueCapacity.diskBytes - used.diskBytes,
    gpuCount: capacity.gpuCount + queueCapacity.gpuCount - used.gpuCount,
  });
}
