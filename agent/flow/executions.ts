/**
 * The executions that have not ended, in memory, and their way to the journal. An event is decided on at once; state,
 * report and history are then written in one transaction, which many executions share. What was decided and is not
 * written is told to nobody, and recovery from the older state does the same again.
 */
import type { Clock } from "../../shared/clock.ts";
import { invariant } from "../../shared/invariant.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { appendEvent } from "../../shared/ledger/ledger.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { HistoryEvent } from "../../shared/model/history.ts";
import type { ImageFound } from "../../shared/model/image.ts";
import type { Port } from "../../shared/model/port.ts";
import type { Ports } from "../core/ports.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { NodeLoad } from "../../shared/model/node.ts";
import { add, NO_RESOURCES, type Resources, subtract } from "../../shared/model/resources.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import type { PeerId } from "../../shared/wire/messages.ts";
import { Allocations, compareWaiting, grant, type Waiting } from "../core/capacity.ts";
import { step } from "../core/execution.ts";
import {
  type Effect,
  type ExecutionEvent,
  type ExecutionState,
  holdsAllocation,
  runOf,
} from "../core/execution_state.ts";
import type { Failure } from "../core/outcome.ts";
import type { Journal } from "../store/journal.ts";
import { happenedMessage, reportMark, reportMessage, toReport } from "./report.ts";

/** One execution that has not ended, or whose end is not written yet. */
export interface Live {
  readonly row: number;
  readonly id: ExecutionId;
  readonly home: PeerId;
  readonly order: RunOrder;
  readonly state: ExecutionState;
  readonly revision: number;
  /** What its container's image was found to be. */
  readonly image?: ImageFound;
  /** Of the node, that it has until it ends. */
  readonly ports?: readonly Port[];
}

interface Kept {
  readonly row: number;
  readonly id: ExecutionId;
  readonly home: PeerId;
  readonly order: RunOrder;
  state: ExecutionState;
  revision: number;
  image?: ImageFound;
  readonly ports?: readonly Port[];
  /** `reportMark` of the newest report. */
  reported: string | undefined;
  /** Its row has been committed. */
  isStored: boolean;
  /** Uptime of the oldest decision that is not written. */
  dirtyAtMs: number | undefined;
  readonly untold: HistoryEvent[];
  /** How many of them the open transaction has told. */
  toldCount: number;
  overtakenCount: number;
  /** What is done only once the state that led to it is on disk. */
  readonly onceStored: Set<Effect>;
}

/** An effect and whose it is. */
export interface Due {
  readonly live: Live;
  readonly effect: Effect;
}

/** What the executions are written to and told by. */
export interface ExecutionsOptions {
  readonly database: Database;
  readonly journal: Journal;
  readonly deadlines: Deadlines;
  readonly clock: Clock;
  readonly lifetime: Lifetime;
  readonly capacity: Resources;
  readonly ports: Ports;
  /** The node's bound on the time between stop signal and kill. */
  readonly stopGraceMsMax: number;
  /** Publisher types whose results stay here until they are fetched. */
  readonly keepsResultsHere: ReadonlySet<string>;
  readonly send: (peer: PeerId, message: Message) => void;
  /** A stage has work. */
  readonly nudge: () => void;
}

/** Deadline of a running task, all its runs together. */
export const EXECUTION_DEADLINE = "execution";
/** End of the pause before a task is started again. */
export const RESTART_DEADLINE = "restart";
/** A decision that is not an end may wait this long for another to be written with: short tasks then cost one commit. */
const WRITE_WITHIN_MS = 20;

/** All executions of the node that have not ended. */
export class Executions {
  readonly #options: ExecutionsOptions;
  readonly #live = new Map<ExecutionId, Kept>();
  readonly #dirty = new Set<Kept>();
  readonly allocations: Allocations;
  /** Sorted by `compareWaiting`. */
  readonly #queue: Kept[] = [];
  #queued: Resources = NO_RESOURCES;
  #effects: Due[] = [];
  #nextRow: number;
  #isUrgent = false;

  constructor(options: ExecutionsOptions) {
    this.#options = options;
    this.allocations = new Allocations(options.capacity, { countMax: LIMITS.agentRunningMax });
    this.#nextRow = options.journal.nextRow();
    for (const { order, ...record } of options.journal.loadLive()) {
      const kept: Kept = { ...record, order, ...fresh(), reported: reportMark(record.state), isStored: true };
      this.#live.set(kept.id, kept);
      if (kept.state.phase === "queued") this.#enqueue(kept);
      if (kept.state.phase === "queued" || kept.state.phase === "ended") {
        // Whether it was told is not known: tell it.
        kept.reported = undefined;
        this.#touch(kept);
      }
      if (kept.state.phase !== "ended") options.ports.hold(kept.id, kept.ports ?? []);
      if (holdsAllocation(kept.state)) this.allocations.hold(kept.id, order.task.resources, order.namespace);
    }
  }

  find(id: ExecutionId): Live | undefined {
    return this.#live.get(id);
  }

  /** Whether its engine may still be started. */
  mayStart(id: ExecutionId): boolean {
    const state = this.#live.get(id)?.state;
    return state?.phase === "preparing" && state.stopping === undefined;
  }

  /** How long the task has between the signal to stop and the kill. */
  graceOf({ order }: Pick<Live, "order">): number {
    return Math.min(order.stopGraceMs, this.#options.stopGraceMsMax);
  }

  all(): readonly Live[] {
    return [...this.#live.values()];
  }

  /** Allocated and queued together. */
  get held(): Resources {
    return add(this.allocations.total, this.#queued);
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /** Whether it could start at once, ahead of nobody. */
  hasRoomFor(resources: Resources): boolean {
    const { room } = this.allocations;
    return this.#queue.length === 0 &&
      grant([{ ...NOBODY, resources }], { room, countMax: 1 }).granted.length === 1;
  }

  load(refuses: string | undefined): NodeLoad {
    return {
      allocated: this.allocations.total,
      queued: this.#queued,
      runningCount: this.allocations.count,
      queuedCount: this.#queue.length,
      ...(refuses !== undefined && { refuses }),
    };
  }

  /** Takes an execution into the queue, or as refused; written in the caller's transaction. */
  admit(order: RunOrder, home: PeerId, refusal?: Failure): void {
    const ports = refusal ?? this.#options.ports.allocate(order.executionId, order.task.network);
    if ("code" in ports) {
      return this.#admit(order, home, { phase: "ended", outcome: { kind: "refused", ...ports } });
    }
    this.#admit(order, home, { phase: "queued" }, ports);
  }

  #admit(order: RunOrder, home: PeerId, state: ExecutionState, ports: readonly Port[] = []): void {
    const kept: Kept = {
      row: this.#nextRow++,
      id: order.executionId,
      home,
      order,
      state,
      revision: 0,
      ...(ports.length > 0 && { ports }),
      ...fresh(),
    };
    this.#live.set(kept.id, kept);
    this.#touch(kept);
    const isQueued = state.phase === "queued";
    if (isQueued) this.#enqueue(kept);
    // What waits for room is told with the next write; with room it will have started by then.
    this.#write(kept, { isReported: !isQueued });
  }

  /** The transaction of what arrived failed: what it admitted is sent again by its home. */
  dropUnstored(): void {
    for (const kept of this.#dirty) kept.toldCount = 0;
    for (const kept of [...this.#dirty].filter(({ isStored }) => !isStored)) {
      if (kept.state.phase === "queued") this.#dequeue(kept);
      this.#dirty.delete(kept);
      this.#live.delete(kept.id);
      this.#options.ports.release(kept.id);
    }
  }

  /** Applies an event; its effects wait in `takeEffects`. Answers whether the state changed; an unknown id ignores it. */
  decide(id: ExecutionId, event: ExecutionEvent): boolean {
    const kept = this.#live.get(id);
    if (kept === undefined) return false;
    const { next, effects } = step(kept.state, event);
    const isChanged = next !== kept.state;
    if (isChanged && kept.state.phase === "queued") this.#dequeue(kept);
    kept.state = next;
    if (next.phase === "ended") this.#options.ports.release(id);
    for (const effect of effects) this.#note(kept, effect);
    if (isChanged) this.#touch(kept);
    else if (effects.length > 0) this.#options.nudge();
    return isChanged;
  }

  /** Told with whatever is reported of it from now on. */
  noteImage(id: ExecutionId, image: ImageFound): void {
    const kept = this.#live.get(id);
    if (kept === undefined || kept.state.phase === "ended") return;
    kept.image = image;
    this.#touch(kept);
  }

  #note(kept: Kept, effect: Effect): void {
    switch (effect.type) {
      case "hold":
        return this.allocations.hold(kept.id, kept.order.task.resources, kept.order.namespace);
      case "release":
        return this.allocations.release(kept.id);
      case "tell":
        kept.untold.push(effect.event);
        return this.#touch(kept);
      case "prepare":
        // After a power cut nothing else may tell of the start, or to which run a start belongs.
        if (kept.order.runsOnce || runOf(kept.state) > 0) return this.#noteOnceStored(kept, effect);
        return void this.#effects.push({ live: kept, effect });
      default:
        this.#effects.push({ live: kept, effect });
    }
  }

  #noteOnceStored(kept: Kept, effect: Effect): void {
    kept.onceStored.add(effect);
    this.#isUrgent = true;
    this.#touch(kept);
  }

  #touch(kept: Kept): void {
    kept.dirtyAtMs ??= this.#options.clock.uptimeMs();
    this.#dirty.add(kept);
    if (kept.state.phase === "ended") this.#isUrgent = true;
    this.#options.nudge();
  }

  /** Lets those of the queue start for whom there is room. Only what is on disk starts. */
  grantRoom(): void {
    if (this.#queue.length === 0) return;
    const waiting = this.#queue.filter(({ isStored }) => isStored).map(toWaiting);
    const { granted, blocked } = grant(waiting, {
      room: this.allocations.room,
      countMax: LIMITS.agentRunningMax - this.allocations.count,
      shares: {
        heldBy: (owner) => this.allocations.heldBy(owner),
        capacity: this.allocations.capacity,
      },
    });
    if (blocked !== undefined) {
      this.#live.get(blocked.id as ExecutionId)!.overtakenCount = blocked.overtakenCount;
    }
    for (const { id } of granted) this.decide(id as ExecutionId, { type: "granted" });
  }

  takeEffects(): readonly Due[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Ms until what was decided must be written; 0 is now, undefined that there is nothing. */
  writeWithinMs(): number | undefined {
    if (this.#dirty.size === 0) return undefined;
    if (this.#isUrgent) return 0;
    let oldestMs = Infinity;
    for (const { dirtyAtMs } of this.#dirty) oldestMs = Math.min(oldestMs, dirtyAtMs ?? Infinity);
    return Math.max(0, oldestMs + WRITE_WITHIN_MS - this.#options.clock.uptimeMs());
  }

  /** Writes everything that was decided, in one transaction. */
  flush(options: { afterCommit?: () => void; onFailed?: (error: unknown) => void } = {}): void {
    if (this.#dirty.size === 0) return;
    const { database } = this.#options;
    const work = () => {
      for (const kept of this.#dirty) this.#write(kept, { isReported: true });
      if (options.afterCommit !== undefined) database.afterCommit(options.afterCommit);
    };
    const onFailed = (error: unknown) => {
      for (const kept of this.#dirty) kept.toldCount = 0;
      options.onFailed?.(error);
    };
    database.transaction(work, { onFailed });
  }

  /** Writes what was decided of one execution in the caller's transaction. */
  writeNow(id: ExecutionId): void {
    const kept = this.#live.get(id);
    if (kept !== undefined && this.#dirty.has(kept)) this.#write(kept, { isReported: true });
  }

  #write(kept: Kept, { isReported }: { isReported: boolean }): void {
    const { database, journal, lifetime } = this.#options;
    const { state } = kept;
    const revision = ++kept.revision;
    journal.put({ ...kept, state, revision }, {
      endedMs: state.phase === "ended" ? lifetime.nowMs() : undefined,
      keepsResults: this.#keepsResults(state),
    });
    if (!kept.isStored) journal.putOrder(kept.row, kept.order);
    this.#writeDeadlines(kept, state);
    const mark = reportMark(state);
    if (isReported && mark !== kept.reported) {
      this.#options.send(
        kept.home,
        reportMessage(toReport({ ...kept, revision, state }, lifetime.nowMs())),
      );
    }
    // Written twice in one transaction, each event is told once all the same.
    const told = kept.untold.slice(kept.toldCount);
    kept.toldCount = kept.untold.length;
    for (const event of told) this.#tell(kept, event);
    const allowed = [...kept.onceStored];
    database.afterCommit(() => {
      kept.isStored = true;
      for (const effect of allowed) this.#allow(kept, effect);
      if (isReported) kept.reported = mark;
      kept.untold.splice(0, told.length);
      kept.toldCount -= told.length;
      // Decided on further meanwhile, or not told yet: it is written again.
      if (kept.state !== state || kept.untold.length > 0 || mark !== kept.reported) {
        return this.#options.nudge();
      }
      this.#settle(kept);
    });
  }

  #allow(kept: Kept, effect: Effect): void {
    if (!kept.onceStored.delete(effect)) return;
    this.#effects.push({ live: kept, effect });
    this.#options.nudge();
  }

  #settle(kept: Kept): void {
    kept.dirtyAtMs = undefined;
    this.#dirty.delete(kept);
    if (this.#dirty.size === 0) this.#isUrgent = false;
    if (kept.state.phase === "ended") this.#live.delete(kept.id);
  }

  #keepsResults(state: ExecutionState): boolean {
    return state.phase === "ended" && state.result !== undefined &&
      this.#options.keepsResultsHere.has(state.result.type);
  }

  #writeDeadlines(kept: Kept, state: ExecutionState): void {
    const { deadlines } = this.#options;
    if (state.phase === "restarting") deadlines.set(kept.id, RESTART_DEADLINE, state.inMs);
    else deadlines.clear(kept.id, RESTART_DEADLINE);
    const { executionMs } = kept.order.task.timeouts;
    if (executionMs === 0) return;
    if (isTimed(state)) deadlines.set(kept.id, EXECUTION_DEADLINE, executionMs);
    else deadlines.clear(kept.id, EXECUTION_DEADLINE);
  }

  #tell(kept: Kept, event: HistoryEvent): void {
    const { database, clock, send } = this.#options;
    const { jobVersion } = kept.order;
    appendEvent(database, clock, { subject: kept.row, jobVersion, executionId: kept.id, event });
    send(kept.home, happenedMessage(kept.id, event));
  }

  #enqueue(kept: Kept): void {
    let at = this.#queue.length;
    while (at > 0 && compareWaiting(toWaiting(this.#queue[at - 1]!), toWaiting(kept)) > 0) at--;
    this.#queue.splice(at, 0, kept);
    this.#queued = add(this.#queued, kept.order.task.resources);
  }

  #dequeue(kept: Kept): void {
    const at = this.#queue.indexOf(kept);
    invariant(at >= 0, "a queued execution is not in the queue");
    this.#queue.splice(at, 1);
    this.#queued = this.#queue.length === 0
      ? NO_RESOURCES
      : subtract(this.#queued, kept.order.task.resources);
  }
}

function fresh() {
  return {
    reported: undefined,
    isStored: false,
    dirtyAtMs: undefined,
    untold: [],
    toldCount: 0,
    overtakenCount: 0,
    onceStored: new Set<Effect>(),
  };
}

/** From the start of the first run on, until it is being ended for good. */
function isTimed(state: ExecutionState): boolean {
  if (state.phase === "restarting") return true;
  if (state.phase !== "running" && (state.phase !== "preparing" || state.past === undefined)) return false;
  const because = state.stopping?.because;
  return because !== "order" && because !== "time_out";
}

function toWaiting({ id, row, order, overtakenCount }: Kept): Waiting {
  const { priority, namespace, weight = 1, task } = order;
  return { id, row, priority, resources: task.resources, owner: namespace, weight, overtakenCount };
}

const NOBODY = { id: "", priority: 0, row: 0, owner: "", weight: 1, overtakenCount: 0 };
