/** Images: found on the machine, or fetched from a registry with its progress told. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { type DockerClient, DockerRefusal, isMissing } from "./docker_client.ts";
import { registryAuth } from "./docker_auth.ts";
import type { PullPolicy } from "./docker_params.ts";

const Inspected = z.object({
  Id: z.string(),
  Os: z.string(),
  Architecture: z.string(),
  RepoDigests: z.array(z.string()).nullish(),
  Config: z.object({ User: z.string().nullish() }).nullish(),
});

/** An image that is here. */
export interface Image {
  /** Digest of its configuration: the same name may mean another image tomorrow. */
  readonly id: string;
  readonly os: string;
  readonly arch: string;
  /** `name@sha256:…` where it came from a registry. */
  readonly digest?: string;
  /** Empty for root. */
  readonly user: string;
}

/** How an image is had. */
export interface ImageOptions {
  readonly policy: PullPolicy;
  readonly signal?: AbortSignal;
  /** Called with what to tell the user, not more than every few seconds. */
  readonly onProgress: (message: string) => void;
}

const PROGRESS_MS = 5_000;
/** What the daemon calls architectures that Skerry, like Deno, calls otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: "amd64", aarch64: "arm64" };

/** The image, fetched if the policy says so. Errors: `image_missing`, `platform_mismatch`, `unavailable`. */
export async function ensureImage(client: DockerClient, name: string, options: ImageOptions): Promise<Image> {
  const here = options.policy === "always" ? undefined : await findImage(client, name);
  if (here !== undefined) return checked(name, here);
  if (options.policy === "never") {
    throw new AppError(
      "image_missing",
      `The image "${name}" is not on this node, and the pull policy is never`,
      {
        hint: "Load it there with docker pull or docker load, or use the pull policy missing",
      },
    );
  }
  try {
    await pull(client, name, options);
  } catch (error) {
    // A link that is gone must not keep from running what is here.
    const old = isUnreachable(error) ? await findImage(client, name) : undefined;
    if (old === undefined) throw error;
    options.onProgress(`Cannot reach the registry: using the image "${name}" that is here`);
    return checked(name, old);
  }
  const pulled = await findImage(client, name);
  if (pulled === undefined) {
    throw new AppError("image_missing", `The image "${name}" was pulled and is gone again`, {
      hint: "See whether something prunes images on the node",
    });
  }
  return checked(name, pulled);
}

/** The image, if it is on the machine. */
export async function findImage(client: DockerClient, name: string): Promise<Image | undefined> {
  try {
    const found = await client.get(
      `/images/${encodeURIComponent(name).replaceAll("%2F", "/")}/json`,
      Inspected,
    );
    return {
      id: found.Id,
      os: found.Os,
      arch: found.Architecture,
      digest: found.RepoDigests?.[0],
      user: found.Config?.User ?? "",
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function checked(name: string, image: Image): Image {
  const own = ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch;
  if (image.os !== "" && image.arch !== "" && (image.os !== "linux" || image.arch !== own)) {
    throw new AppError(
      "platform_mismatch",
      `The image "${name}" is for ${image.os}/${image.arch}, this node is linux/${own}`,
      { hint: "Build or pull the image for this platform, or constrain the job to nodes with its os_arch" },
    );
  }
  return image;
}

const Progress = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

async function pull(client: DockerClient, name: string, { signal, onProgress }: ImageOptions): Promise<void> {
  onProgress(`Pulling the image "${name}"`);
  const layers = new Map<string, { current: number; total: number }>();
  let toldAtMs = performance.now();
  const onLine = (line: string) => {
    const { id, error, status, progressDetail } = Progress.parse(JSON.parse(line));
    if (error !== undefined) throw refusedPull(name, error);
    const { current, total } = progressDetail ?? {};
    if (id !== undefined && status === "Downloading" && current !== undefined && total !== undefined) {
      layers.set(id, { current, total });
    } else if (id !== undefined && status === "Download complete") {
      const layer = layers.get(id);
      if (layer !== undefined) layer.current = layer.total;
    }
    if (layers.size === 0 || performance.now() - toldAtMs < PROGRESS_MS) return;
    toldAtMs = performance.now();
    onProgress(progressOf(name, [...layers.values()]));
  };
  try {
    const stream = await client.stream("POST", "/images/create", {
      query: { fromImage: name, ...(hasTag(name) ? {} : { tag: "latest" }) },
      headers: await registryAuth(name),
      signal,
    });
    for await (const line of linesOf(stream)) onLine(line);
  } catch (error) {
    throw error instanceof DockerRefusal ? refusedPull(name, error.message) : error;
  }
}

const hasTag = (name: string): boolean => name.includes("@") || /:[^/]+$/.test(name);

function progressOf(name: string, layers: readonly { current: number; total: number }[]): string {
  const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
  const [current, total] = layers.reduce(([a, b], layer) => [a + layer.current, b + layer.total], [0, 0]);
  return `Pulling the image "${name}": ${mib(current!)} of ${mib(total!)} MiB`;
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== "") yield line;
  }
  if (rest.trim() !== "") yield rest;
}

const UNREACHABLE =
  /no such host|timeout|timed out|connection refused|network is unreachable|i\/o timeout|EOF|TLS handshake|no route to host|temporary failure/i;

const isUnreachable = (error: unknown): boolean =>
  error instanceof AppError && error.code === "image_unreachable";

function refusedPull(name: string, message: string): AppError {
  if (/no matching manifest|does not match the specified platform/i.test(message)) {
    return new AppError(
      "platform_mismatch",
      `The image "${name}" is not there for this node's platform: ${message}`,
      {
        hint: "Build the image for this platform, or constrain the job to nodes with its os_arch",
      },
    );
  }
  if (UNREACHABLE.test(message)) {
    return new AppError("image_unreachable", `Cannot pull the image "${name}": ${message}`, {
      hint: "The registry cannot be reached from this node; an image that is loaded there is used without it",
    });
  }
  if (/no space left/i.test(message)) {
    return new AppError("disk_full", `Cannot pull the image "${name}": ${message}`, {
      hint: "Free some space on the node: docker system df tells what uses it",
    });
  }
  return new AppError("image_missing", `Cannot pull the image "${name}": ${message}`, {
    hint: /denied|unauthorized|authentication/i.test(message)
      ? "See whether the name is right; a private image needs docker login as the agent's user on the node"
      : "See whether name and tag are right",
  });
}
