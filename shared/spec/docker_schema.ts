/** Parameters of the engine `docker`, as users write them. */
import { z } from "zod";
import { platformOf } from "../model/image.ts";
import { Text } from "./job_schema.ts";

/** `[registry/]path[:tag][@digest]`, as Docker writes references. */
const REFERENCE =
  /^(?:[a-zA-Z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;
const IMAGE_ID = /^(sha256:)?[0-9a-f]{12,64}$/;

const IMAGE = "must be the name of an image";
const Image = z.string({ error: IMAGE }).min(1, IMAGE).refine(
  (name) => name === "" || (name.length <= 512 && (REFERENCE.test(name) || IMAGE_ID.test(name))),
  "must be written as [REGISTRY/]NAME[:TAG][@sha256:DIGEST], in lower case",
);

const texts = (item: z.ZodType<string, string> = Text) =>
  z.array(item, { error: 'must be a list of strings, such as ["sh", "-c", "date"]' })
    // Clients send an empty list for what was not given.
    .transform((list) => list.length === 0 ? undefined : list);

/** A text that `read` makes something of; blank means absent. */
function optional<T>(read: (text: string) => T | undefined, must: string) {
  return z.string({ error: must }).transform((text, context) => {
    if (text === "") return undefined;
    const found = read(text);
    if (found !== undefined) return found;
    context.addIssue({ code: "custom", message: must });
    return z.NEVER;
  });
}

/** One of a few words, in any casing. */
const word = <const Name extends string>(names: readonly Name[]) =>
  optional(
    (text) => names.find((name) => name === text.trim().toLowerCase()),
    `must be one of ${names.join(", ")}`,
  );

const matching = (pattern: RegExp) => (text: string) => pattern.test(text) ? text : undefined;

const USER = "must be written as USER or USER:GROUP";
const VARIABLE = "must be written as KEY=VALUE";

const Capability = z.string().transform((text, context) => {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (/^[A-Z_]{2,40}$/.test(name)) return name;
  context.addIssue({ code: "custom", message: "must be a name such as NET_RAW" });
  return z.NEVER;
});

/** Read: capabilities without `CAP_`, the platform as it is compared, and what is empty left out. */
export const DockerParams = z.object({
  Image,
  Entrypoint: texts().optional(),
  Parameters: texts().optional(),
  EnvironmentVariables: texts(Text.refine((text) => /^[^=\s]+=/.test(text), VARIABLE)).optional(),
  WorkingDirectory: optional(matching(/^\/[^\0]*$/), "must be an absolute path").optional(),
  User: z.union([z.number().transform(String), z.string()], { error: USER })
    .pipe(optional(matching(/^[\w.-]+(:[\w.-]+)?$/), USER)).optional(),
  Profile: word(["default", "strict"]).optional(),
  Capabilities: texts(Capability).optional(),
  Platform: optional(
    (text) => /^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/i.test(text) ? platformOf(text) : undefined,
    "must be written as OS/ARCH, such as linux/arm64",
  ).optional(),
  Init: z.boolean().optional(),
  Pull: word(["missing", "always", "never"]).optional(),
});
