/** What a soak has done, for its report: `deno task soak` puts it together, other runs only print it. */
import type { DockerClient } from "../../agent/engines/docker_client.ts";

/** One part of a soak. */
export interface SoakResult {
  /** What was done, in a few words. */
  readonly name: string;
  /** Of its random points, where it has some. */
  readonly seed?: number;
  /** Of the code that ran. */
  readonly commit?: string;
  /** RFC 3339. */
  readonly endedAt: string;
  readonly seconds: number;
  /** Version of the Docker Engine. */
  readonly docker: string;
  /** What was done or counted → how often, in the order in which it is shown. */
  readonly counts: Readonly<Record<string, number | string>>;
  /** Absent: all is as it must be. */
  readonly failure?: string;
}

/** Set by `deno task soak`: the folder that it reads results from, and the commit. */
const FOLDER = "SKERRY_SOAK_RESULTS";
const COMMIT = "SKERRY_SOAK_COMMIT";

/** Runs one part of a soak, and notes how it went. */
export async function soak(
  about: { name: string; seed?: number; counts: Record<string, number | string>; client: DockerClient },
  body: () => Promise<void>,
): Promise<void> {
  const startedAtMs = performance.now();
  const docker = (await about.client.version()).Version;
  let failure: string | undefined;
  try {
    await body();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    throw error;
  } finally {
    const { name, seed, counts } = about;
    const seconds = Math.round((performance.now() - startedAtMs) / 1000);
    const endedAt = new Date().toISOString();
    const commit = Deno.env.get(COMMIT);
    const result: SoakResult = {
      name,
      seed,
      commit,
      endedAt,
      seconds,
      docker,
      counts,
      ...(failure && { failure }),
    };
    console.log(JSON.stringify(result));
    const folder = Deno.env.get(FOLDER);
    if (folder) {
      await Deno.writeTextFile(`${folder}/${name.replaceAll(" ", "-")}.json`, JSON.stringify(result));
    }
  }
}
