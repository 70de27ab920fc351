/** An order in the words of the engine port. */
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { RunOrder } from "../../shared/model/order.ts";
import type { Port } from "../../shared/model/port.ts";
import type { EngineTask, Mount } from "../engines/engine.ts";
import { HOST_PREFIX } from "../core/accept.ts";
import type { ExecutionFolder } from "../host/host.ts";

/** Everything that the engine needs. */
export function engineTask(
  order: RunOrder,
  { run, folder, inputs, ports, hostEnv }: {
    run: number;
    ports: readonly Port[];
    folder: ExecutionFolder;
    inputs: readonly Mount[];
    hostEnv: (name: string) => string | undefined;
  },
): EngineTask {
  const { task } = order;
  return {
    executionId: order.executionId,
    run,
    folder: folder.path,
    params: task.engine.params,
    env: { ...forward(task.env, hostEnv), ...systemEnv(order), ...portsEnv(ports) },
    inputs,
    results: task.resultPaths.map(({ path }, at) => ({
      hostPath: folder.resultPaths[at]!,
      target: path,
      isReadOnly: false,
    })),
    ...(order.image !== undefined && { image: order.image }),
    network: task.network,
    ...(ports.length > 0 && { ports }),
    ...(order.stopSignal !== undefined && { stopSignal: order.stopSignal }),
    memoryBytes: task.resources.memoryBytes,
    cpuMillis: task.resources.cpuMillis,
    gpuCount: task.resources.gpuCount,
    diskBytes: task.resources.diskBytes || LIMITS.diskBytesDefault,
    logBytes: LIMITS.logBytes,
  };
}

/** `env:NAME` stands for a variable of the host; which ones is decided when the order is accepted. */
function forward(env: Readonly<Record<string, string>>, hostEnv: (name: string) => string | undefined) {
  const entries = Object.entries(env).map(([key, value]) => {
    if (!value.startsWith(HOST_PREFIX)) return [key, value];
    const name = value.slice(HOST_PREFIX.length);
    const found = hostEnv(name);
    if (found !== undefined) return [key, found];
    throw new AppError("input_failed", `Cannot set "${key}": this node has no variable "${name}"`, {
      hint: "Give the value itself, or let the node's owner set the variable where the node is started",
    });
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** What every task is told of itself, under Bacalhau's names and under ours. */
function systemEnv(order: RunOrder): Record<string, string> {
  const env: Record<string, string> = {};
  const told = {
    EXECUTION_ID: order.executionId,
    JOB_ID: order.jobId,
    JOB_VERSION: String(order.jobVersion),
    JOB_TYPE: order.jobType,
    PARTITION_INDEX: String(order.partition),
    PARTITION_COUNT: String(order.partitionCount),
  };
  for (const [name, value] of Object.entries(told)) env[`BACALHAU_${name}`] = env[`SKERRY_${name}`] = value;
  return env;
}

/** `…PORT_NAME` is where the task listens, `…HOST_PORT_NAME` where others reach it. */
function portsEnv(ports: readonly Port[]): Record<string, string> {
  const told = ports.flatMap(({ name, hostPort, targetPort = hostPort }) => [
    [`HOST_PORT_${name}`, String(hostPort)],
    [`PORT_${name}`, String(targetPort)],
  ]);
  return Object.fromEntries(
    ["BACALHAU", "SKERRY"].flatMap((prefix) => told.map(([name, value]) => [`${prefix}_${name}`, value!])),
  );
}
