/** Images: found on the machine, or fetched from a registry with its progress told. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { type ImageFound, platformOf } from "../../shared/model/image.ts";
import { type DockerClient, DockerRefusal, isMissing } from "./docker_client.ts";
import { registryAuth } from "./docker_auth.ts";
import type { Failure } from "../core/outcome.ts";
import type { DockerParams, PullPolicy } from "./docker_params.ts";
import { type ImagesHere, imagesHere } from "./docker_pulls.ts";

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
  /** `os/arch`; undefined where the image does not say. */
  readonly platform: string | undefined;
  /** `NAME@sha256:…` where its name leads to a registry that has it. */
  readonly digest?: string;
  /** Empty for root. */
  readonly user: string;
}

/** How an image is had. */
export interface ImageOptions {
  readonly policy: PullPolicy;
  /** `NAME@sha256:…`: what the name stands for, whatever it stands for by now. */
  readonly pinned?: string;
  readonly signal?: AbortSignal;
  /** Called with what to tell the user, not more than every few seconds. */
  readonly onProgress: (message: string) => void;
  /** Called once it is known what the image is, or for which platforms its registry has it when that is not this one. */
  readonly onImage: (found: ImageFound) => void;
  /** Called after a pull with the id of what it brought, and what was on the machine before and is now. */
  readonly onPulled?: (id: string, images: { before: ImagesHere; after: ImagesHere }) => void;
}

const PROGRESS_MS = 5_000;

/** What runs here: the engine is on this machine. */
export const OWN_PLATFORM: string = platformOf(`linux/${Deno.build.arch}`);

/** The image, fetched if the policy says so. Errors: `image_missing`, `platform_mismatch`, `unavailable`. */
export async function ensureImage(client: DockerClient, name: string, options: ImageOptions): Promise<Image> {
  const image = await findOrPull(client, options.pinned ?? name, options);
  const { id, digest } = image;
  options.onImage({ name, id, ...(digest !== undefined && { digest }) });
  return image;
}

async function findOrPull(client: DockerClient, name: string, options: ImageOptions): Promise<Image> {
  // A digest means one image for ever: the registry has nothing newer under it.
  const isAsked = options.policy === "always" && !name.includes("@");
  const here = isAsked ? undefined : await findImage(client, name);
  if (here !== undefined && fitsHere(here)) return here;
  if (options.policy === "never") {
    if (here !== undefined) throw mismatch(name, [here.platform!]);
    throw new AppError(
      "image_missing",
      `The image "${name}" is not on this node, and the pull policy is never`,
      {
        hint: "Load it there with docker pull or docker load, or use the pull policy missing",
      },
    );
  }
  const before = options.onPulled && await imagesHere(client);
  try {
    await pull(client, name, options);
  } catch (error) {
    if (isMismatch(error)) throw await mismatchOf(client, name, options);
    // What is here under the name is for another platform, and this one is not to be had.
    if (here !== undefined) throw mismatch(name, [here.platform!]);
    // A link that is gone must not keep from running what is here.
    const old = isUnreachable(error) ? await findImage(client, name) : undefined;
    if (old === undefined || !fitsHere(old)) throw error;
    options.onProgress(`Cannot reach the registry: using the image "${name}" that is here`);
    return old;
  }
  const pulled = await findImage(client, name);
  if (before !== undefined && pulled !== undefined) {
    options.onPulled!(pulled.id, { before, after: await imagesHere(client) });
  }
  if (pulled === undefined) {
    throw new AppError("image_missing", `The image "${name}" was pulled and is gone again`, {
      hint: "See whether something prunes images on the node",
    });
  }
  if (!fitsHere(pulled)) throw await mismatchOf(client, name, options);
  return pulled;
}

/** The image, if it is on the machine. */
export async function findImage(client: DockerClient, name: string): Promise<Image | undefined> {
  try {
    const found = await client.get(`/images/${toPath(name)}/json`, Inspected);
    const isTold = found.Os !== "" && found.Architecture !== "";
    return {
      id: found.Id,
      platform: isTold ? platformOf(`${found.Os}/${found.Architecture}`) : undefined,
      digest: digestOf(name, found.RepoDigests ?? []),
      user: found.Config?.User ?? "",
    };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Of the names under which an image came from registries, the one that the given name leads to. */
export function digestOf(name: string, repoDigests: readonly string[]): string | undefined {
  return repoDigests.find((digest) => repositoryOf(digest) === repositoryOf(name));
}

/** `docker.io/library/busybox` of `busybox:1@sha256:…`. */
function repositoryOf(reference: string): string {
  const bare = reference.replace(/@.*$/, "").replace(/:[^/]+$/, "").replace(/^(index\.)?docker\.io\//, "");
  const [first = "", ...rest] = bare.split("/");
  if (rest.length === 0) return `docker.io/library/${bare}`;
  return /[.:]/.test(first) || first === "localhost" ? bare : `docker.io/${bare}`;
}

const toPath = (name: string): string => encodeURIComponent(name).replaceAll("%2F", "/");

const fitsHere = ({ platform }: Image): boolean => platform === undefined || platform === OWN_PLATFORM;

const isMismatch = (error: unknown): boolean =>
  error instanceof AppError && error.code === "platform_mismatch";

/** Asks the registry for which platforms it has the image, and tells it: so that no other node of this one's tries. */
async function mismatchOf(client: DockerClient, name: string, options: ImageOptions): Promise<AppError> {
  const platforms = await platformsAt(client, name, options.signal);
  if (platforms.length > 0) options.onImage({ name, platforms: [...platforms] });
  return mismatch(name, platforms);
}

const Distribution = z.object({
  Platforms: z.array(z.object({ os: z.string(), architecture: z.string() })).nullish(),
});

/** What the registry has; empty when it cannot be asked. */
async function platformsAt(
  client: DockerClient,
  name: string,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  try {
    const headers = await registryAuth(name);
    const { Platforms } = await client.get(`/distribution/${toPath(name)}/json`, Distribution, {
      headers,
      signal,
    });
    // What builders add beside images, such as attestations, is for no platform.
    const known = (Platforms ?? []).filter(({ os }) => os !== "" && os !== "unknown");
    return [...new Set(known.map(({ os, architecture }) => platformOf(`${os}/${architecture}`)))].sort();
  } catch {
    return [];
  }
}

function mismatch(name: string, platforms: readonly string[]): AppError {
  const has = platforms.length === 0 ? "not for it" : `for ${platforms.join(", ")}`;
  return new AppError(
    "platform_mismatch",
    `this node runs containers of ${OWN_PLATFORM}, the image "${name}" is ${has}`,
    { hint: "Build the image for this platform, or run the job where there are nodes of the image's" },
  );
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
      query: { fromImage: name, ...(hasTag(name) ? {} : { tag: "latest" }), platform: OWN_PLATFORM },
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
  if (/no matching manifest|does not match the specified platform/i.test(message)) return mismatch(name, []);
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
    hint: /denied|unauthorized|authentication|credentials|forbidden/i.test(message)
      ? "See whether the name is right; a private image needs docker login as the agent's user on the node"
      : "See whether name and tag are right",
  });
}

/** For the history: what ran, and whether it can be had again. */
export function startedWith({ digest, id }: Image): string {
  const started = `Started a container of the image ${digest ?? id}`;
  if (digest !== undefined) return started;
  return `${started}: no registry has it under this name, so another attempt runs whatever its node has`;
}

/** The platform that the task names is not this one's. */
export function wrongPlatform(
  { platform, image }: Pick<DockerParams, "platform" | "image">,
): Failure | undefined {
  if (platform === undefined || platform === OWN_PLATFORM) return undefined;
  return {
    code: "platform_mismatch",
    message: `this node runs containers of ${OWN_PLATFORM}, the task asks for "${image}" of ${platform}`,
    hint: "Leave Platform out, or run the job where there are nodes of that platform",
  };
}
