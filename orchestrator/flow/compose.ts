/** One orchestrator out of its stages: the same for a process and for the simulator, which brings its own ports. */
import type { Bus } from "../../shared/bus/bus.ts";
import type { Clock } from "../../shared/clock.ts";
import type { AppError } from "../../shared/errors.ts";
import type { Database } from "../../shared/ledger/database.ts";
import type { TellDamaged } from "../../shared/ledger/damaged.ts";
import { Deadlines } from "../../shared/ledger/deadlines.ts";
import { Outbox } from "../../shared/ledger/outbox.ts";
import { shareCommit } from "../../shared/ledger/share_commit.ts";
import { Sync } from "../../shared/ledger/sync.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId, IdSource, NodeId } from "../../shared/model/ids.ts";
import type { Stage } from "../../shared/supervise.ts";
import { decodeMessage, encodeAnswer } from "../../shared/wire/envelope.ts";
import { ContentRequest, type PeerId } from "../../shared/wire/messages.ts";
import { agentPeer, nodeOf, serveSubject } from "../../shared/wire/subjects.ts";
import { asAppError } from "../../shared/errors.ts";
import type { Contents } from "../store/contents.ts";
import { openQueries } from "../store/read.ts";
import { Store } from "../store/store.ts";
import { BusyNodes } from "./busy_nodes.ts";
import type { Desk } from "./desk.ts";
import { snapshotFor } from "./dispatch.ts";
import { explainJob } from "./explain.ts";
import { KeepContents } from "./keep_contents.ts";
import { drainNode, DrainNodes, endDrain } from "./drain.ts";
import { loseNode } from "./lose_node.ts";
import { deleteNamespace, setNamespace } from "./namespaces.ts";
import { Observe } from "./observe.ts";
import { planSubmission } from "./plan.ts";
import { prune } from "./prune.ts";
import { listResult, readLogs, readResult } from "./relay_logs.ts";
import type { PreemptionPolicy } from "./preempt.ts";
import { Retain, type Retention } from "./retain.ts";
import { Schedule } from "./schedule.ts";
import { stopJob } from "./stop.ts";
import { Submit } from "./submit.ts";
import { Sweep } from "./sweep.ts";
import { rerunJob } from "./versions.ts";
import { WatchNodes } from "./watch_nodes.ts";

/** What an orchestrator needs of the world. */
export interface OrchestratorPorts {
  readonly self: PeerId;
  readonly database: Database;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly contents: Contents;
  /** Why no new work is taken at the moment. */
  readonly refuses: () => AppError | undefined;
  /** A stored record cannot be read and was set aside. */
  readonly onDamaged?: TellDamaged;
  /** Which ended jobs are kept; as in `LIMITS` unless given. */
  readonly retention?: Retention;
  /** Whether executions make way for those of higher priority; absent: never. */
  readonly preemption?: PreemptionPolicy;
  /** Asks for a tick of the named stage. */
  readonly nudge: (stage: string) => void;
}

/** An orchestrator whose stages are ticked by somebody else. */
export interface ComposedOrchestrator {
  readonly desk: Desk;
  readonly store: Store;
  readonly stages: readonly Stage[];
  /** Starts to listen. */
  open(): void;
  /** Writes down what is only in memory; the stages must have ended. */
  close(): void;
}

/** Nothing runs until the stages are ticked. */
export function composeOrchestrator(ports: OrchestratorPorts): ComposedOrchestrator {
  const { database, bus, clock, ids, contents, self, nudge } = ports;
  const { preemption } = ports;
  const store = new Store({
    ...{ database, clock, ids, onDamaged: ports.onDamaged, hasPreemption: preemption !== undefined },
  });
  const nudgeTurn = () => nudge("turn");
  const deadlines = new Deadlines({ database, lifetime: store.lifetime, clock, nudge: () => nudge("sweep") });
  const outbox = new Outbox({ database, clock, process: ids.uuid(), damaged: store.damaged });
  const busy = new BusyNodes(store);
  const observe = new Observe({ store, deadlines, busy, nudgeSchedule: nudgeTurn });
  const watchNodes = new WatchNodes({
    store,
    clock,
    deadlines,
    busy,
    askAnew: (peer) => sync.askAnew(peer),
    nudge: () => nudge("watch_nodes"),
    nudgeSchedule: nudgeTurn,
  });
  const sync: Sync = new Sync({
    self,
    bus,
    database,
    outbox,
    clock,
    nudge: nudgeTurn,
    program: {
      apply: (from, _lane, entry) => observe.apply(from, entry),
      snapshot: (peer) => snapshotFor(store, peer),
      onLostStore: (peer) => {
        loseNode(store, nodeOf(peer) as NodeId, {
          message: "Execution lost because its node lost its store",
        });
        database.afterCommit(nudgeTurn);
      },
      onHello: (from, hello) => watchNodes.onHello(from, hello),
      onFailed: () => store.rebuild(),
      accepts: (peer) => peer.endsWith("/agent"),
    },
  });
  const keepContents = new KeepContents({ store, contents });
  const submit = new Submit({
    store,
    keepContents,
    deadlines,
    nudge: nudgeTurn,
    refuses: ports.refuses,
  });
  const schedule = new Schedule({
    ...{ store, deadlines, send: (peer, message) => sync.send(peer, message), preemption },
  });
  const drainNodes = new DrainNodes({ store, deadlines, send: (peer, message) => sync.send(peer, message) });
  const sweep = new Sweep({ store, deadlines, nudgeSchedule: nudgeTurn });
  const retain = new Retain({
    ...{ store, clock, keepContents },
    retention: ports.retention ?? { keptMs: LIMITS.jobKeptMs, countMax: LIMITS.endedJobsMax },
    send: (peer, message) => sync.send(peer, message),
    nudge: () => nudge("retain"),
  });
  const turn = () => {
    const isMore = shareCommit(database, [
      () => sync.receive(),
      () => submit.tick(),
      () => drainNodes.tick(),
      () => schedule.tick(),
    ]);
    return sync.transmit() || isMore;
  };
  const agent = agentPeer(nodeOf(self));
  const undo: (() => void)[] = [];
  return {
    desk: openDesk({
      store,
      submit,
      keepContents,
      bus,
      deadlines,
      busy,
      refuses: ports.refuses,
      nudgeSchedule: nudgeTurn,
      prune: (request) =>
        prune({ store, retain, bus, agent, unsentCount: () => outbox.depth(agent) }, request),
    }),
    store,
    stages: [{ name: "turn", tick: turn }, watchNodes, sweep, keepContents, retain],
    open() {
      undo.push(bus.respond(serveSubject(self, "content"), (bytes) => answerContent(contents, bytes)));
      sync.open([]);
    },
    close() {
      for (const call of undo) call();
      sync.close();
      watchNodes.close();
      retain.close();
      deadlines.checkpoint({ isForced: true });
      deadlines.close();
    },
  };
}

async function answerContent(contents: Contents, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    const { digest, offset } = decodeMessage(ContentRequest, bytes);
    return encodeAnswer({ bytes: await contents.read(digest, offset) });
  } catch (error) {
    const { code, message, hint } = asAppError(error);
    return encodeAnswer({ error: { code, message, hint } });
  }
}

function openDesk(
  { store, submit, keepContents, bus, deadlines, busy, refuses, nudgeSchedule, prune }: {
    store: Store;
    prune: Desk["prune"];
    keepContents: KeepContents;
    refuses: () => AppError | undefined;
    submit: Submit;
    bus: Bus;
    deadlines: Deadlines;
    busy: BusyNodes;
    nudgeSchedule: () => void;
  },
): Desk {
  const queries = openQueries(store);
  const executionOf = (id: ExecutionId) => queries.getExecution(id);
  return {
    queries,
    submit: (submission) => submit.submit(submission),
    stop: (id, { reason }) =>
      new Promise((resolve) => resolve(stopJob({ store, deadlines, nudgeSchedule }, { id, reason }))),
    rerun: (id, options) =>
      new Promise((resolve) =>
        resolve(rerunJob({ store, deadlines, refuses, nudgeTurn: nudgeSchedule }, { id, ...options }))
      ),
    plan: (submission) => planSubmission({ store, keepContents, refuses }, submission),
    prune,
    drain: (id, wish) =>
      new Promise((resolve) =>
        resolve(drainNode({ store, deadlines, nudgeTurn: nudgeSchedule }, queries.getNode(id).facts.id, wish))
      ),
    endDrain: (id) =>
      new Promise((resolve) =>
        resolve(endDrain({ store, deadlines, nudgeTurn: nudgeSchedule }, queries.getNode(id).facts.id))
      ),
    setNamespace: (name, change) =>
      new Promise((resolve) => resolve(setNamespace({ store, nudgeTurn: nudgeSchedule }, name, change))),
    deleteNamespace: (name) =>
      new Promise((resolve) => resolve(deleteNamespace({ store, nudgeTurn: nudgeSchedule }, name))),
    explain: (id, query) => explainJob({ store, deadlines, busy }, { id, query }),
    changed: (id, { signal, onlyEnd = false }) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const call = () => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
        const cancel = store.watch(id, { call, onlyEnd });
        const onAbort = () => {
          cancel();
          resolve();
        };
        signal.addEventListener("abort", onAbort, { once: true });
      }),
    readLogs: (id, query, signal) =>
      readLogs({ bus, clock: store.clock, execution: executionOf(id), query, signal }),
    listResult: async (id) => await listResult(bus, executionOf(id)),
    readResult: (id, path, signal) => readResult(bus, { execution: executionOf(id), path, signal }),
  };
}
