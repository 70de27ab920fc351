/** Where the machine of the daemon reaches a port of a container. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { type DockerClient, isMissing } from "./docker_client.ts";

const Binding = z.object({ HostIp: z.string(), HostPort: z.string() });
const Inspected = z.object({
  HostConfig: z.object({ NetworkMode: z.string() }),
  NetworkSettings: z.object({
    Ports: z.record(z.string(), z.array(Binding).nullable()).nullish(),
    Networks: z.record(z.string(), z.object({ IPAddress: z.string(), GlobalIPv6Address: z.string() }))
      .nullish(),
  }),
});

/** Any address: it is reached by that of the machine itself. */
const UNSPECIFIED: ReadonlySet<string> = new Set(["", "0.0.0.0", "::"]);

/** Its mapped port, else its own address; undefined when it has neither. Errors: `unavailable`. */
export async function reachPort(
  client: DockerClient,
  containerId: string,
  port: number,
): Promise<{ host: string; port: number } | undefined> {
  const { HostConfig, NetworkSettings } = await inspect(client, containerId);
  if (HostConfig.NetworkMode === "host") return { host: "127.0.0.1", port };
  const [mapped] = NetworkSettings.Ports?.[`${port}/tcp`] ?? [];
  if (mapped !== undefined) {
    const host = UNSPECIFIED.has(mapped.HostIp) ? "127.0.0.1" : mapped.HostIp;
    return { host, port: Number(mapped.HostPort) };
  }
  for (const { IPAddress, GlobalIPv6Address } of Object.values(NetworkSettings.Networks ?? {})) {
    const host = IPAddress || GlobalIPv6Address;
    if (host !== "") return { host, port };
  }
  return undefined;
}

async function inspect(client: DockerClient, containerId: string): Promise<z.infer<typeof Inspected>> {
  try {
    return await client.get(`/containers/${containerId}/json`, Inspected);
  } catch (error) {
    if (isMissing(error)) throw new AppError("unavailable", "The container does not run", { cause: error });
    throw error;
  }
}
