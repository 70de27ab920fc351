/** Orders to agents: written in the transaction of the decision, carried by sync. */
import type { Execution } from "../../shared/model/execution.ts";
import type { Job } from "../../shared/model/job.ts";
import type { Message } from "../../shared/ledger/outbox.ts";
import type { Order } from "../../shared/model/order.ts";
import type { Census, PeerId } from "../../shared/wire/messages.ts";
import { agentPeer, nodeOf } from "../../shared/wire/subjects.ts";
import type { NodeId } from "../../shared/model/ids.ts";
import { jobAt } from "../store/jobs.ts";
import type { Store } from "../store/store.ts";

/** Puts a message into the outbox of a peer. */
export type Send = (peer: PeerId, message: Message) => void;

/** Asks the execution's agent to run it. `weight`: of its namespace. */
export function orderRun(
  send: Send,
  { job, execution, weight }: { job: Job; execution: Execution; weight: number },
): void {
  send(agentPeer(execution.nodeId), runMessage(job, execution, weight));
}

/** Asks the execution's agent to stop it. */
export function orderStop(send: Send, execution: Execution): void {
  send(agentPeer(execution.nodeId), stopMessage(execution));
}

/** Tells the execution's agent that nobody can fetch what it left any more. */
export function orderForget(send: Send, { id, nodeId }: Pick<Execution, "id" | "nodeId">): void {
  const order: Order = { desired: "forget", executionId: id };
  send(agentPeer(nodeId), { lane: "state", kind: "order", about: id, body: order });
}

function runMessage({ spec, version, image }: Job, execution: Execution, weight: number): Message {
  const { successExitCodes, retry, stopSignal, restart, onAgentRestart, health } = spec;
  const order: Order = {
    desired: "run",
    executionId: execution.id,
    jobId: execution.jobId,
    jobVersion: version,
    jobType: spec.type,
    namespace: spec.namespace,
    evaluationId: execution.evaluationId,
    partition: execution.partition,
    // Of types that have one for each node nobody knows yet how many there will be.
    partitionCount: Math.max(spec.count, execution.partition + 1),
    priority: spec.priority,
    ...(weight !== 1 && { weight }),
    task: spec.task,
    successExitCodes: successExitCodes ?? (retry.attempts > 0 ? [0] : undefined),
    stopGraceMs: spec.stopGraceMs,
    ...{ stopSignal, restart, onAgentRestart, health },
    ...(retry.lostAttempts === 0 && { runsOnce: true }),
    ...(image?.digest !== undefined && { image: image.digest }),
  };
  return { lane: "state", kind: "order", about: execution.id, body: order };
}

function stopMessage({ id, desiredMessage }: Execution): Message {
  const order: Order = {
    desired: "stop",
    executionId: id,
    message: desiredMessage ?? "Execution stop requested",
  };
  return { lane: "state", kind: "order", about: id, body: order };
}

/** Everything an agent must know whose lane starts anew: which executions are still wanted, and each order again. */
export function snapshotFor(store: Store, peer: PeerId): readonly Message[] {
  const nodeId = nodeOf(peer) as NodeId;
  // Also what cannot be read: its agent goes on with it.
  const census: Census = { executionIds: [...store.executions.wantedOn(nodeId)] };
  const orders = store.executions.liveOn(nodeId).flatMap(({ jobRow, execution }) => {
    const job = store.damaged.read(jobAt(jobRow), () => jobOf(store, jobRow, execution));
    if (job === undefined) return [];
    const run = runMessage(job, execution, store.namespaces.weightOf(execution.namespace));
    return execution.desired === "stop" ? [run, stopMessage(execution)] : [run];
  });
  return [{ lane: "state", kind: "census", about: peer, body: census }, ...orders];
}

/** The job as the execution knows it: one of an earlier version is of that. */
function jobOf({ jobs }: Store, jobRow: number, { jobVersion }: Execution): Job {
  const { job } = jobs.get(jobRow);
  if (job.version === jobVersion) return job;
  return { ...job, version: jobVersion, spec: jobs.findVersion(jobRow, jobVersion)!, image: undefined };
}
