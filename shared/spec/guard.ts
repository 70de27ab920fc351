/** The first look at a document from outside: plain JSON of a bearable depth and size, or nothing is read at all. */
import { LIMITS } from "../limits.ts";
import { type Path, type Problems, quote } from "./problems.ts";

/** Adds a problem when the value is not plain JSON within the limits; whether it may be read further. */
export function isReadable(value: unknown, problems: Problems): boolean {
  const guard: Guard = { problems, before: problems.count, valueCount: 0 };
  visit(value, [], guard);
  return problems.count === guard.before;
}

interface Guard {
  readonly problems: Problems;
  readonly before: number;
  valueCount: number;
}

function visit(value: unknown, path: (string | number)[], guard: Guard): void {
  if (guard.problems.count > guard.before) return;
  if (++guard.valueCount > LIMITS.specValuesMax) {
    guard.problems.add([], `must hold at most ${LIMITS.specValuesMax} values`);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) guard.problems.add([...path], "must be a finite number", value);
  } else if (typeof value === "object" && value !== null) {
    if (path.length >= LIMITS.specDepthMax) {
      guard.problems.add(path.slice(0, 4), `must be nested at most ${LIMITS.specDepthMax} deep`);
    } else if (Array.isArray(value)) visitList(value, path, guard);
    else visitObject(value, path, guard);
  } else if (!["string", "boolean", "undefined"].includes(typeof value) && value !== null) {
    guard.problems.add([...path], `must be a JSON value, and is a ${typeof value}`);
  }
}

function visitList(list: readonly unknown[], path: (string | number)[], guard: Guard): void {
  for (let at = 0; at < list.length; at++) {
    path.push(at);
    visit(list[at], path, guard);
    path.pop();
  }
}

function visitObject(object: object, path: (string | number)[], guard: Guard): void {
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    guard.problems.add([...path], "must be a plain object");
    return;
  }
  for (const key of Object.keys(object)) {
    if (key.length > LIMITS.nameCharsMax || key === "__proto__") tellKey(path, key, guard);
    path.push(key);
    visit((object as Record<string, unknown>)[key], path, guard);
    path.pop();
  }
}

function tellKey(path: Path, key: string, { problems }: Guard): void {
  if (key === "__proto__") problems.add([...path], `must not have a field ${quote(key)}`);
  else {problems.add(
      [...path],
      `must have field names of at most ${LIMITS.nameCharsMax} characters, one is ${quote(key)}`,
    );}
}
