/** Reads an object by a zod schema, forgiving about the casing of its keys and strict about everything else. */
import { z } from "zod";
import { type Path, type Problems, quote } from "./problems.ts";
import { nearest } from "./suggest.ts";

/** Known fields by their names in lower case. */
type Fields = ReadonlyMap<string, { readonly name: string; readonly shape: Shape }>;

/** What the walk needs to know of a schema: its known fields, or its elements. */
type Shape =
  | { readonly kind: "object"; readonly fields: Fields }
  | { readonly kind: "list"; readonly element: Shape }
  | { readonly kind: "leaf" };

const LEAF: Shape = { kind: "leaf" };
const shapes = new WeakMap<z.ZodType, Shape>();

/**
 * The value as the schema reads it; what is wrong is added to the problems and left out of the answer, so that the
 * rest can still be checked. `undefined` when nothing readable remains. Keys of objects that the schema knows match
 * in any casing and come out in the schema's; null there means absent; unknown keys are problems.
 */
export function readFields<T extends z.ZodType>(
  schema: T,
  value: unknown,
  { path, problems }: { path: Path; problems: Problems },
): z.output<T> | undefined {
  const named = rename(value, shapeOf(schema), path, problems);
  const parsed = schema.safeParse(named, { error: tell });
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const at = issue.path as Path;
    problems.add([...path, ...at], issue.message, valueAt(named, at));
  }
  const rest = structuredClone(named);
  for (const issue of parsed.error.issues) remove(rest, issue.path as Path);
  return schema.safeParse(rest).data;
}

/** Takes a value out of the object or list that holds it; a list becomes empty, so that positions stay true. */
function remove(document: unknown, path: Path): void {
  const holder = valueAt(document, path.slice(0, -1));
  const last = path.at(-1);
  if (Array.isArray(holder)) holder.length = 0;
  else if (typeof holder === "object" && holder !== null && last !== undefined) {
    delete (holder as Record<string | number, unknown>)[last];
  }
}

function shapeOf(schema: z.ZodType): Shape {
  const known = shapes.get(schema);
  if (known) return known;
  const shape = deriveShape(schema);
  shapes.set(schema, shape);
  return shape;
}

function deriveShape(schema: z.ZodType): Shape {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return shapeOf(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return shapeOf(schema.in as z.ZodType);
  if (schema instanceof z.ZodArray) return { kind: "list", element: shapeOf(schema.element as z.ZodType) };
  if (!(schema instanceof z.ZodObject)) return LEAF;
  const fields = new Map<string, { name: string; shape: Shape }>();
  for (const [name, field] of Object.entries(schema.shape)) {
    fields.set(name.toLowerCase(), { name, shape: shapeOf(field as z.ZodType) });
  }
  return { kind: "object", fields };
}

function rename(value: unknown, shape: Shape, path: Path, problems: Problems): unknown {
  if (shape.kind === "leaf" || typeof value !== "object" || value === null) return value;
  if (shape.kind === "list") {
    if (!Array.isArray(value)) return value;
    return value.map((item, at) => rename(item, shape.element, [...path, at], problems));
  }
  if (Array.isArray(value)) return value;
  const named: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    const field = shape.fields.get(key) ?? shape.fields.get(key.toLowerCase());
    if (!field) {
      tellUnknown([...path, key], key, shape.fields, problems);
    } else if (Object.hasOwn(named, field.name)) {
      problems.add([...path, field.name], "must be given once, and is there in two casings");
    } else if (item !== null && item !== undefined) {
      named[field.name] = rename(item, field.shape, [...path, field.name], problems);
    }
  }
  return named;
}

function tellUnknown(
  path: Path,
  key: string,
  fields: Fields,
  problems: Problems,
): void {
  const names = [...fields.values()].map(({ name }) => name);
  const guess = nearest(key, names) ?? nearestBelow(key, fields);
  const known = guess ? `did you mean ${quote(guess)}?` : `known here: ${names.join(", ")}`;
  problems.add(path, `is not a known field; ${known}`);
}

/** A field further down that is called so, or nearly: `Tasks[].Timeouts`. */
function nearestBelow(key: string, fields: Fields): string | undefined {
  const below = new Map<string, string>();
  for (const path of pathsOf(fields)) {
    const name = path.slice(path.lastIndexOf(".") + 1);
    if (!below.has(name)) below.set(name, path);
  }
  const found = nearest(key, below.keys());
  return found && below.get(found);
}

/** Every field that a schema knows, those of lists and objects below it included: `Tasks[].Timeouts.TotalTimeout`. */
export function fieldPaths(schema: z.ZodType): readonly string[] {
  const shape = shapeOf(schema);
  return shape.kind === "object" ? pathsOf(shape.fields) : [];
}

function pathsOf(fields: Fields, prefix = ""): readonly string[] {
  return [...fields.values()].flatMap(({ name, shape }) => {
    const element = shape.kind === "list" ? shape.element : shape;
    const path = `${prefix}${name}`;
    const below = element.kind === "object"
      ? pathsOf(element.fields, `${path}${shape.kind === "list" ? "[]" : ""}.`)
      : [];
    return [path, ...below];
  });
}

function valueAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, unknown>)[part];
  }
  return found;
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object of names and values",
};

/** What the value must be, for issues whose schema says nothing of its own. */
function tell(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type": {
      const isBare = issue.expected === "string" && ["number", "boolean"].includes(typeof issue.input);
      return `must be ${KINDS[issue.expected] ?? issue.expected}${isBare ? " (write it in quotes)" : ""}`;
    }
    case "too_big":
      return `must be at most ${issue.maximum}${unitOf(issue.origin, issue.maximum)}`;
    case "too_small":
      return `must be at least ${issue.minimum}${unitOf(issue.origin, issue.minimum)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(quote).join(", ")}`;
    default:
      return "must have another value";
  }
}

function unitOf(origin: string, count: number | bigint): string {
  const s = Number(count) === 1 ? "" : "s";
  if (origin === "string") return ` character${s} long`;
  return origin === "array" ? ` item${s} long` : "";
}
