/** Engine parameters of a `docker` task, as the job spec has them. */
import { DockerParams as WrittenParams } from "../../shared/spec/docker_schema.ts";
import { readFields } from "../../shared/spec/fields.ts";
import { Problems } from "../../shared/spec/problems.ts";

/** How much a container is held back. `strict`: no capabilities, a read-only root, not as root. */
export type Profile = "default" | "strict";
/** When an image is fetched. */
export type PullPolicy = "missing" | "always" | "never";

/** What is to be run. */
export interface DockerParams {
  readonly image: string;
  /** Absent: the image's own. */
  readonly entrypoint?: readonly string[];
  readonly parameters: readonly string[];
  /** `KEY=VALUE`. */
  readonly environment: readonly string[];
  readonly workingDirectory?: string;
  /** User or user:group, by name or number; absent: the image's own. */
  readonly user?: string;
  readonly profile?: Profile;
  /** Beyond those of the profile, without `CAP_`. */
  readonly capabilities: readonly string[];
  readonly pull?: PullPolicy;
  /** A small init is process 1, and the program its child. */
  readonly hasInit: boolean;
  /** `os/arch` that the image is to be run as; absent: whatever it is for. */
  readonly platform?: string;
}

/** Reads the parameters, each key in any casing. Throws `invalid`, naming every field that is wrong. */
export function parseDockerParams(params: Readonly<Record<string, unknown>>): DockerParams {
  const problems = new Problems();
  const written = readFields(WrittenParams, params, { path: [], problems });
  if (written === undefined || problems.count > 0) throw problems.toError("the parameters of engine docker");
  return {
    image: written.Image,
    entrypoint: written.Entrypoint,
    parameters: written.Parameters ?? [],
    environment: written.EnvironmentVariables ?? [],
    workingDirectory: written.WorkingDirectory,
    user: written.User,
    profile: written.Profile,
    capabilities: written.Capabilities ?? [],
    hasInit: written.Init ?? false,
    platform: written.Platform,
    pull: written.Pull,
  };
}
