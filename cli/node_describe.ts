/** A node as text for people. */
import { formatFacts } from "./output.ts";
import type { Terminal } from "./terminal.ts";
import { age, amountOfBytes, harmless, plural, span } from "./words.ts";
import { itemsOf, type NodeView, numberAt, textAt, type Wire } from "./wire.ts";

/** Several lines. `isSelf`: the node that answers, so its link says nothing. */
export function describeNode(
  node: NodeView,
  { terminal, nowMs, isSelf }: { terminal: Pick<Terminal, "paint">; nowMs: number; isSelf?: boolean },
): string {
  const rows: [string, string][] = [
    ["Node", node.id],
    ["Name", node.name],
    ["Version", node.version],
    ...(isSelf ? [] : [
      ["State", `${node.connection} ${age(node.since, nowMs)}, ${node.membership}`],
      ["Last seen", age(node.seenAtMs, nowMs)],
    ] as [string, string][]),
    ["Problem", node.error],
    ["Drain", drainOf(node, nowMs)],
    ["Engines", node.engines.join(", ")],
    ["Inputs", node.inputs.join(", ")],
    ["Publishers", node.publishers.join(", ")],
    ["Networks", node.networks.join(", ")],
    ["Not here", Object.entries(node.absent).map(([adapter, why]) => `${adapter}: ${why}`).join("\n")],
    ["Capacity", amounts(node.capacity)],
    ["Available", amounts(node.available)],
    ["GPUs", itemsOf(node.capacity, "GPUs").map(gpuLine).join("\n")],
    ["Executions", `${plural(node.running, "runs", "run")}, ${plural(node.queued, "waits", "wait")}`],
    ["Labels", Object.entries(node.labels).map(([key, value]) => `${key}=${value}`).join("\n")],
  ];
  return formatFacts(rows.map(([title, value]) => [title, harmless(value)]), terminal.paint);
}

/** `draining 5m ago, 10m left: new kernel` */
function drainOf({ drain }: NodeView, nowMs: number): string {
  if (drain === undefined) return "";
  const { state, since, leftMs, reason } = drain;
  const left = leftMs === undefined ? "" : leftMs > 0 ? `, ${span(leftMs)} left` : ", its time is over";
  return `${state} ${age(since, nowMs)}${left}${reason ? `: ${reason}` : ""}`;
}

/** `0: NVIDIA A100-SXM4-40GB, 40960 MiB, GPU-…` */
function gpuLine(gpu: unknown): string {
  const memory = numberAt(gpu, "Memory");
  const parts = [textAt(gpu, "Name"), memory && `${memory} MiB`, textAt(gpu, "UUID")];
  return `${numberAt(gpu, "Index") ?? 0}: ${parts.filter(Boolean).join(", ")}`;
}

/** `2 cores, 4 GB memory, 10 GB disk` */
export function amounts(resources: Wire): string {
  const [cpu, memory, disk, gpu] = ["CPU", "Memory", "Disk", "GPU"].map((key) =>
    numberAt(resources, key) ?? 0
  );
  const parts = [
    cpu ? `${Math.round(cpu * 1000) / 1000} ${cpu === 1 ? "core" : "cores"}` : "",
    memory ? `${amountOfBytes(memory)} memory` : "",
    disk ? `${amountOfBytes(disk)} disk` : "",
    gpu ? plural(gpu, "GPU") : "",
  ];
  return parts.filter(Boolean).join(", ");
}
