/**
 * Which images Skerry has fetched: the only ones that it may remove. Kept in a file of the node's own. An image counts that was
 * not on the machine before, and of its names those that came with a pull; what a crash has kept from being written is
 * never removed.
 */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type DockerClient, DockerRefusal, isMissing } from "./docker_client.ts";
import type { PrunedImages } from "./engine.ts";

/** Image's id → names that it got by pulls of ours. */
const Pulled = z.record(z.string(), z.array(z.string()));
type Pulled = z.infer<typeof Pulled>;

const Listed = z.array(z.object({
  Id: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  Size: z.number(),
}));
const Containers = z.array(z.object({ ImageID: z.string() }));

/** What the machine has: image's id → its names and size. */
export type ImagesHere = ReadonlyMap<
  string,
  { readonly tags: readonly string[]; readonly sizeBytes: number }
>;

/** Every image of the daemon. */
export async function imagesHere(client: DockerClient): Promise<ImagesHere> {
  const listed = await client.get("/images/json", Listed);
  return new Map(listed.map(({ Id, RepoTags, Size }) => {
    const tags = (RepoTags ?? []).filter((tag) => tag !== "<none>:<none>");
    return [Id, { tags, sizeBytes: Size }];
  }));
}

/** The record, and what may be done by it. */
export class DockerPulls {
  readonly #path: string | undefined;
  readonly #pulled: Pulled;
  /** Image's id → when it was last looked up for a start, by this process's clock. */
  readonly #used = new Map<string, number>();

  /** `path`: of its file; without one nothing is kept, and nothing may be removed. What cannot be read is nobody's. */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#pulled = path === undefined ? {} : read(path);
  }

  /** A container is about to be made of it. */
  use(id: string): void {
    this.#used.set(id, performance.now());
  }

  /** A pull has brought the image with this id: it is ours if it was not here before, and so are the names that came with it. */
  note(id: string, { before, after }: { before: ImagesHere; after: ImagesHere }): void {
    const known = before.get(id);
    const own = this.#pulled[id];
    if (known !== undefined && own === undefined) return;
    const tags = after.get(id)?.tags ?? [];
    const fresh = tags.filter((tag) => known?.tags.includes(tag) !== true && own?.includes(tag) !== true);
    if (own !== undefined && fresh.length === 0) return;
    this.#pulled[id] = [...own ?? [], ...fresh];
    this.#write();
  }

  /** Removes what no container uses and nobody else has named; with `isDry` only counts it. */
  async prune(client: DockerClient, { isDry }: { isDry: boolean }): Promise<PrunedImages> {
    const here = await imagesHere(client);
    const inUse = new Set(
      (await client.get("/containers/json", Containers, { query: { all: "true" } })).map((it) => it.ImageID),
    );
    const sums = { held: zero(), mayGo: zero(), gone: zero() };
    const stays = { "that containers use": 0, "that were used a moment ago": 0, "that others have named": 0 };
    for (const [id, own] of Object.entries(this.#pulled)) {
      const image = here.get(id);
      if (image === undefined) {
        if (!isDry) delete this.#pulled[id];
        continue;
      }
      const { tags, sizeBytes } = image;
      const why = inUse.has(id)
        ? "that containers use"
        : performance.now() - (this.#used.get(id) ?? -Infinity) < LIMITS.contentWaitMs
        ? "that were used a moment ago"
        : tags.some((tag) => !own.includes(tag))
        ? "that others have named"
        : undefined;
      if (why !== undefined) stays[why]++;
      const isGone = why === undefined && !isDry && await remove(client, id, tags);
      if (isGone) delete this.#pulled[id];
      count(isGone ? sums.gone : sums.held, sizeBytes);
      if (why === undefined && !isGone) count(sums.mayGo, sizeBytes);
    }
    if (!isDry) this.#write();
    const told = Object.entries(stays).filter(([, n]) => n > 0).map(([why, n]) => `${n} ${why}`);
    return { ...sums, stays: told };
  }

  #write(): void {
    if (this.#path === undefined) return;
    const fresh = `${this.#path}.new`;
    try {
      {
        using file = Deno.openSync(fresh, { write: true, create: true, truncate: true, mode: 0o600 });
        const bytes = new TextEncoder().encode(JSON.stringify(this.#pulled));
        for (let from = 0; from < bytes.length;) from += file.writeSync(bytes.subarray(from));
        file.syncSync();
      }
      Deno.renameSync(fresh, this.#path);
    } catch (cause) {
      throw new AppError("io", `Cannot record which images were fetched: ${(cause as Error).message}`, {
        hint: "See whether the node's data folder is there and can be written, and whether its disk is full",
        cause,
      });
    }
  }
}

const zero = (): { count: number; bytes: number } => ({ count: 0, bytes: 0 });

function count(sum: { count: number; bytes: number }, sizeBytes: number): void {
  sum.count++;
  sum.bytes += sizeBytes;
}

function read(path: string): Pulled {
  try {
    return Pulled.parse(JSON.parse(Deno.readTextFileSync(path)));
  } catch {
    return {};
  }
}

/** By its names, and never by force: whoever has begun to use it keeps it. */
async function remove(client: DockerClient, id: string, tags: readonly string[]): Promise<boolean> {
  try {
    for (const name of tags.length > 0 ? tags : [id]) {
      await client.call("DELETE", `/images/${encodeURIComponent(name).replaceAll("%2F", "/")}`);
    }
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    if (error instanceof DockerRefusal && error.status === 409) return false;
    throw error;
  }
}
