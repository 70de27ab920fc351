/** Ports of services on a real Docker Engine: what a task is told, and where it is reached. */
import { deepStrictEqual as assertEquals, match as assertMatch } from "node:assert";
import { engineTask } from "../../agent/flow/engine_task.ts";
import { containerName } from "../../agent/engines/docker_container.ts";
import { openDockerEngine } from "../../agent/engines/docker_engine.ts";
import { POLICY_DEFAULT } from "../../agent/engines/docker_policy.ts";
import type { EngineTask } from "../../agent/engines/engine.ts";
import type { Port } from "../../shared/model/port.ts";
import { anOrder } from "../support/agent_fixture.ts";
import { BUSYBOX, DockerDaemon } from "../support/docker_daemon.ts";
import { TaskFolder } from "../support/engine_tasks.ts";
import { waitUntil } from "../support/wait_until.ts";

/** A port that nobody listens at. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function answerAt(port: number): Promise<string> {
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    return await new Response(conn.readable).text();
  } catch {
    return "";
  }
}

/** Answers every connection with the ports it was told of, until somebody stops it. */
const SERVES = `
printf '#!/bin/sh\\necho inside $BACALHAU_PORT_web outside $BACALHAU_HOST_PORT_web $SKERRY_PORT_web\\n' > /tmp/answer
chmod +x /tmp/answer
exec nc -ll -p $BACALHAU_PORT_web -e /tmp/answer`;

Deno.test("a port of the node leads to the task's, and the task is told both", async () => {
  await using daemon = await DockerDaemon.start({ hasBridge: true });
  await using folder = await TaskFolder.make();
  const policy = { ...POLICY_DEFAULT, networks: ["bridge", "host"] as const };
  const engine = openDockerEngine({ socketPath: daemon.socketPath, nodeId: "n-test", policy });
  const taskWith = async (type: "bridge" | "host", ports: readonly Port[]): Promise<EngineTask> => {
    const base = await folder.task("", { executionId: `e-${crypto.randomUUID()}` });
    const order = anOrder(base.executionId);
    const { env } = engineTask(order, {
      run: 0,
      folder: { path: base.folder, resultPaths: [] },
      inputs: [],
      ports,
      hostEnv: () => undefined,
    });
    const network = { type, domains: [] };
    return {
      ...base,
      env,
      ports,
      network,
      inputs: [],
      params: { Image: BUSYBOX, Entrypoint: ["/bin/sh", "-c", SERVES] },
    };
  };
  try {
    const hostPort = freePort();
    const mapped = await taskWith("bridge", [{
      name: "web",
      hostPort,
      targetPort: 80,
      hostAddress: "127.0.0.1",
    }]);
    await engine.start(mapped);
    await waitUntil("it answers", async () => await answerAt(hostPort) !== "");
    assertEquals(await answerAt(hostPort), `inside 80 outside ${hostPort} 80\n`);
    // On the address that it was given, and no other.
    const listening = await Deno.readTextFile("/proc/net/tcp");
    const hex = hostPort.toString(16).toUpperCase().padStart(4, "0");
    assertMatch(listening, new RegExp(`: 0100007F:${hex} 00000000:0000 0A`));
    assertEquals(new RegExp(`: 00000000:${hex} `).test(listening), false);

    const own = freePort();
    const inHost = await taskWith("host", [{ name: "web", hostPort: own, hostAddress: "127.0.0.1" }]);
    await engine.start(inHost);
    await waitUntil("it answers", async () => await answerAt(own) !== "");
    assertEquals(await answerAt(own), `inside ${own} outside ${own} ${own}\n`);
    for (const task of [mapped, inHost]) {
      await engine.stop(task.executionId, { graceMs: 0 });
      engine.forget(task.executionId);
    }
    // With the container the port is free again.
    await waitUntil("the port is free", async () => await answerAt(hostPort) === "");
    assertMatch(containerName(mapped.executionId), /^skerry-e-/);
  } finally {
    await engine.close();
  }
});
