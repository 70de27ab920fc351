/** Values of query strings, forgiving where Bacalhau's clients are odd: empty means absent, `True` means true. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { JobPhase } from "../../shared/model/job.ts";
import { quote } from "../../shared/spec/problems.ts";

/** Items of one answer. More than the most is the most. */
export const Limit = z.string().regex(/^\d{1,10}$/, { error: "must be a whole number" })
  .transform((text) => Math.min(Number(text), LIMITS.pageMax)).optional();

/** Go's, Python's and everybody's booleans. */
export const Flag = z.string().transform((text, context) => {
  if (/^(true|t|1|yes)$/i.test(text)) return true;
  if (/^(false|f|0|no)$/i.test(text)) return false;
  context.addIssue({ code: "custom", message: "must be true or false" });
  return z.NEVER;
}).optional();

/** A whole number ≥ 0. */
export const Count = z.string().regex(/^\d{1,15}$/, { error: "must be a whole number" }).transform(Number)
  .optional();

/** How long the answer may be held back for news, in ms. */
export const WaitMs = z.string().regex(/^\d{1,9}$/, { error: `must be ms from 0 to ${LIMITS.waitMsMax}` })
  .transform((text) => Math.min(Number(text), LIMITS.waitMsMax)).optional();

/** Unix seconds, ms since 1970 with 12 digits or more, or RFC 3339; in ms. */
export const Since = z.string().transform((text, context) => {
  const number = /^\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : undefined;
  const sinceMs = number === undefined ? Date.parse(text) : number < 1e11 ? number * 1000 : number;
  if (Number.isFinite(sinceMs)) return Math.max(0, sinceMs);
  context.addIssue({ code: "custom", message: "must be Unix seconds or a time like 2025-01-31T12:00:00Z" });
  return z.NEVER;
}).optional();

/** `created_at` and its kin. */
export const OrderBy = z.string().transform((text, context) => {
  if (/^(created_at|create_time)$/.test(text)) return "created" as const;
  if (/^(modified_at|modify_time)$/.test(text)) return "modified" as const;
  context.addIssue({
    code: "custom",
    message: "must be one of created_at, create_time, modified_at, modify_time",
  });
  return z.NEVER;
}).optional();

/** Phases of jobs, comma-joined, in any casing. */
export const Phases = z.string().transform((text, context) => {
  const phases = text.split(",").map((part) => JobPhase.safeParse(part.trim().toLowerCase()));
  const known = phases.flatMap(({ data }) => data ? [data] : []);
  if (known.length === phases.length) return known;
  context.addIssue({ code: "custom", message: `must be of ${JobPhase.options.join(", ")}` });
  return z.NEVER;
}).optional();

/** A version of a job; 0 means the latest. */
export const JobVersion = Count;

/** Any text. */
export const AnyText = z.string().max(LIMITS.pathCharsMax, {
  error: `must be at most ${LIMITS.pathCharsMax} characters long`,
})
  .optional();

/** Reads a query by its schema. Unknown names are passed over. Throws `bad_request`. */
export function readQuery<T extends z.ZodObject>(schema: T, query: URLSearchParams): z.output<T> {
  const given: Record<string, string> = {};
  for (const [name, value] of query) {
    if (value !== "" && Object.hasOwn(schema.shape, name)) {
      given[name] = Object.hasOwn(given, name) ? `${given[name]},${value}` : value;
    }
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? "");
  const message = `Cannot read the request: query "${name}" ${issue?.message}, current value is ${
    quote(given[name])
  }`;
  throw new AppError("bad_request", message);
}
