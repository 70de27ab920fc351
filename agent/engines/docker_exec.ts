/** A command in a running container, with a bound on its time: the daemon has none of its own. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { type DockerClient, DockerRefusal, isConflict, isMissing } from "./docker_client.ts";
import { FrameReader } from "./docker_output.ts";
import type { ExecResult } from "./engine.ts";

const Created = z.object({ Id: z.string() });
const Inspected = z.object({
  Running: z.boolean(),
  ExitCode: z.number().nullish(),
  Pid: z.number().nullish(),
  ContainerID: z.string(),
});

/** Kept of what it prints. */
const OUTPUT_BYTES_MAX = 4 * 1024;

/** What is run, and what may be left of the time before. */
export interface ExecOptions {
  readonly command: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** One that took too long: while it is still there, no other is begun. */
  readonly hungExecId: string | undefined;
}

/** The result, and the command that could not be ended. Errors: as those of `Engine.exec`. */
export async function execIn(
  client: DockerClient,
  containerId: string,
  { command, timeoutMs, signal, hungExecId }: ExecOptions,
): Promise<ExecResult & { readonly hungExecId?: string }> {
  if (hungExecId !== undefined && await isStillThere(client, hungExecId)) {
    return { exitCode: undefined, output: "", hungExecId };
  }
  const late = AbortSignal.timeout(timeoutMs);
  const printed = new Printed();
  let id: string | undefined;
  try {
    const body = { Cmd: command, AttachStdout: true, AttachStderr: true };
    const request = { body, signal: AbortSignal.any([late, signal]) };
    ({ Id: id } = await client.post(`/containers/${containerId}/exec`, Created, request));
    const stream = await client.stream("POST", `/exec/${id}/start`, { ...request, body: { Detach: false } });
    for await (const chunk of stream) printed.push(chunk);
    const { ExitCode } = await client.get(`/exec/${id}/json`, Inspected, { signal: request.signal });
    return { exitCode: ExitCode ?? undefined, output: printed.text };
  } catch (error) {
    if (late.aborted && !signal.aborted) {
      const isLeft = id !== undefined && await isStillThere(client, id);
      return { exitCode: undefined, output: printed.text, ...(isLeft && { hungExecId: id }) };
    }
    // It ended meanwhile, or is being ended: that says nothing about its health.
    if (isMissing(error) || isConflict(error)) {
      throw new AppError("unavailable", "The container does not run", { cause: error });
    }
    if (error instanceof DockerRefusal) {
      throw new AppError("start_failed", `the command cannot be started: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** Ends what it can: only the container's own process, and only where the agent may. */
async function isStillThere(client: DockerClient, id: string): Promise<boolean> {
  try {
    const { Running, Pid, ContainerID } = await client.get(`/exec/${id}/json`, Inspected);
    if (!Running) return false;
    if (Pid && await belongsTo(Pid, ContainerID)) Deno.kill(Pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

async function belongsTo(pid: number, containerId: string): Promise<boolean> {
  return (await Deno.readTextFile(`/proc/${pid}/cgroup`)).includes(containerId);
}

/** The beginning of what both streams say. */
class Printed {
  readonly #bytes = new Uint8Array(OUTPUT_BYTES_MAX);
  #length = 0;
  readonly #frames = new FrameReader((_stream, payload) => {
    const kept = payload.subarray(0, OUTPUT_BYTES_MAX - this.#length);
    this.#bytes.set(kept, this.#length);
    this.#length += kept.length;
  });

  push(chunk: Uint8Array): void {
    this.#frames.push(chunk);
  }

  get text(): string {
    return new TextDecoder().decode(this.#bytes.subarray(0, this.#length));
  }
}
