/** ACCEPT: what arrives from homes. Runs inside sync's transaction; everything is idempotent by execution id. */
import type { Log } from "../../shared/log.ts";
import type { Lifetime } from "../../shared/ledger/lifetime.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { SyncProgram } from "../../shared/ledger/sync.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import { type NodeFacts, type NodeLoad, taskMaxOf } from "../../shared/model/node.ts";
import { Order, type RunOrder } from "../../shared/model/order.ts";
import { Census, type Entry, type PeerId } from "../../shared/wire/messages.ts";
import { accept, type Ask } from "../core/accept.ts";
import type { Failure } from "../core/outcome.ts";
import type { Engine } from "../engines/engine.ts";
import type { Input } from "../inputs/input.ts";
import { PUBLISHES_NOTHING } from "../publishers/publisher.ts";
import type { Journal } from "../store/journal.ts";
import type { Executions } from "./executions.ts";
import { type Reported, reportMessage, toReport } from "./report.ts";

/** What an order is judged by. */
export interface ReceiveOptions {
  readonly executions: Executions;
  readonly journal: Journal;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly inputs: ReadonlyMap<string, Input>;
  readonly publishers: ReadonlySet<string>;
  readonly envAllowed: readonly string[];
  readonly homes: ReadonlySet<PeerId>;
  readonly facts: () => NodeFacts;
  readonly load: () => NodeLoad;
  /** Why the node takes no new work at the moment. */
  readonly refuses: () => Failure | undefined;
  readonly factsMessage: () => Message;
  readonly send: (peer: PeerId, message: Message) => void;
  readonly lifetime: Lifetime;
  readonly log: Log;
}

/** The agent's side of sync. */
export class Receive implements SyncProgram {
  readonly #options: ReceiveOptions;

  constructor(options: ReceiveOptions) {
    this.#options = options;
  }

  accepts(peer: PeerId): boolean {
    return this.#options.homes.has(peer);
  }

  load(): NodeLoad {
    return this.#options.load();
  }

  apply(from: PeerId, _lane: string, entry: Entry): void {
    if (entry.kind === "order") return this.#applyOrder(from, entry);
    if (entry.kind === "census") return this.#applyCensus(from, entry);
    this.#options.log.warn("Ignored a message of a kind that this version does not know", {
      kind: entry.kind,
    });
  }

  onFailed(): void {
    this.#options.executions.dropUnstored();
  }

  snapshot(peer: PeerId): readonly Message[] {
    const reports = this.#options.journal.loadUnconfirmed(peer)
      .map((record) => reportMessage(toReport(record, this.#nowMs)));
    return [this.#options.factsMessage(), ...reports];
  }

  #applyOrder(from: PeerId, { body, about }: Entry): void {
    const parsed = Order.safeParse(body);
    if (!parsed.success) return this.#refuseUnread(from, about as ExecutionId, body);
    const order = parsed.data;
    switch (order.desired) {
      case "run":
        return this.#run(from, order);
      case "stop":
        return this.#stop(from, order.executionId, order.message);
      case "forget":
        return this.#options.journal.forget(order.executionId);
    }
  }

  #run(from: PeerId, order: RunOrder): void {
    const { executions, journal, log } = this.#options;
    if (executions.find(order.executionId) !== undefined) return;
    const known = journal.find(order.executionId);
    // Its home has forgotten that it has ended: say it again.
    if (known !== undefined) return this.#sendReport(from, known);
    const refusal = this.#refusalOf(order);
    if (refusal !== undefined) {
      log.info("Refused an execution", { executionId: order.executionId, ...refusal });
    }
    executions.admit(order, from, refusal);
  }

  #refusalOf(order: RunOrder): Failure | undefined {
    const { executions, publishers, envAllowed, facts, refuses } = this.#options;
    const { engines, inputs, absent, capacity, taskMax, queueCapacity } = facts();
    return accept(this.#askOf(order), {
      engines: new Set(engines),
      publishers,
      inputs: new Set(inputs),
      absent,
      envAllowed,
      capacity,
      taskMax: taskMaxOf({ capacity, taskMax }),
      queueCapacity,
      held: executions.held,
      queuedCount: executions.queuedCount,
      queuedCountMax: LIMITS.agentQueueMax,
      hasRoomNow: executions.hasRoomFor(order.task.resources),
      refuses: refuses(),
    });
  }

  #askOf({ task }: RunOrder): Ask {
    const publisher = task.publisher?.type ?? "";
    return {
      engine: task.engine.type,
      engineProblem: this.#options.engines.get(task.engine.type)?.refuses?.({
        params: task.engine.params,
        network: task.network,
      }),
      ...(PUBLISHES_NOTHING.has(publisher) ? {} : { publisher }),
      inputs: task.inputs.map((input) => {
        const probe = this.#options.inputs.get(input.source.type)?.probe(input);
        const { type } = input.source;
        return probe === undefined || probe.isUsable ? { type } : { type, problem: probe.failure };
      }),
      env: task.env,
      resultNames: task.resultPaths.map(({ name }) => name),
      resources: task.resources,
    };
  }

  /** The stop is on disk with its acknowledgement, so that nothing new starts after it. */
  #stop(from: PeerId, id: ExecutionId, message: string): void {
    const { executions, journal } = this.#options;
    const live = executions.find(id);
    if (live !== undefined) {
      executions.decide(id, { type: "stop_ordered", message, graceMs: executions.graceOf(live) });
      return executions.writeNow(id);
    }
    // Ended already: its report says so. Never heard of: there is nothing to stop, and its home must not wait.
    if (journal.find(id) === undefined) this.#sendStopped(from, id, message);
  }

  #sendStopped(to: PeerId, id: ExecutionId, message: string): void {
    const outcome = { kind: "stopped", code: "stopped", message } as const;
    this.#sendReport(to, { id, revision: 1, state: { phase: "ended", outcome } });
  }

  #sendReport(to: PeerId, known: Reported): void {
    this.#options.send(to, reportMessage(toReport(known, this.#nowMs)));
  }

  get #nowMs(): number {
    return this.#options.lifetime.nowMs();
  }

  /** An order from a newer home: the execution must not wait for ever. */
  #refuseUnread(from: PeerId, id: ExecutionId, body: unknown): void {
    const { executions, journal, log } = this.#options;
    log.warn("Cannot read an order: it was written by another version", { executionId: id });
    const wish = (body as { desired?: unknown } | undefined)?.desired;
    if (wish !== "run" || executions.find(id) !== undefined || journal.find(id) !== undefined) return;
    const outcome = {
      kind: "refused",
      code: "refused",
      message: "this node does not understand the order",
      hint: "The node runs another version than its home: upgrade the older one",
    } as const;
    this.#sendReport(from, { id, revision: 1, state: { phase: "ended", outcome } });
  }

  /** What its home no longer wants is stopped; what ended may be forgotten. */
  #applyCensus(from: PeerId, { body }: Entry): void {
    const parsed = Census.safeParse(body);
    if (!parsed.success) return this.#options.log.warn("Cannot read a census");
    const wanted = new Set(parsed.data.executionIds);
    for (const { id, home } of this.#options.executions.all()) {
      if (home === from && !wanted.has(id)) this.#stop(from, id, "Its home no longer knows the execution");
    }
    for (const { id, state } of this.#options.journal.loadUnconfirmed(from)) {
      if (state.phase === "ended" && !wanted.has(id)) this.#options.journal.setForgettable(id);
    }
  }
}
