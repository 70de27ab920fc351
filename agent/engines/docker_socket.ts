/** The engine's socket is not for tasks. */
import { AppError } from "../../shared/errors.ts";
import type { Mount } from "./engine.ts";

/**
 * Whoever reaches the engine's socket is root on the machine: no input shows it, whatever paths the node's owner allows.
 * Errors: `refused`.
 */
export async function refuseSocket(socketPath: string, inputs: readonly Mount[]): Promise<void> {
  if (inputs.length === 0) return;
  const resolve = (path: string) => Deno.realPath(path).catch(() => path);
  const socket = await resolve(socketPath);
  for (const { hostPath, target } of inputs) {
    const path = (await resolve(hostPath)).replace(/\/$/, "");
    if (socket !== path && !socket.startsWith(`${path}/`)) continue;
    throw new AppError(
      "refused",
      `this node shows no container the Docker Engine's socket, as "${target}" would`,
      {
        hint: "Name the folder or file that the task needs, and not one above the socket",
      },
    );
  }
}
