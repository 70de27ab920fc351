/** What names and paths in a job spec may hold. */
import { LIMITS } from "../limits.ts";

/** Control characters, line separators, and marks that turn the direction of text around. */
const HOSTILE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Why the text cannot be a name, or `undefined` when it can. */
export function whyNoName(text: string): string | undefined {
  if (text.length > LIMITS.nameCharsMax) return `must be at most ${LIMITS.nameCharsMax} characters long`;
  if (HOSTILE.test(text) || !text.isWellFormed()) return "must not contain control characters";
  return undefined;
}

/** Why the text cannot be a job's name, or `undefined` when it can: names stand where ids do, and before a path. */
export function whyNoJobName(text: string): string | undefined {
  if (text !== "" && text.trim() !== text) return "must not begin or end with white space";
  if (/[/\\]/.test(text)) return 'must not contain "/" or "\\"';
  return whyNoName(text);
}

/** Why the text cannot be one line, such as a URL, or `undefined` when it can. */
export function whyNoLine(text: string): string | undefined {
  if (text.length > LIMITS.pathCharsMax) return `must be at most ${LIMITS.pathCharsMax} characters long`;
  return HOSTILE.test(text) || !text.isWellFormed() ? "must not contain control characters" : undefined;
}

/** Why the text cannot be a longer text (an argument, a value), or `undefined` when it can. */
export function whyNoText(text: string): string | undefined {
  if (text.length > LIMITS.textCharsMax) return `must be at most ${LIMITS.textCharsMax} characters long`;
  if (text.includes("\0")) return "must not contain the character NUL";
  return text.isWellFormed() ? undefined : "must be well-formed Unicode";
}

/** Why the text cannot be a path inside a task, or `undefined` when it can. */
export function whyNoPath(text: string): string | undefined {
  if (text.trim() === "") return "must not be empty";
  if (text.length > LIMITS.pathCharsMax) return `must be at most ${LIMITS.pathCharsMax} characters long`;
  if (HOSTILE.test(text) || !text.isWellFormed()) return "must not contain control characters";
  if (text.includes("\\")) return 'must use "/" between folders';
  if (text.split("/").includes("..")) return 'must not contain ".."';
  return undefined;
}

/** The path as it is compared and stored: absolute, without empty parts, `.` and a trailing slash. */
export function cleanPath(path: string): string {
  return `/${path.trim().split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** Whether `path` is `folder` or lies inside it. Both are clean. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
