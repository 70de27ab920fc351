/** Variables of the environment that say something to Skerry, and those that only seem to. */
import { nearest } from "../shared/spec/suggest.ts";
import { environmentName, SETTING_KEYS } from "./settings.ts";
import { harmless } from "./words.ts";

const PREFIX = "SKERRY_";
/** No settings, and yet known. */
const OTHERS = ["SKERRY_CONFIG", "SKERRY_DEBUG"];
/** What a job finds in its environment: a command may be called there. */
const OF_JOBS = /^SKERRY_(EXECUTION_ID|JOB_|PARTITION_|PORT_|HOST_PORT_)/;

/** Names in it that were meant as settings, and are none, in words. In their order. */
export function unheeded(environment: Readonly<Record<string, string>>): readonly string[] {
  const known = new Map([...SETTING_KEYS.map(environmentName), ...OTHERS].map((name) => [bare(name), name]));
  return Object.keys(environment).sort().flatMap((name) => {
    if (!name.startsWith(PREFIX) || OF_JOBS.test(name) || known.get(bare(name)) === name) return [];
    const meant = known.get(bare(name)) ?? known.get(nearest(bare(name), known.keys()) ?? "");
    // What resembles no setting is somebody else's, such as a script's.
    return meant === undefined ? [] : [`${harmless(name)} is no setting; did you mean ${meant}?`];
  });
}

/** `DATADIR` of `SKERRY_DATA_DIR`: where words end is what people get wrong most. */
const bare = (name: string): string => name.slice(PREFIX.length).replaceAll("_", "");

/** Why `DOCKER_HOST` is not where containers run, if it is not. */
export function unusedDockerHost(dockerHost: string | undefined): string | undefined {
  if (!dockerHost || dockerHost.startsWith("unix://")) return undefined;
  return `DOCKER_HOST is ${
    harmless(dockerHost)
  }, and is not used: containers run in a Docker Engine of this machine, by its socket`;
}
