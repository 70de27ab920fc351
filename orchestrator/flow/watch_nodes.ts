/** Signs of life: nodes that fall silent are shown as disconnected, and given up after a while. */
import type { Clock } from "../../shared/clock.ts";
import type { Deadlines } from "../../shared/ledger/deadlines.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import type { Node } from "../../shared/model/node.ts";
import { fits, NO_RESOURCES } from "../../shared/model/resources.ts";
import type { Hello, PeerId } from "../../shared/wire/messages.ts";
import { nodeOf } from "../../shared/wire/subjects.ts";
import { isQueueFull } from "../core/node.ts";
import type { Store } from "../store/store.ts";
import type { BusyNodes } from "./busy_nodes.ts";

/** What watching works on. */
export interface WatchNodesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Asks an agent to tell its state again. */
  readonly askAnew: (peer: PeerId) => void;
  readonly busy: BusyNodes;
  readonly nudge: () => void;
  readonly nudgeSchedule: () => void;
}

/** The stage that notices silence. */
export class WatchNodes {
  readonly name = "watch_nodes";
  readonly #options: WatchNodesOptions;
  /** Uptime of the last sign of life. */
  readonly #seen = new Map<NodeId, number>();
  #cancel: (() => void) | undefined;

  constructor(options: WatchNodesOptions) {
    this.#options = options;
    const now = options.clock.uptimeMs();
    for (const { node } of options.store.projection.nodes) this.#seen.set(node.facts.id, now);
    this.#again();
  }

  close(): void {
    this.#cancel?.();
  }

  /** A sign of life; inside sync's transaction. */
  onHello(from: PeerId, { load }: Hello): void {
    const { store, clock, deadlines, busy, nudgeSchedule } = this.#options;
    const id = nodeOf(from) as NodeId;
    this.#seen.set(id, clock.uptimeMs());
    const view = store.projection.find(id);
    if (view === undefined) {
      // Its facts come first; where they cannot be read any more, it is asked for them.
      if (store.nodes.unread.delete(id)) this.#options.askAnew(from);
      return;
    }
    const nowMs = store.nowMs();
    const known = view.node;
    const isBack = known.connection === "disconnected";
    const node: Node = {
      ...known,
      load: busy.believe(id, load) ?? known.load,
      seenAtMs: nowMs,
      ...(isBack &&
        { connection: "connected", connectedAtMs: nowMs, disconnectedAtMs: undefined, isGivenUp: undefined }),
    };
    store.projection.putNode(node);
    if (isBack) {
      store.nodes.put(node);
      deadlines.clear(id, "lost");
    }
    const mayQueue = isQueueFull(view) && !isQueueFull(store.projection.find(id)!);
    const hasRoom = mayQueue || hasMoreRoom(known, node);
    if (isBack) store.waiting.nodesChanged();
    else if (hasRoom) store.waiting.roomFreed(id);
    if (isBack || hasRoom) {
      store.database.afterCommit(nudgeSchedule);
    }
  }

  /** Finds the silent ones. */
  tick(): boolean {
    const { store, clock, deadlines } = this.#options;
    const silent = store.projection.nodes.map(({ node }) => node).filter(({ connection, facts }) =>
      connection === "connected" && clock.uptimeMs() - (this.#seen.get(facts.id) ?? 0) > LIMITS.nodeSilentMs
    );
    if (silent.length === 0) return false;
    store.transaction(() => {
      for (const node of silent) {
        const gone: Node = { ...node, connection: "disconnected", disconnectedAtMs: store.nowMs() };
        store.nodes.put(gone);
        store.projection.putNode(gone);
        deadlines.set(node.facts.id, "lost", LIMITS.nodeLostMs);
      }
    });
    // What is to leave a silent node may have to be given up.
    if (silent.some(({ drain }) => drain !== undefined)) this.#options.nudgeSchedule();
    return false;
  }

  #again(): void {
    this.#cancel = this.#options.clock.after(LIMITS.nodeSilentMs / 3, () => {
      this.#options.nudge();
      this.#again();
    });
  }
}

function hasMoreRoom({ load: before }: Node, { load: after }: Node): boolean {
  if (before?.refuses !== undefined && after?.refuses === undefined) return true;
  return !fits(before?.heldForOthers ?? NO_RESOURCES, after?.heldForOthers ?? NO_RESOURCES);
}
