/** Result folders of a container, by the daemon's archives: whatever user wrote them, the agent can read its copy. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { tarEntries } from "../../shared/tar.ts";
import type { Mount } from "./engine.ts";
import { syncBelow } from "./sync_below.ts";
import { type DockerClient, isMissing } from "./docker_client.ts";

/** Bounds of one copy. */
export interface CopyBounds {
  readonly bytesMax: number;
  readonly filesMax: number;
}

/** Where result folders are made. */
export interface ResultFolders {
  readonly targets: readonly string[];
  /** Digest of the image. */
  readonly imageId: string;
  /** The root is read-only and each folder is a volume: they are opened from another container, which never starts. */
  readonly areVolumes: boolean;
}

const Created = z.object({ Id: z.string() });

/** Makes the result folders in a container that has not started, so that any user can write there. */
export async function makeResultFolders(
  client: DockerClient,
  containerId: string,
  { targets, imageId, areVolumes }: ResultFolders,
): Promise<void> {
  if (targets.length === 0) return;
  if (!areVolumes) return await putFolders(client, containerId, targets);
  const body = {
    Image: imageId,
    Cmd: ["-"],
    HostConfig: { VolumesFrom: [containerId], NetworkMode: "none" },
  };
  const { Id } = await client.post("/containers/create", Created, { body });
  try {
    await putFolders(client, Id, targets);
  } finally {
    await client.call("DELETE", `/containers/${Id}`);
  }
}

async function putFolders(
  client: DockerClient,
  containerId: string,
  targets: readonly string[],
): Promise<void> {
  const { packTar } = await import("modern-tar");
  const entries = targets.flatMap((target) => {
    const parts = target.split("/").filter((part) => part !== "");
    return parts.map((_, at) => {
      const mode = at === parts.length - 1 ? 0o777 : 0o755;
      return {
        header: { name: `${parts.slice(0, at + 1).join("/")}/`, type: "directory" as const, size: 0, mode },
      };
    });
  });
  const body = await packTar(entries) as Uint8Array<ArrayBuffer>;
  await client.call("PUT", `/containers/${containerId}/archive`, { query: { path: "/" }, body });
}

/**
 * Copies the result folders out of a container, onto the disk: once it is done, the container may go. Plain files and
 * folders only: links, devices and sockets are left out. Errors: `disk_exceeded` beyond the bounds, `disk_full`, `unavailable`.
 */
export async function copyResults(
  client: DockerClient,
  containerId: string,
  results: readonly Mount[],
  bounds: CopyBounds,
): Promise<void> {
  const left = { ...bounds };
  for (const { target, hostPath } of results) {
    // What an earlier try has left is not this one's.
    await Deno.mkdir(hostPath, { recursive: true, mode: 0o755 });
    await Deno.remove(hostPath, { recursive: true });
    await Deno.mkdir(hostPath, { mode: 0o755 });
    await copyOne(client, containerId, { target, hostPath, left });
    syncBelow(hostPath);
  }
}

async function copyOne(
  client: DockerClient,
  containerId: string,
  { target, hostPath, left }: {
    target: string;
    hostPath: string;
    left: { bytesMax: number; filesMax: number };
  },
): Promise<void> {
  let stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  try {
    stream = await client.stream("GET", `/containers/${containerId}/archive`, { query: { path: target } });
  } catch (error) {
    if (isMissing(error)) return; // the task removed its own folder
    throw error;
  }
  for await (const { path, type, ...entry } of tarEntries(stream)) {
    left.bytesMax -= type === "file" ? entry.sizeBytes : 0;
    if (left.bytesMax < 0 || --left.filesMax < 0) throw exceeded();
    // Every name begins with that of the folder that was asked for.
    const inner = path?.split("/").slice(1).join("/") ?? "";
    if (inner === "") continue;
    const inHost = `${hostPath}/${inner}`;
    if (type === "directory") await Deno.mkdir(inHost, { recursive: true, mode: 0o755 });
    else if (type === "file") {
      await entry.writeTo(inHost, { mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755 });
    }
  }
}

function exceeded(): AppError {
  return new AppError("disk_exceeded", "The task left more results than the disk that it asked for", {
    hint: "Give the task more disk, or let it write less into its result folders",
  });
}
