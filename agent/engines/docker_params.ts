/** Engine parameters of a `docker` task, as the job spec has them. */
import { AppError } from "../../shared/errors.ts";
import { platformOf } from "../../shared/model/image.ts";

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

/** Reads the parameters, each key in any casing. Throws `invalid`, naming the field. */
export function parseDockerParams(params: Readonly<Record<string, unknown>>): DockerParams {
  const byName = new Map(Object.entries(params).map(([key, value]) => [key.toLowerCase(), value]));
  const take = (name: string): unknown => {
    const value = byName.get(name.toLowerCase());
    byName.delete(name.toLowerCase());
    return value ?? undefined;
  };
  const read: DockerParams = {
    image: imageOf(take("Image")),
    entrypoint: optionalList("Entrypoint", take("Entrypoint")),
    parameters: optionalList("Parameters", take("Parameters")) ?? [],
    environment: environmentOf(optionalList("EnvironmentVariables", take("EnvironmentVariables")) ?? []),
    workingDirectory: directoryOf(take("WorkingDirectory")),
    user: userOf(take("User")),
    profile: oneOf("Profile", take("Profile"), ["default", "strict"]),
    capabilities: capabilitiesOf(optionalList("Capabilities", take("Capabilities")) ?? []),
    hasInit: initOf(take("Init")),
    platform: platform(take("Platform")),
    pull: oneOf("Pull", take("Pull"), ["missing", "always", "never"]),
  };
  const [unknown] = byName.keys();
  if (unknown !== undefined) {
    throw invalid(`${unknown} must not be there: the engine docker does not know it`, byName.get(unknown));
  }
  return read;
}

/** `[registry/]path[:tag][@digest]`, as Docker writes references. */
const IMAGE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

function imageOf(value: unknown): string {
  if (typeof value !== "string" || value === "") throw invalid("Image must be the name of an image", value);
  if (value.length > 512 || !(IMAGE.test(value) || /^(sha256:)?[0-9a-f]{12,64}$/.test(value))) {
    throw invalid("Image must be written as [REGISTRY/]NAME[:TAG][@sha256:DIGEST], in lower case", value);
  }
  return value;
}

function optionalList(name: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && !item.includes("\0"))) {
    throw invalid(`${name} must be a list of strings`, value);
  }
  // Clients send an empty list for what was not given.
  return value.length === 0 ? undefined : value as string[];
}

function environmentOf(list: readonly string[]): readonly string[] {
  const bad = list.find((entry) => !/^[^=\s]+=/.test(entry));
  if (bad !== undefined) throw invalid("EnvironmentVariables must be written as KEY=VALUE", bad);
  return list;
}

function directoryOf(value: unknown): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string" || !value.startsWith("/") || value.includes("\0")) {
    throw invalid("WorkingDirectory must be an absolute path", value);
  }
  return value;
}

function userOf(value: unknown): string | undefined {
  if (value === undefined || value === "") return undefined;
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || !/^[\w.-]+(:[\w.-]+)?$/.test(text)) {
    throw invalid("User must be written as USER or USER:GROUP", value);
  }
  return text;
}

function initOf(value: unknown): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? false;
  throw invalid("Init must be true or false", value);
}

function platform(value: unknown): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string" || !/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/i.test(value)) {
    throw invalid("Platform must be written as OS/ARCH, such as linux/arm64", value);
  }
  return platformOf(value);
}

function capabilitiesOf(list: readonly string[]): readonly string[] {
  return list.map((entry) => {
    const name = entry.toUpperCase().replace(/^CAP_/, "");
    if (!/^[A-Z_]{2,40}$/.test(name)) throw invalid("Capabilities must be names such as NET_RAW", entry);
    return name;
  });
}

function oneOf<Name extends string>(field: string, value: unknown, names: readonly Name[]): Name | undefined {
  if (value === undefined || value === "") return undefined;
  const name = names.find((one) => typeof value === "string" && one === value.toLowerCase());
  if (name === undefined) throw invalid(`${field} must be one of ${names.join(", ")}`, value);
  return name;
}

function invalid(what: string, current: unknown): AppError {
  const shown = JSON.stringify(current) ?? "missing";
  return new AppError(
    "invalid",
    `Cannot start docker task: ${what}, current value is ${shown.slice(0, 200)}`,
    {
      hint: "See the engine docker in the job specification.",
    },
  );
}
