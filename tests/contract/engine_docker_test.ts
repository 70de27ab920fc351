/** The engine `docker` under the contract of engines, on a Docker Engine of its own. */
import { z } from "zod";
import { isMissing } from "../../agent/engines/docker_client.ts";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { engineContract, type Program, type Subject } from "./engine_contract.ts";

const daemon = await DockerDaemon.start();
const client = daemon.client();
Deno.test.afterAll(async () => {
  client.close();
  await daemon[Symbol.asyncDispose]();
});

const SCRIPTS: Readonly<Record<Program, string>> = {
  // The two streams are two pipes: what must come in order needs time between.
  prints: "echo out; usleep 50000; echo err >&2; echo ran >> /outputs/log; exit 3",
  copies: "cat /inputs/file >&2",
  waits: "echo begin; while [ ! -e /inputs/go ]; do usleep 20000; done; echo end; exit 7",
  loops: "echo begin; while :; do :; done",
};

const Inspected = z.object({ State: z.object({ Pid: z.number(), Status: z.string() }) });

async function inspect({ executionId, run }: EngineTask) {
  try {
    return (await client.get(`/containers/${containerName(executionId, run)}/json`, Inspected)).State;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

let taskCount = 0;
const DOCKER: Subject = {
  name: "docker",
  open: () =>
    Promise.resolve(
      openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-test", policy: POLICY_DEFAULT }),
    ),
  async task(folder, program, changes) {
    await Deno.mkdir(`${folder.path}/inputs`, { recursive: true });
    const executionId = `e-${++taskCount}-${crypto.randomUUID().slice(0, 8)}`;
    const task = await folder.task("", { executionId, ...changes });
    return {
      ...task,
      params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", SCRIPTS[program]] },
      inputs: [{ hostPath: `${folder.path}/inputs`, target: "/inputs", isReadOnly: true }],
      cpuMillis: 500,
    };
  },
  hold: (tasks) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", new URL("../support/engine_holder.ts", import.meta.url).href],
        ...[JSON.stringify(tasks), daemon.socketPath],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn(),
  processOf: async (task) => (await inspect(task))?.Pid ?? 0,
  hasBegun: async (task) => await inspect(task) !== undefined,
};

engineContract(DOCKER);
